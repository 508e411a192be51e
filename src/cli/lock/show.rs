//! `strixlock lock show`

use serde_json::{Map, Value, json};

use crate::cli::table::{Column, Table};
use crate::cli::{Session, Ui};
use crate::error::{Error, Kind, Result};
use crate::lock::{Lock, LockedOutput};
use crate::realize::short_version;
use crate::suggest::suggest;
use crate::text;

/// Show the pins of the lock, or one of its blocks, as a person reads it
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Input or output to show with everything that is locked of it
    name: Option<String>,
}

pub fn run(args: &ShowArgs, session: &Session) -> Result<u8> {
    let (ui, lock) = (&session.ui, session.lock()?);
    let Some(name) = &args.name else {
        return all(ui, lock, session.now).map(|()| 0);
    };
    // An output often has the name of its input: the block of the output is short, and is shown below.
    let (input, output) = (lock.inputs.get(name), lock.outputs.get(name));
    if input.is_none() && output.is_none() {
        let names = lock.inputs.keys().chain(lock.outputs.keys()).map(String::as_str);
        return Err(
            Error::new(Kind::NotFound, format!("the lock has no input or output `{name}`")).hint(suggest(name, names))
        );
    }
    let (input, output) = (input.map(to_value).transpose()?, output.map(output_value).transpose()?);
    if ui.is_json() {
        ui.json(json!({ "name": name, "input": input, "output": output }));
        return Ok(0);
    }
    for (what, block) in [("input", input), ("output", output)] {
        let Some(block) = block else { continue };
        ui.line(format!("{what} {name}"));
        let mut table = Table::new([Column::word(""), Column::text("")]);
        for (key, value) in facts(&block) {
            table.row([format!("  {key}"), value]);
        }
        ui.table(&table);
    }
    Ok(0)
}

/// Shows a row for each pin and each output.
fn all(ui: &Ui, lock: &Lock, now: i64) -> Result<()> {
    if ui.is_json() {
        let inputs = lock.inputs.iter().map(|(name, input)| Ok((name.clone(), to_value(input)?)));
        let outputs = lock.outputs.iter().map(|(name, output)| Ok((name.clone(), output_value(output)?)));
        let (inputs, outputs) = (inputs.collect::<Result<Map<_, _>>>()?, outputs.collect::<Result<Map<_, _>>>()?);
        ui.json(json!({ "inputs": inputs, "outputs": outputs }));
        return Ok(());
    }
    let mut table = Table::new([
        Column::name("input"),
        Column::word("type"),
        Column::text("version"),
        Column::word("made").spare(),
        Column::number("age"),
        Column::number("size").spare(),
    ]);
    for (name, input) in &lock.inputs {
        let made = input.day();
        table.row([
            name.clone(),
            input.kind().name().to_owned(),
            input.version(),
            made.map(|day| day.to_string()).unwrap_or_default(),
            made.map(|day| text::age(day, now)).unwrap_or_default(),
            text::bytes(input.size()),
        ]);
    }
    ui.table(&table);
    let mut table =
        Table::new([Column::name("output"), Column::word("type"), Column::text("version"), Column::word("tree")]);
    for (name, output) in lock.ordered().into_iter().filter_map(|name| lock.outputs.get_key_value(name)) {
        let tree = output.tree.map_or_else(|| "not sealed".to_owned(), |tree| tree.hex()[..12].to_owned());
        table.row([name.clone(), output.recipe.kind().to_owned(), short_version(lock, name), tree]);
    }
    if !table.is_empty() {
        ui.line("");
        ui.table(&table);
    }
    Ok(())
}

fn to_value(block: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(block).map_err(|error| Error::failure("cannot print a block of the lock").because(&error))
}

fn output_value(output: &LockedOutput) -> Result<Value> {
    Ok(json!({
        "recipe": to_value(&output.recipe)?,
        "derivation": output.derivation,
        "tree": output.tree,
    }))
}

/// Returns the facts of a block, as key and value.
fn facts(block: &Value) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    collect("", block, &mut rows);
    rows
}

fn collect(key: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                // What the pin has is the usual thing, and needs no prefix.
                let inner = if key.is_empty() || matches!(key, "locked" | "recipe") {
                    name.clone()
                } else {
                    format!("{key}.{name}")
                };
                collect(&inner, value, rows);
            }
        }
        Value::Array(items) if items.is_empty() => {}
        Value::Array(items) => {
            let shown: Vec<String> = items.iter().map(item).collect();
            rows.push((key.to_owned(), shown.join(", ")));
        }
        scalar => rows.push((key.to_owned(), said(key, scalar))),
    }
}

/// Returns an element of a list in few words: name and version of a package, path of a file.
fn item(value: &Value) -> String {
    let words: Vec<&str> =
        ["name", "path", "version", "digest"].iter().filter_map(|field| value.get(field)?.as_str()).take(2).collect();
    if words.is_empty() { said("", value) } else { text::visible(&words.join(" ")) }
}

/// Returns a value as a person reads it: sizes with a unit, times as dates.
fn said(key: &str, value: &Value) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    match (last, value, value.as_u64(), value.as_i64()) {
        ("size", _, Some(bytes), _) => format!("{bytes} bytes ({})", text::bytes(bytes)),
        ("time" | "mtime" | "date", _, _, Some(seconds)) => text::date(seconds),
        (_, Value::String(text), ..) => text::visible(text),
        (_, other, ..) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_line_by_line() {
        let block = json!({
            "type": "debs",
            "requested": { "version": "latest", "sources": [] },
            "locked": {
                "size": 1_963_679_628_u64,
                "mtime": 315_532_800,
                "tree": { "entries": 3 },
                "packages": [{ "name": "a", "version": "1", "size": 3 }, { "name": "b", "version": "2" }],
                "urls": ["https://a.example/x", "https://b.example/\u{1b}[2Jx"],
            },
        });
        let rows = facts(&block);
        let of = |key: &str| rows.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        assert_eq!(of("size"), Some("1963679628 bytes (1.96 GB)"));
        assert_eq!(of("mtime"), Some("1980-01-01 00:00:00 UTC"));
        assert_eq!(of("tree.entries"), Some("3"));
        assert_eq!(of("packages"), Some("a 1, b 2"));
        assert_eq!(of("urls"), Some("https://a.example/x, https://b.example/x"));
        assert_eq!((of("requested.version"), of("requested.sources")), (Some("latest"), None));
    }
}
