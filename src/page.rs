//! Markdown whose text comes from outside.

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
