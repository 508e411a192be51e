//! Text in columns of the terminal: its width, the loss of its middle, and lines of it.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Sign for what was left out.
const LEFT_OUT: char = '…';

/// Returns the number of columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Returns the text in at most `most` columns: without its middle, if it is longer.
pub fn without_middle(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(1);
    let beginning = beginning(text, room.div_ceil(2));
    let end = ending(text, room - width(beginning));
    format!("{beginning}{LEFT_OUT}{end}")
}

/// Returns the lines of a text, broken at blanks. A word that is longer than a line is cut.
pub fn wrapped(text: &str, most: usize) -> Vec<String> {
    let (most, mut lines, mut line) = (most.max(1), Vec::new(), String::new());
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && width(&line) + 1 + width(word) > most {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        let mut rest = word;
        while width(rest) > most {
            let part = beginning(rest, most);
            // A sign that is wider than the line.
            let part = if part.is_empty() { &rest[..rest.chars().next().map_or(0, char::len_utf8)] } else { part };
            lines.push(part.to_owned());
            rest = &rest[part.len()..];
        }
        line.push_str(rest);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Returns the longest beginning of a text in at most `most` columns.
fn beginning(text: &str, most: usize) -> &str {
    let mut taken = 0;
    let end = text.char_indices().find(|(_, sign)| {
        taken += sign.width().unwrap_or(0);
        taken > most
    });
    end.map_or(text, |(at, _)| &text[..at])
}

/// Returns the longest end of a text in at most `most` columns.
fn ending(text: &str, most: usize) -> &str {
    let mut taken = 0;
    let begin = text.char_indices().rev().find(|(_, sign)| {
        taken += sign.width().unwrap_or(0);
        taken > most
    });
    begin.map_or(text, |(at, sign)| &text[at + sign.len_utf8()..])
}
