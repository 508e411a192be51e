//! One line of `.toolbox.env`, parsed like a shell would, or an error if that is ambiguous.

use crate::error::{Error, Kind, Result};
use crate::text::visible;

/// Characters that separate words in a shell.
const BLANK: [char; 2] = [' ', '\t'];

/// Returns name and value of a setting, or `None` for an empty line or a comment. Messages name the line by `place`.
pub(super) fn setting<'t>(line: &'t str, place: &str) -> Result<Option<(&'t str, &'t str)>> {
    let line = line.trim_matches(BLANK);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let exported = line.strip_prefix("export").filter(|rest| rest.starts_with(BLANK));
    let line = exported.map_or(line, |rest| rest.trim_start_matches(BLANK));
    let (name, value) = line.split_once('=').ok_or_else(|| invalid(place, "expected NAME=value"))?;
    if !is_name(name) {
        return Err(invalid(place, "invalid name of a setting")
            .fact("found", visible(name))
            .hint("NAME=value, without spaces around `=`"));
    }
    Ok(Some((name, value_of(value, place)?)))
}

/// Returns true for the name of a shell variable.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn value_of<'t>(text: &'t str, place: &str) -> Result<&'t str> {
    let quoted = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.split_once(quote));
    let (value, rest, literal) = if let Some((value, rest)) = quoted('\'') {
        (value, rest, true)
    } else if let Some((value, rest)) = quoted('"') {
        (value, rest, false)
    } else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        (&text[..end], &text[end..], false)
    };
    if value.chars().any(char::is_control) {
        return Err(invalid(place, "control character in the value"));
    }
    if (!literal && value.contains(['$', '`', '\\', ';', '&', '|', '<', '>', '(', ')'])) || value.contains(['\'', '"'])
    {
        return Err(invalid(place, "a shell would expand or run this value")
            .fact("value", value)
            .hint("write the literal value, or put it in single quotes"));
    }
    // A `#` begins a comment only after a space. Otherwise it is part of the word.
    let behind = rest.trim_matches(BLANK);
    let comment = behind.starts_with('#') && rest.starts_with(BLANK);
    if !behind.is_empty() && !comment {
        return Err(invalid(place, "unexpected text after the value").fact("found", visible(behind)));
    }
    Ok(value)
}

/// Returns an error about a line.
pub(super) fn invalid(place: &str, message: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, message).about(place)
}
