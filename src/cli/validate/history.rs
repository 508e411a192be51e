//! `strixlock validate --history`

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::Ui;
use crate::cli::table::{Column, Table};
use crate::error::{Error, Result};
use crate::text;
use crate::validate::{History, Measured, Row, history, track};

/// Cells of the drawing of a speed.
const WIDTH: usize = 24;

/// Shows the history of a project.
pub(super) fn show(ui: &Ui, directory: &Path) -> Result<()> {
    let History { rows, unreadable } = history(directory)?;
    for name in &unreadable {
        ui.warning(&format!("passed over, since it cannot be read: {}", directory.join(name).display()));
    }
    if ui.is_json() {
        let rows = rows.iter().map(to_json).collect::<Result<Vec<_>>>()?;
        ui.json(json!({ "history": rows, "unreadable": unreadable }));
        return Ok(());
    }
    if rows.is_empty() {
        ui.note("there are no validations yet: `strixlock validate` makes the first");
        return Ok(());
    }
    let several = |of: fn(&Row) -> String| rows.iter().any(|row| rows.first().map(of) != Some(of(row)));
    let with_model = several(|row| row.model.clone());
    let mut table = Table::new([
        Column::number("generation"),
        Column::word("validated"),
        Column::word("device"),
        Column::text("verdict"),
        Column::number("tokens/s"),
        Column::word("slower to faster").spare(),
        Column::text("versions"),
        Column::name("model").spare(),
    ]);
    for row in &rows {
        let speed = generation_speed(row);
        let versions = row.versions.iter().map(|(name, version)| format!("{name} {version}"));
        table.row([
            row.generation.map_or_else(|| row.lock.hex()[..8].to_owned(), |number| number.to_string()),
            text::date(row.time).get(..10).unwrap_or_default().to_owned(),
            row.device.name().to_owned(),
            if row.failed.is_empty() { "passed".to_owned() } else { format!("failed: {}", row.failed.join(", ")) },
            speed.map(|one| format!("{:.1} ± {:.1}", one.speed, one.noise)).unwrap_or_default(),
            speed.map(|one| track(one, extremes(row, &rows), WIDTH)).unwrap_or_default(),
            versions.collect::<Vec<_>>().join(", "),
            if with_model { row.model.clone() } else { String::new() },
        ]);
    }
    ui.table(&table);
    if several(|row| format!("{:?}", row.processor)) {
        ui.line("rows of several machines: each is drawn beside those of its own");
    }
    Ok(())
}

/// Returns the speed of generating alone, which people feel.
fn generation_speed(row: &Row) -> Option<Measured> {
    row.speeds.iter().find(|(test, _)| test.starts_with("tg")).map(|(_, speed)| *speed)
}

/// Returns the least and the greatest speed, with their noise, of all rows that compare with one.
fn extremes(of: &Row, rows: &[Row]) -> (f64, f64) {
    let all = rows.iter().filter(|row| row.is_comparable(of)).filter_map(generation_speed);
    all.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), one| {
        (least.min(one.speed - one.noise), greatest.max(one.speed + one.noise))
    })
}

fn to_json(row: &Row) -> Result<Value> {
    let mut value =
        serde_json::to_value(row).map_err(|error| Error::failure("cannot print the history").because(&error))?;
    if let Some(map) = value.as_object_mut() {
        map.insert("time".to_owned(), text::rfc3339(row.time).into());
        map.insert("passed".to_owned(), row.failed.is_empty().into());
    }
    Ok(value)
}
