//! Differences between two values of JSON, by the names of their fields.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Most fields of one value that are compared.
const MOST: usize = 10_000;

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Its name, with those of the tables around it: `cmake.GGML_HIP_GRAPHS`.
    pub field: String,
    /// Its value before; absent if there was none.
    pub from: Option<String>,
    /// Its value after; absent if there is none.
    pub to: Option<String>,
}

/// Compares two values field by field. Lists of words are compared as a whole.
pub(super) fn changed_fields(from: &Value, to: &Value) -> Vec<FieldChange> {
    let (before, after) = (leaves(from), leaves(to));
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let change = |name: &String| {
        let (from, to) = (before.get(name), after.get(name));
        (from != to).then(|| FieldChange { field: name.clone(), from: from.cloned(), to: to.cloned() })
    };
    let mut all: Vec<FieldChange> = names.filter_map(change).collect();
    all.sort_by(|one, other| one.field.cmp(&other.field));
    all
}

fn leaves(value: &Value) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    add(&mut all, String::new(), value);
    all
}

fn add(all: &mut BTreeMap<String, String>, name: String, value: &Value) {
    if all.len() >= MOST {
        return;
    }
    let below = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| add(all, below(key), value)),
        Value::Array(list) if list.iter().any(|one| one.is_object() || one.is_array()) => {
            list.iter().enumerate().for_each(|(index, value)| add(all, below(&(index + 1).to_string()), value));
        }
        Value::Array(list) => {
            all.insert(name, list.iter().map(word).collect::<Vec<_>>().join(", "));
        }
        Value::Null => {}
        other => {
            all.insert(name, word(other));
        }
    }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_that_differ_are_named_with_both_values() {
        let from = json!({ "a": 1, "cmake": { "X": "ON", "Y": "1" }, "roots": ["a", "b"], "edges": [{ "of": "x" }], "n": null });
        let to = json!({ "a": 1, "cmake": { "X": "OFF", "Z": "2" }, "roots": ["a"], "edges": [{ "of": "y" }] });
        let change = |field: &str, from: Option<&str>, to: Option<&str>| FieldChange {
            field: field.to_owned(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        assert_eq!(
            changed_fields(&from, &to),
            [
                change("cmake.X", Some("ON"), Some("OFF")),
                change("cmake.Y", Some("1"), None),
                change("cmake.Z", None, Some("2")),
                change("edges.1.of", Some("x"), Some("y")),
                change("roots", Some("a, b"), Some("a")),
            ]
        );
        assert_eq!(changed_fields(&from, &from), []);
    }
}
