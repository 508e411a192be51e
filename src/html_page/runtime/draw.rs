//! The treemaps. Each is drawn twice, for wide and for narrow windows, since text in a drawing shrinks with it.

use super::squarify::{Area, squarify};
use super::{Group, Shown, Tile};
use crate::html_page::html::{Address, Html};
use crate::text;

/// A size in which a treemap is drawn, and its class.
struct Canvas {
    class: &'static str,
    width: f64,
    height: f64,
}

const CANVASES: [Canvas; 2] = [
    Canvas { class: "treemap wide", width: 1160.0, height: 500.0 },
    Canvas { class: "treemap narrow", width: 360.0, height: 620.0 },
];

/// The height of a group's heading, and the widths of a letter in a tile and of one in a heading: those of a wide font.
const HEAD: f64 = 17.0;
const LETTER: f64 = 6.7;
const BOLD: f64 = 7.9;
/// The least width and height of a tile with a label, and the least area of one that is drawn.
const LABELLED: (f64, f64) = (44.0, 15.0);
const DRAWN: f64 = 2.0;

/// Draws the files that are kept, by reason.
pub(super) fn kept(html: &mut Html, shown: &Shown) {
    let groups: Vec<(&Group, Vec<(usize, &Tile)>)> = by_group(&shown.runtime.reasons, &shown.kept);
    for canvas in &CANVASES {
        treemap(html, canvas, "The files of the runtime by size and reason", |html, area| {
            let sizes: Vec<u64> = groups.iter().map(|(group, _)| group.sum.bytes).collect();
            for ((group, tiles), area) in groups.iter().zip(squarify(&sizes, area)) {
                let inner = heading(html, area, &group_label(group));
                files(html, shown, "f", group, tiles, inner);
            }
        });
    }
}

/// Draws the whole tree: each reason as one tile, and the files that were left out by kind.
pub(super) fn whole(html: &mut Html, shown: &Shown) {
    let runtime = shown.runtime;
    let left_out: Vec<(&Group, Vec<(usize, &Tile)>)> = by_group(&runtime.kinds, &shown.left_out);
    let out: u64 = runtime.kinds.iter().map(|kind| kind.sum.bytes).sum();
    for canvas in &CANVASES {
        treemap(html, canvas, "The whole of ROCm: the runtime, and what was left out", |html, area| {
            let parts = [runtime.kept_sum.bytes, out];
            // The larger part first.
            let order = if parts[0] >= parts[1] { [0, 1] } else { [1, 0] };
            let areas = squarify(&order.map(|part| parts[part]), area);
            for (part, area) in order.into_iter().zip(areas) {
                if part == 0 {
                    let inner = heading(html, area, &format!("runtime {}", text::bytes(parts[0])));
                    reasons(html, shown, inner);
                    continue;
                }
                let inner = heading(html, area, &format!("left out {}", text::bytes(parts[1])));
                let sizes: Vec<u64> = left_out.iter().map(|(group, _)| group.sum.bytes).collect();
                for ((group, tiles), area) in left_out.iter().zip(squarify(&sizes, inner)) {
                    let inner = heading(html, area, &group_label(group));
                    files(html, shown, "o", group, tiles, inner);
                }
            }
        });
    }
}

/// Draws each reason as one tile, which leads to the sums of its rule.
fn reasons(html: &mut Html, shown: &Shown, area: Area) {
    let (reasons, rules) = (&shown.runtime.reasons, &shown.runtime.rules);
    let sizes: Vec<u64> = reasons.iter().map(|reason| reason.sum.bytes).collect();
    for (reason, area) in reasons.iter().zip(squarify(&sizes, area)) {
        let of = rules.iter().position(|rule| (rule.label, &rule.because) == (reason.label, &reason.because));
        let id = of.map(|rule| shown.id("r", rule));
        tile(html, id.as_deref(), id.as_deref().unwrap_or_default(), reason.class, area, reason.label);
    }
}

fn treemap(html: &mut Html, canvas: &Canvas, title: &str, draw: impl FnOnce(&mut Html, Area)) {
    let Canvas { class, width, height } = canvas;
    let svg = html.element("svg").class(class).attribute("viewBox", format!("0 0 {width} {height}"));
    svg.attribute("role", "group").attribute("aria-label", title).inside(|html| {
        draw(html, Area { x: 0.0, y: 0.0, width: *width, height: *height });
    });
}

