//! Text for others: Markdown and shell scripts with values from outside.

pub mod script;

use std::fmt::Write as _;

/// Writes a list item: a label, and the value as code.
pub fn fact(page: &mut String, label: &str, value: &str) {
    // Nothing in a value may end the code span or the line.
    let value: String = value.chars().map(|c| if c == '`' || c.is_control() { '?' } else { c }).collect();
    let _ = writeln!(page, "- {label}: `{value}`");
}

/// Writes commands for a shell.
pub fn commands(page: &mut String, lines: &[&str]) {
    let _ = writeln!(page, "\n```sh\n{}\n```", lines.join("\n"));
}

/// Returns the commands that [`commands`] wrote, a block at a time.
pub fn blocks(page: &str) -> impl Iterator<Item = &str> {
    page.split("\n```sh\n").skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0))
}

/// Escapes text for a table or heading. Names and versions come from outside, and must not be read as Markdown.
#[must_use]
pub fn cell(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).fold(String::new(), |mut out, c| {
        if matches!(c, '|' | '`' | '<' | '>' | '[' | ']' | '*' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

/// The cell of an empty list of values.
const NOTHING: &str = "nothing";
/// The code of an empty value.
const EMPTY: &str = r"\e";

/// Returns values as code for a cell of a table. [`values`] reads them back.
#[must_use]
pub fn codes(values: &[String]) -> String {
    if values.is_empty() {
        return NOTHING.to_owned();
    }
    values.iter().map(|value| format!("`{}`", escaped(value))).collect::<Vec<_>>().join(", ")
}

/// Reads values that [`codes`] wrote.
#[must_use]
pub fn values(cell: &str) -> Option<Vec<String>> {
    if cell == NOTHING {
        return Some(Vec::new());
    }
    cell.strip_prefix('`')?.strip_suffix('`')?.split("`, `").map(plain).collect()
}

/// Escapes what would end a code span, a cell or a line, and what a reader does not see.
fn escaped(value: &str) -> String {
    if value.is_empty() {
        return EMPTY.to_owned();
    }
    value.chars().fold(String::new(), |mut out, c| {
        match c {
            '\\' => out.push_str(r"\\"),
            '`' | '|' => out.extend(c.escape_unicode()),
            ' '..='~' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
        out
    })
}

/// Reads what [`escaped`] wrote. Returns `None` for any other text.
fn plain(code: &str) -> Option<String> {
    if code == EMPTY {
        return Some(String::new());
    }
    let mut rest = code.chars();
    let mut out = String::new();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match rest.next()? {
            '\\' => '\\',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '0' => '\0',
            'u' => {
                let (digits, after) = rest.as_str().strip_prefix('{')?.split_once('}')?;
                rest = after.chars();
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
            }
            _ => return None,
        });
    }
    (escaped(&out) == code).then_some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_come_back_from_a_cell_and_stay_in_it(all in prop::collection::vec("\\PC*|[\\\\`|\n\r\t\u{1b}\u{2028}]*", 0..4)) {
            let cell = codes(&all);
            prop_assert!(!cell.chars().any(|c| c.is_control() || c == '|' || c == '\u{2028}'), "{cell}");
            prop_assert_eq!(cell.matches('`').count(), 2 * all.len());
            prop_assert_eq!(values(&cell), Some(all));
        }
    }

    #[test]
    fn other_text_is_not_read_as_values() {
        for cell in ["", "x", "`x", "`a`b`", r"`\q`", r"`\u{41}`", r"`\u{110000}`", "`x` and more"] {
            assert_eq!(values(cell), None, "{cell}");
        }
    }
}
