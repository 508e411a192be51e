//! The generations: a time line, and a table of the same.

use super::Told;
use super::facts::{Facts, GenerationFacts, Verdict};
use super::html::{Address, Html, id};
use super::summary::device;
use super::table::Table;
use crate::text;

const TABLE: Table = Table {
    caption: "Generations, the newest first",
    columns: &["generation", "made", "validation", "versions", "changed since the one before", "size"],
    numbers: &["size"],
};

/// Generations on the time line, and in the table. Both end with the newest.
const ON_LINE: usize = 24;
const IN_TABLE: usize = 100;
/// Lines of changes that are shown of a generation.
const CHANGES: usize = 12;

pub(super) fn write(facts: &Facts, html: &mut Html) -> Told {
    let all = match &facts.generations {
        Ok(all) if all.is_empty() => {
            return Told::missing("Nothing is realized yet: strixlock realize makes the first generation.");
        }
        Ok(all) => all,
        Err(why) => return Told::missing(why),
    };
    let newest = |count: usize| &all[all.len().saturating_sub(count)..];
    html.element("ol").class("line").attribute("aria-label", "Time line of generations").inside(|html| {
        for one in newest(ON_LINE) {
            stop(html, one);
        }
    });
    html.element("details").attribute("open", "").inside(|html| {
        html.element("summary").text("All of them as a table");
        TABLE.write(html, |rows| {
            for one in newest(IN_TABLE).iter().rev() {
                rows.row(Some(&id("generation-", one.number as usize)), |cells| {
                    cells.with(|html| {
                        html.text(one.number);
                        if one.current {
                            html.element("span").class("badge").text("current");
                        }
                    });
                    cells.text(minute(one.made));
                    cells.with(|html| verdict(html, one.verdict.as_ref()));
                    cells.text(&one.versions);
                    cells.with(|html| changes(html, one));
                    cells.number(text::bytes(one.size));
                });
            }
        });
    });
    let older = all.len().saturating_sub(IN_TABLE);
    let passed_over = (older > 0).then(|| format!("{} before these", text::counted(older, "generation")));
    Told { missing: None, passed_over: passed_over.into_iter().chain(facts.unreadable.iter().cloned()).collect() }
}

/// Writes a stop of the time line.
fn stop(html: &mut Html, one: &GenerationFacts) {
    let (class, sign, words) = match &one.verdict {
        None => ("stop", "?", "not validated"),
        Some(verdict) if verdict.has_passed() => ("stop good", "✓", "passed"),
        Some(_) => ("stop bad", "✗", "failed"),
    };
    html.element("li").class(class).inside(|html| {
        html.element("span").class("sign").attribute("aria-hidden", "true").text(sign);
        html.element("a").link(&Address::here("generation-", one.number as usize)).text(format!("g{}", one.number));
        html.element("span").class("verdict").text(words);
        if let Some(failed) = one.verdict.as_ref().and_then(|verdict| verdict.failed.first()) {
            html.element("span").class("because").text(&failed.name);
        }
        if let Some(first) = one.versions.split(", ").next() {
            html.element("span").class("version").text(first);
        }
        html.element("span").class("day").text(minute(one.made).get(..10).unwrap_or_default());
        if one.current {
            html.element("span").class("badge").text("current");
        }
    });
}

/// Returns a time without its seconds.
fn minute(seconds: i64) -> String {
    let whole = text::date(seconds);
    whole.get(..16).unwrap_or(&whole).to_owned()
}

fn verdict(html: &mut Html, verdict: Option<&Verdict>) {
    let Some(verdict) = verdict else {
        html.element("span").class("muted").text("not run");
        return;
    };
    let (class, word) = if verdict.has_passed() { ("badge good", "passed") } else { ("badge bad", "failed") };
    html.element("span").class(class).text(format!("{word} on the {}", device(verdict)));
    let not_run = if verdict.not_run > 0 { format!(", {} not run", verdict.not_run) } else { String::new() };
    html.element("span").class("because").text(format!("{} passed{not_run}", verdict.passed));
    for failed in &verdict.failed {
        html.element("p").class("failed").inside(|html| {
            html.element("strong").text(&failed.name);
            html.text(format!(": {}", failed.found));
        });
    }
}

fn changes(html: &mut Html, one: &GenerationFacts) {
    if one.changes.is_empty() {
        return;
    }
    html.element("ul").inside(|html| {
        for line in one.changes.iter().take(CHANGES) {
            html.element("li").text(line.replace(" -> ", " → "));
        }
        let more = one.changes.len().saturating_sub(CHANGES);
        if more > 0 {
            html.element("li").text(format!("and {more} more"));
        }
    });
}
