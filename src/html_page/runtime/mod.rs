//! The runtime: its files as a treemap with the reason for each, and the whole of ROCm with what was left out.
//!
//! The script of the page shows the chain to a file when its tile is chosen. Without it, a tile leads to the row of the
//! file, and each row to that of the file before it in the chain.

mod draw;
mod facts;
mod files;
mod squarify;
#[cfg(test)]
pub(super) mod testing;

use std::collections::{BTreeMap, BTreeSet};

pub use facts::RuntimeFacts;
use facts::{FileFacts, Group};

use super::Told;
use super::facts::Facts;
use super::html::Html;
use super::table::Table;
use crate::text;

const KEPT: Table = Table {
    caption: "What is kept, by reason",
    columns: &["reason", "because", "files", "size"],
    numbers: &["files", "size"],
};
const LEFT_OUT: Table = Table {
    caption: "What was left out, by kind",
    columns: &["left out", "because", "files", "size"],
    numbers: &["files", "size"],
};

/// Most files of all runtimes that are drawn and listed, so that the page stays small.
const MOST_KEPT: usize = 420;
/// Most files that are drawn and listed of what was left out.
const MOST_LEFT_OUT: usize = 120;

pub(super) fn write(facts: &Facts, html: &mut Html) -> Told {
    let runtimes = match &facts.runtimes {
        Ok(all) if all.is_empty() => return Told::missing("The lock has no output of type runtime."),
        Ok(all) => all,
        Err(why) => return Told::missing(why),
    };
    let mut told = Told::default();
    let (mut shown, count) = (0, runtimes.len());
    for (number, (name, runtime)) in runtimes.iter().enumerate() {
        if count > 1 {
            html.element("h3").text(name);
        }
        match runtime {
            Ok(runtime) => {
                write_one(html, &Shown::new(runtime, number, count), &mut told.passed_over);
                shown += 1;
            }
            Err(why) if count > 1 => html.element("p").class("missing").text(why),
            Err(why) => return Told::missing(why),
        }
    }
    if shown == 0 {
        told.missing = Some("No runtime of the lock is realized.".to_owned());
    }
    told
}

/// A file that is shown, with its number among them.
struct Tile<'f> {
    file: &'f FileFacts,
    /// The position of the reason or kind by which it is drawn.
    group: usize,
}

/// The part of a runtime that is drawn and listed. Ids begin with letters that no other runtime has.
struct Shown<'r> {
    runtime: &'r RuntimeFacts,
    number: usize,
    /// Files of ROCm that are kept, the largest first, then those that lead to them, in ROCm or in the build.
    kept: Vec<Tile<'r>>,
    left_out: Vec<Tile<'r>>,
}

impl<'r> Shown<'r> {
    fn new(runtime: &'r RuntimeFacts, number: usize, count: usize) -> Self {
        let tile = |file: &'r FileFacts| Tile { file, group: file.group };
        let most = MOST_KEPT / count.max(1);
        let mut kept: Vec<Tile> = runtime.kept.iter().take(most).map(tile).collect();
        // Chains lead over links, which have no size, and end in the build: without these they would not be chains.
        let all: BTreeMap<&str, &FileFacts> =
            runtime.kept.iter().chain(&runtime.build).map(|file| (file.path.as_str(), file)).collect();
        let mut known: BTreeSet<&str> = kept.iter().map(|tile| tile.file.path.as_str()).collect();
        let mut next = 0;
        while let Some(by) = kept.get(next).filter(|_| kept.len() < 2 * most).map(|tile| tile.file.by.as_deref()) {
            let before = by.and_then(|path| all.get(path)).filter(|file| known.insert(file.path.as_str()));
            kept.extend(before.copied().map(tile));
            next += 1;
        }
        let left_out = runtime.left_out.iter().take(MOST_LEFT_OUT / count.max(1)).map(tile).collect();
        Self { runtime, number, kept, left_out }
    }

