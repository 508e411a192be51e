//! Tokens per second by generation, with the noise of the measurement.

use std::collections::BTreeSet;

use super::Told;
use super::chart::{Point, chart};
use super::facts::Facts;
use super::html::Html;
use super::table::Table;
use crate::text;
use crate::validate::{Measured, Row};

const TABLE: Table = Table {
    caption: "Speeds, the newest first",
    columns: &["generation", "validated", "verdict", "tokens/s", "since the one before", "versions"],
    numbers: &["tokens/s", "since the one before"],
};

/// Rows that are drawn and listed of each series.
const SHOWN: usize = 40;

pub(super) fn write(facts: &Facts, html: &mut Html) -> Told {
    let history = match &facts.history {
        Ok(history) => history,
        Err(why) => return Told::missing(why),
    };
    let mut passed_over: Vec<String> =
        history.unreadable.iter().map(|name| format!("the record {name}, which cannot be read")).collect();
    let series = series(&history.rows);
    if series.is_empty() {
        let why = "No validation has measured a speed yet: strixlock validate makes the first.".to_owned();
        return Told { missing: Some(why), passed_over };
    }
    for rows in series {
        let Some(first) = rows.first() else { continue };
        html.element("h3").text(format!(
            "{} on the {}{}",
            first.model,
            first.device.name().to_uppercase(),
            first.processor.as_ref().map(|name| format!(", {name}")).unwrap_or_default()
        ));
        let newest = &rows[rows.len().saturating_sub(SHOWN)..];
        if rows.len() > newest.len() {
            passed_over.push(format!("{} before these", text::counted(rows.len() - newest.len(), "validated lock")));
        }
        let tests: BTreeSet<&String> = newest.iter().flat_map(|row| row.speeds.keys()).collect();
        html.element("div").class("charts").inside(|html| {
            for test in tests {
                drawing(html, test, newest);
            }
        });
    }
    Told { missing: None, passed_over }
}

/// Returns the rows by what is comparable, each the oldest first, without rows that measured nothing.
fn series(rows: &[Row]) -> Vec<Vec<&Row>> {
    let mut all: Vec<Vec<&Row>> = Vec::new();
    for row in rows.iter().filter(|row| !row.speeds.is_empty()) {
        match all.iter_mut().find(|rows| rows.first().is_some_and(|first| first.is_comparable(row))) {
            Some(rows) => rows.push(row),
            None => all.push(vec![row]),
        }
    }
    all
}

fn drawing(html: &mut Html, test: &str, rows: &[&Row]) {
    let measured: Vec<(&Row, Measured)> = rows.iter().filter_map(|row| Some((*row, *row.speeds.get(test)?))).collect();
    let points: Vec<Point> = measured.iter().map(|(row, speed)| point(row, *speed)).collect();
    let name = in_words(test);
    html.element("figure").inside(|html| {
        html.element("figcaption").inside(|html| {
            html.element("strong").text(&name);
            html.text(" tokens per second");
        });
        chart(html, &format!("{name}: tokens per second by generation"), &points);
        html.element("details").inside(|html| {
            html.element("summary").text("As a table");
            TABLE.write(html, |rows| {
                for (index, (row, speed)) in measured.iter().enumerate().rev() {
                    let before = index.checked_sub(1).and_then(|index| measured.get(index));
                    rows.row(None, |cells| {
                        cells.text(generation(row));
                        cells.line(text::date(row.time).get(..10).unwrap_or_default());
                        cells.with(|html| verdict(html, row));
                        cells.number(format!("{:.1} ± {:.1}", speed.speed, speed.noise));
                        cells.number(before.map(|(_, before)| speed.change(*before)).unwrap_or_default());
                        cells.text(versions(row));
                    });
                }
            });
        });
    });
}

fn verdict(html: &mut Html, row: &Row) {
    let failed = row.failed.join(", ");
    if failed.is_empty() {
        html.element("span").class("badge good").text("passed");
    } else {
        html.element("span").class("badge bad").text(format!("failed: {failed}"));
    }
}

fn point(row: &Row, speed: Measured) -> Point {
    let nightly = row.versions.values().find_map(|version| brief(version)).unwrap_or_default();
    let verdict = if row.failed.is_empty() { "passed" } else { "failed" };
    let about = format!("{}: {:.1} ± {:.1}, {verdict}, {}", generation(row), speed.speed, speed.noise, versions(row));
    Point {
        labels: [generation(row), nightly],
        value: speed.speed,
        noise: speed.noise,
        failed: !row.failed.is_empty(),
        about,
    }
}

fn generation(row: &Row) -> String {
    row.generation.map_or_else(|| row.lock.hex()[..8].to_owned(), |number| format!("g{number}"))
}

fn versions(row: &Row) -> String {
    row.versions.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
}

/// Returns month and day of a version with a date in it: `09-01` of `10.1.0a20260901`.
fn brief(version: &str) -> Option<String> {
    let mut runs = version.split(|c: char| !c.is_ascii_digit());
    let date = runs.find(|run| run.len() == 8 && run.starts_with("20"))?;
    let (month, day) = (date.get(4..6)?, date.get(6..8)?);
    let fits = (1..=12).contains(&month.parse::<u8>().ok()?) && (1..=31).contains(&day.parse::<u8>().ok()?);
    fits.then(|| format!("{month}-{day}"))
}

/// Describes a test of llama-bench: `pp128` and `tg32`.
fn in_words(test: &str) -> String {
    let count = |mark: &str| test.strip_prefix(mark).filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    match (count("pp"), count("tg")) {
        (Some(count), _) => format!("Reading a prompt of {count} tokens ({test}):"),
        (_, Some(count)) => format!("Generating {count} tokens ({test}):"),
        _ => format!("{test}:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nightly_is_called_by_its_day() {
        assert_eq!(brief("10.1.0a20260901").as_deref(), Some("09-01"));
        assert_eq!(brief("10.1.0a20260827+bkc.20260830").as_deref(), Some("08-27"));
        for version in ["b8", "20261399", "12345678", "", "ä20260901é1"] {
            assert_eq!(
                brief(version),
                if version.starts_with('ä') { Some("09-01".to_owned()) } else { None },
                "{version}"
            );
        }
    }

    #[test]
    fn tests_of_llama_bench_have_words() {
        assert_eq!(in_words("pp128"), "Reading a prompt of 128 tokens (pp128):");
        assert_eq!(in_words("tg32"), "Generating 32 tokens (tg32):");
        assert_eq!(in_words("pp8+tg4"), "pp8+tg4:");
    }
}
