//! The files of a runtime as tables, each row with the row of the file before it in the chain.

use std::collections::BTreeMap;

use super::{KEPT, LEFT_OUT, Shown, Tile, sums};
use crate::html_page::html::{Address, Html};
use crate::text;

pub(super) fn write(html: &mut Html, shown: &Shown) {
    let runtime = shown.runtime;
    html.element("details").inside(|html| {
        html.element("summary").text("Sums by reason");
        sums(html, shown, &KEPT, "r", &runtime.rules);
        sums(html, shown, &LEFT_OUT, "q", &runtime.kinds);
    });
    let places: BTreeMap<&str, usize> =
        shown.kept.iter().enumerate().map(|(index, tile)| (tile.file.path.as_str(), index)).collect();
    list(
        html,
        "The files of the runtime, and those of the build that lead to them",
        &["path", "size", "reason", "because of"],
        |html| {
            for (index, tile) in shown.kept.iter().enumerate() {
                let by = tile.file.by.as_deref();
                let by = by.map(|path| (path, places.get(path).copied()));
                row(html, shown, ("f", "r", index), tile, by);
            }
        },
    );
    list(html, "The largest files that were left out", &["path", "size", "kind"], |html| {
        for (index, tile) in shown.left_out.iter().enumerate() {
            row(html, shown, ("o", "q", index), tile, None);
        }
    });
}

/// Writes a folded table that scrolls on narrow screens.
fn list(html: &mut Html, title: &'static str, heads: &[&str], rows: impl FnOnce(&mut Html)) {
    html.element("details").class("files").inside(|html| {
        html.element("summary").text(title);
        html.element("div")
            .class("scroll")
            .attribute("tabindex", "0")
            .attribute("role", "region")
            .attribute("aria-label", title)
            .inside(|html| {
                html.element("table").inside(|html| {
                    html.element("thead").inside(|html| {
                        html.element("tr").inside(|html| {
                            for head in heads {
                                html.element("th").attribute("scope", "col").text(head);
                            }
                        });
                    });
                    html.element("tbody").inside(rows);
                });
            });
    });
}

/// Writes a row. `by` is the file before it in the chain, with its number if it is listed.
fn row(
    html: &mut Html,
    shown: &Shown,
    (kind, of_group, index): (&'static str, &'static str, usize),
    tile: &Tile,
    by: Option<(&str, Option<usize>)>,
) {
    let (id, group) = (shown.id(kind, index), shown.id(of_group, tile.file.rule));
    let groups = if of_group == "r" { &shown.runtime.rules } else { &shown.runtime.kinds };
    let label = groups.get(tile.file.rule).map(|group| group.label).unwrap_or_default();
    let row = html.element("tr").attribute("id", &id).attribute("data-why", &group);
    let row = match by.and_then(|(_, place)| place) {
        Some(place) => row.attribute("data-by", shown.id(kind, place)),
        None => row,
    };
    row.inside(|html| {
        html.element("td").attribute("id", format!("{id}n")).text(&tile.file.path);
        html.element("td").class("number").text(tile.file.size.map_or_else(|| "link".to_owned(), text::bytes));
        html.element("td").inside(|html| html.element("a").link(&Address::Here(group)).text(label));
        if of_group == "r" {
            html.element("td").inside(|html| match by {
                Some((path, Some(place))) => {
                    html.element("a").link(&Address::Here(shown.id(kind, place))).text(path);
                }
                Some((path, None)) => html.text(path),
                None => html.text("nothing: it is a beginning"),
            });
        }
    });
}
