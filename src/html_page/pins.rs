//! The pins: what is locked, how old it is, and until when upstream keeps it.

use jiff::civil::Date;

use super::Told;
use super::facts::{Deadline, Facts, Locked};
use super::html::{Address, Html, id};
use super::prose::prose;
use super::table::Table;
use crate::text;

const TABLE: Table = Table {
    caption: "The pins of the lock",
    columns: &["input", "version", "made", "age", "size", "upstream keeps it", "how sure"],
    numbers: &["age", "size"],
};

/// Days that are left, below which a deadline is shown as bad, and as a warning.
const NEAR: i64 = 7;
const COMING: i64 = 30;

pub(super) fn write(facts: &Facts, html: &mut Html) -> Told {
    let locked = match &facts.locked {
        Ok(locked) => locked,
        Err(why) => return Told::missing(why),
    };
    if locked.lock.inputs.is_empty() {
        return Told::missing("The lock has no inputs.");
    }
    TABLE.write(html, |rows| {
        for (number, (name, input)) in locked.lock.inputs.iter().enumerate() {
            rows.row(Some(&id("pin-", number)), |cells| {
                cells.with(|html| {
                    html.text(name);
                    html.element("span").class("kind").text(input.kind().name());
                });
                cells.with(|html| {
                    html.element("span").class("version").text(input.version());
                    if let Some(address) = input.address().as_ref().and_then(Address::web) {
                        html.text(" ");
                        html.element("a").class("upstream").link(&address).text(host(&address));
                    }
                    for sentence in locked.advice.get(name).into_iter().flatten() {
                        html.element("p").class("badge bad").text(sentence);
                    }
                });
                cells.line(input.day().map_or_else(|| "unknown".to_owned(), |day| day.to_string()));
                cells.number(input.day().and_then(|day| age_in_days(day, facts.today)).map(days).unwrap_or_default());
                cells.number(text::bytes(input.size()));
                cells.with(|html| keeping(html, locked, name));
                cells.text(input.trust().words());
            });
        }
    });
    Told::default()
}

/// Returns the words for the link to an upstream: its host.
fn host(address: &Address) -> String {
    match address {
        Address::Web(url) => url.host_str().unwrap_or_default().to_owned(),
        Address::Here(_) => String::new(),
    }
}

fn keeping(html: &mut Html, locked: &Locked, name: &str) {
    match locked.deadlines.get(name) {
        None => html.element("span").class("muted").text("no end is known"),
        Some(Deadline { days: left, because }) => {
            let (class, words) = match *left {
                ..=0 => ("badge bad", "may be gone any day".to_owned()),
                left @ 1..=NEAR => ("badge bad", format!("{} more", days(left))),
                left @ 8..=COMING => ("badge warning", format!("{} more", days(left))),
                left => ("badge", format!("{} more", days(left))),
            };
            html.element("span").class(class).text(words);
            html.element("span").class("because").inside(|html| prose(html, because));
        }
    }
}

/// Returns the days from a day to another. `None` for a day to come.
pub(super) fn age_in_days(day: Date, today: Date) -> Option<i64> {
    day.until(today).ok().map(|span| i64::from(span.get_days())).filter(|days| *days >= 0)
}

/// Formats a number of days.
pub(super) fn days(count: i64) -> String {
    match count {
        0 => "today".to_owned(),
        1 => "1 day".to_owned(),
        _ => format!("{count} days"),
    }
}