    /// Returns the id of a row.
    fn id(&self, kind: &'static str, index: usize) -> String {
        if self.number == 0 { format!("{kind}{index}") } else { format!("{kind}{}-{index}", self.number) }
    }
}

fn write_one(html: &mut Html, shown: &Shown, passed_over: &mut Vec<String>) {
    let runtime = shown.runtime;
    let (kept, full) = (runtime.kept_sum, runtime.full);
    html.element("p").inside(|html| {
        let files = text::counted(kept.files as usize, "file");
        html.element("strong").text(format!("{} in {files}", text::bytes(kept.bytes)));
        let (share, whole) = (percent(kept.bytes, full.bytes), text::counted(full.files as usize, "file"));
        html.text(format!(" of the {} in {whole} that ROCm has: {share}.", text::bytes(full.bytes)));
    });
    html.element("div").class("map").inside(|html| {
        html.element("div").class("legend").inside(|html| {
            for (label, class, bytes) in legend(&runtime.reasons) {
                html.element("span").inside(|html| {
                    html.element("i").class(class).text("");
                    html.text(format!("{label} {}", text::bytes(bytes)));
                });
            }
            html.element("span").inside(|html| {
                html.element("i").class("k-out").text("");
                html.text("left out");
            });
        });
        html.element("h3").text("The runtime, file by file");
        draw::kept(html, shown);
        html.element("div").class("chain").attribute("aria-live", "polite").inside(|html| {
            html.element("p")
                .text("Choose a tile, or go to one with Tab and the arrow keys, to see why its file is there: the way to it from a program.");
        });
        html.element("h3").text("The whole of ROCm: what is kept in colour, what was left out in grey");
        draw::whole(html, shown);
        files::write(html, shown);
    });
    let of_rocm = || shown.kept.iter().map(|tile| tile.file).filter(|file| !file.is_of_build);
    let hidden = runtime.kept.len().saturating_sub(of_rocm().count());
    if hidden > 0 {
        let size = kept.bytes.saturating_sub(of_rocm().filter_map(|file| file.size).sum());
        let (files, size) = (text::counted(hidden, "file"), text::bytes(size));
        passed_over.push(format!("the {files} that are smallest in the runtime, {size} together"));
    }
    let hidden = runtime.left_out.len().saturating_sub(shown.left_out.len());
    if hidden > 0 {
        let files = text::counted(hidden, "file");
        passed_over.push(format!("the {files} that are smallest in what was left out; their sizes are in the sums"));
    }
}

/// Returns label, class and size of each reason that has bytes. Edges, which differ in their words alone, are one.
fn legend(reasons: &[Group]) -> Vec<(&'static str, &'static str, u64)> {
    let mut all: Vec<(&str, &str, u64)> = Vec::new();
    for reason in reasons.iter().filter(|reason| reason.sum.bytes > 0) {
        match all.iter_mut().find(|(label, ..)| *label == reason.label) {
            Some((.., bytes)) => *bytes = bytes.saturating_add(reason.sum.bytes),
            None => all.push((reason.label, reason.class, reason.sum.bytes)),
        }
    }
    all
}

/// Returns a share in percent, in tenths.
fn percent(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// Writes the sums of groups, each row with the id that the rows of files name.
fn sums(html: &mut Html, shown: &Shown, table: &Table, kind: &'static str, groups: &[Group]) {
    table.write(html, |rows| {
        for (index, group) in groups.iter().enumerate() {
            rows.row(Some(&shown.id(kind, index)), |cells| {
                cells.with(|html| {
                    html.element("span").class("chip").inside(|html| {
                        html.element("i").class(group.class).text("");
                        html.text(group.label);
                    });
                });
                cells.text(&group.because);
                cells.number(group.sum.files + group.sum.links);
                cells.number(text::bytes(group.sum.bytes));
            });
        }
    });
}
