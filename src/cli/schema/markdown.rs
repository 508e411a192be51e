//! A schema as a page: a table of the top level's keys, and one for each definition that has keys.

use std::fmt::Write as _;

use serde_json::Value;

/// Returns the page.
pub(super) fn page(schema: &Value) -> String {
    let mut page = format!("# {}\n", text(schema, "title"));
    part(&mut page, schema);
    for (_, definition) in object(schema, "definitions").filter(|(_, definition)| definition.get("title").is_some()) {
        let _ = write!(page, "\n## {}\n", text(definition, "title"));
        part(&mut page, definition);
    }
    page
}

/// Writes a description, its example and the table of its keys.
fn part(page: &mut String, schema: &Value) {
    let _ = write!(page, "\n{}\n", text(schema, "description"));
    for example in schema.get("examples").and_then(Value::as_array).into_iter().flatten() {
        if let Some(example) = example.as_str() {
            let _ = write!(page, "\n```toml\n{}\n```\n", example.trim_end());
        }
    }
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map_or_else(Vec::new, |names| names.iter().filter_map(Value::as_str).collect());
    page.push_str("\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
    for (name, property) in object(schema, "properties") {
        let default = match property.get("default") {
            Some(default) => format!("`{default}`"),
            None if required.contains(&name.as_str()) => "required".to_owned(),
            None => String::new(),
        };
        let row = [format!("`{name}`"), value(property), default, text(property, "description").to_owned()];
        let _ = writeln!(page, "| {} |", row.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
}

/// Describes the values that a property can have.
fn value(property: &Value) -> String {
    if let Some(constant) = property.get("const") {
        return format!("`{constant}`");
    }
    if let Some(choices) = property.get("enum").and_then(Value::as_array) {
        return choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ");
    }
    if let Some(reference) = property.get("$ref").and_then(Value::as_str) {
        return reference.rsplit('/').next().unwrap_or_default().replace('-', " ");
    }
    let kind = |of: &Value| match of.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        Some(Value::String(kind)) => kind.clone(),
        _ => "any".to_owned(),
    };
    match property.get("items") {
        Some(items) if items.get("$ref").is_some() => format!("array of {}", value(items)),
        Some(items) => format!("array of {}s", kind(items)),
        None => kind(property).replace("object", "table"),
    }
}

fn text<'v>(schema: &'v Value, key: &str) -> &'v str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn object<'v>(schema: &'v Value, key: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    schema.get(key).and_then(Value::as_object).into_iter().flatten()
}
