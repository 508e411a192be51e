//! The evidence: how sure each thing is, and the commands that repeat it.

use super::Told;
use super::facts::Facts;
use super::html::{Html, id};
use super::summary::device;
use super::table::{Rows, Table};
use crate::report::{TREE_DIGEST_SCRIPT, evidence};

const TABLE: Table =
    Table { caption: "Evidence", columns: &["thing", "what is claimed", "how sure", "to repeat it"], numbers: &[] };

/// Lines of commands that are shown without a click.
const SHORT: usize = 3;

pub(super) fn write(facts: &Facts, html: &mut Html) -> Told {
    let locked = match &facts.locked {
        Ok(locked) => locked,
        Err(why) => return Told::missing(why),
    };
    TABLE.write(html, |rows| {
        for (number, one) in evidence(locked.lock, locked.known).into_iter().enumerate() {
            rows.row(Some(&id("evidence-", number)), |cells| {
                cells.with(|html| {
                    html.text(&one.name);
                    html.element("span").class("kind").text(one.kind);
                });
                cells.text(one.claim);
                cells.with(|html| {
                    html.element("span").class(if one.is_repeated { "badge good" } else { "badge" }).text(&one.sure);
                    if one.is_of_one_machine {
                        html.element("span").class("badge warning").text("holds for one machine only");
                    }
                });
                cells.with(|html| commands(html, &one.commands));
            });
        }
        validation(facts, rows);
    });
    html.element("details").inside(|html| {
        html.element("summary").text("tree_digest, the function for bash that some commands use");
        lines(html, TREE_DIGEST_SCRIPT.lines());
    });
    Told::default()
}

/// Writes the row of the current generation's validation.
fn validation(facts: &Facts, rows: &mut Rows) {
    let Some(current) = facts.generations.iter().flatten().find(|one| one.current) else { return };
    rows.row(None, |cells| {
        cells.with(|html| {
            html.text(format!("generation {}", current.number));
            html.element("span").class("kind").text("validation");
        });
        cells.text("its programs compute rightly on this machine");
        cells.with(|html| match &current.verdict {
            None => html.element("span").class("badge").text("not run"),
            Some(verdict) => {
                let (class, word) =
                    if verdict.has_passed() { ("badge good", "passed") } else { ("badge bad", "failed") };
                html.element("span").class(class).text(format!("{word} on the {}", device(verdict)));
            }
        });
        cells.with(|html| lines(html, ["strixlock validate"].into_iter()));
    });
}

/// Writes commands, folded if they are many.
fn commands(html: &mut Html, all: &[String]) {
    let count = all.iter().map(|one| one.lines().count()).sum::<usize>();
    let write = |html: &mut Html| lines(html, all.iter().flat_map(|one| one.lines()));
    if count <= SHORT {
        write(html);
        return;
    }
    html.element("details").inside(|html| {
        html.element("summary").text(format!("{count} lines"));
        write(html);
    });
}

/// Writes lines as code. Each is an element of its own, since a line end inside text would be replaced.
fn lines<'l>(html: &mut Html, all: impl Iterator<Item = &'l str>) {
    html.element("div").class("commands").attribute("tabindex", "0").inside(|html| {
        for line in all {
            html.element("code").text(line);
        }
    });
}
