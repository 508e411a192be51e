//! Canonical JSON: two spaces, keys sorted by bytes, final newline.
//!
//! `jq -S .` prints the same text, so that anybody can recompute the digests of it.

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};

/// Returns the canonical text of a value that serializes to JSON.
pub fn canonical(value: &impl Serialize) -> Result<String> {
    let broken = |error: serde_json::Error| Error::failure("cannot write JSON").because(&error);
    let value = serde_json::to_value(value).map_err(broken)?;
    let mut text = serde_json::to_string_pretty(&sorted(value)).map_err(broken)?;
    text.push('\n');
    Ok(text)
}

/// Sorts all keys. serde_json itself sorts maps only if no crate in the build enables `preserve_order`.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_does_not_depend_on_the_order_of_fields() {
        let a = serde_json::json!({"b": [1, {"z": "é\n", "a": {}}], "a": []});
        assert_eq!(
            canonical(&a).unwrap(),
            "{\n  \"a\": [],\n  \"b\": [\n    1,\n    {\n      \"a\": {},\n      \"z\": \"é\\n\"\n    }\n  ]\n}\n"
        );
    }
}