/// Returns the groups that have bytes, each with its tiles and their numbers.
fn by_group<'s>(groups: &'s [Group], tiles: &'s [Tile<'s>]) -> Vec<(&'s Group, Vec<(usize, &'s Tile<'s>)>)> {
    let of = |place: usize| {
        let mine = tiles.iter().enumerate().filter(move |(_, tile)| tile.group == place && !tile.file.is_of_build);
        mine.collect::<Vec<_>>()
    };
    let filled = groups.iter().enumerate().filter(|(_, group)| group.sum.bytes > 0);
    filled.map(|(place, group)| (group, of(place))).collect()
}

fn group_label(group: &Group) -> String {
    format!("{} {}", group.label, text::bytes(group.sum.bytes))
}

/// Draws the heading of a group if there is room, and returns the area below it.
fn heading(html: &mut Html, area: Area, label: &str) -> Area {
    if area.width < LABELLED.0 || area.height < 2.5 * HEAD {
        return area.inset(0.0, 1.0);
    }
    let fitted = fit(label, area.width - 6.0, BOLD);
    html.element("text").class("head").number("x", area.x + 4.0).number("y", area.y + 12.5).text(fitted);
    area.inset(HEAD, 1.0)
}

/// Draws the files of a group, and the rest of it as one tile.
fn files(html: &mut Html, shown: &Shown, kind: &'static str, group: &Group, tiles: &[(usize, &Tile)], area: Area) {
    let size = |tile: &Tile| tile.file.size.unwrap_or(0);
    let rest = group.sum.bytes.saturating_sub(tiles.iter().map(|(_, tile)| size(tile)).sum());
    let mut all: Vec<(u64, Option<&(usize, &Tile)>)> = tiles.iter().map(|one| (size(one.1), Some(one))).collect();
    all.push((rest, None));
    all.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let sizes: Vec<u64> = all.iter().map(|(size, _)| *size).collect();
    for ((_, one), area) in all.into_iter().zip(squarify(&sizes, area)) {
        let Some((index, one)) = one else {
            tile(html, None, "", group.class, area, "smaller files");
            continue;
        };
        let id = shown.id(kind, *index);
        let name = one.file.path.rsplit('/').next().unwrap_or_default();
        tile(html, Some(&id), &format!("{id}n"), group.class, area, name);
    }
}

/// Draws a tile that leads to the row with an id. `name` is the id of the element with its name.
fn tile(html: &mut Html, id: Option<&str>, name: &str, class: &'static str, area: Area, label: &str) {
    if area.width * area.height < DRAWN {
        return;
    }
    let draw = |html: &mut Html| {
        let rect = html.element("rect").class(class).number("x", area.x).number("y", area.y);
        rect.number("width", area.width).number("height", area.height).alone();
        if area.width >= LABELLED.0 && area.height >= LABELLED.1 {
            let fitted = fit(label, area.width - 7.0, LETTER);
            html.element("text").number("x", area.x + 4.0).number("y", area.y + 12.5).text(fitted);
        }
    };
    match id {
        Some(id) => {
            let link = html.element("a").link(&Address::Here(id.to_owned()));
            link.attribute("aria-labelledby", name).inside(draw);
        }
        None => html.element("g").inside(draw),
    }
}

/// Fits a label into a width. One that is too long loses its middle: names of kernels differ at their ends.
fn fit(label: &str, width: f64, letter: f64) -> String {
    let most = (width / letter).max(0.0) as usize;
    let count = label.chars().count();
    if count <= most {
        return label.to_owned();
    }
    if most < 4 {
        return String::new();
    }
    let beginning = (most - 1) / 2;
    let end = label.chars().skip(count - (most - 1 - beginning));
    label.chars().take(beginning).chain(['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_label_loses_its_middle() {
        let of = |label: &str, letters: u32| fit(label, f64::from(letters) * LETTER + 0.1, LETTER);
        assert_eq!(of("librocblas.so.5", 15), "librocblas.so.5");
        assert_eq!(of("librocblas.so.5", 8), "lib…so.5");
        assert_eq!(of("äöüäöü", 4), "ä…öü");
        assert_eq!(of("librocblas.so.5", 3), "");
    }
}
