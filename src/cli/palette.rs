//! The palette: one style for each kind of word, in errors, notes, progress, help and results alike.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::builder::Styles;

/// Style of `error:` and of what it points at.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Style of `warning:`.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Style of `hint:`, and of what can be typed.
pub const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// Style of headings, marks and finished work.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Style of less important text.
pub const DIM: Style = Style::new().dimmed();

/// The palette in the help.
pub const HELP: Styles = Styles::styled()
    .header(GOOD)
    .usage(GOOD)
    .literal(HINT)
    .placeholder(AnsiColor::Cyan.on_default())
    .error(ERROR)
    .valid(HINT)
    .invalid(WARNING);

/// Words that begin a line of a message, and their styles.
const WORDS: [(&str, Style); 5] =
    [("error", ERROR), ("warning", WARNING), ("hint", HINT), ("next", HINT), ("note", GOOD)];

/// The answer to the question when to use colour. Without help for each value, which would make all help long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    // On a terminal, as `NO_COLOR`, `CLICOLOR_FORCE`, `FORCE_COLOR` and `TERM` say.
    Auto,
    Always,
    Never,
}

impl Color {
    /// Uses this answer for all output from now on.
    pub fn choose(self) {
        let forced = set("FORCE_COLOR").is_some_and(|value| value != "0") && set("NO_COLOR").is_none();
        let choice = match self {
            Self::Auto if forced => ColorChoice::Always,
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// Returns the value of a variable that is set to something.
fn set(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Returns whether standard error gets colour.
pub fn is_coloured() -> bool {
    AutoStream::choice(&std::io::stderr()) != ColorChoice::Never
}

/// Adds colour to a message: to the word that each line begins with, and to the marks below a line of a file.
pub fn painted(text: &str) -> String {
    text.lines().map(painted_line).collect::<Vec<_>>().join("\n")
}

fn painted_line(line: &str) -> String {
    for (word, style) in WORDS {
        if let Some(rest) = line.strip_prefix(word).and_then(|rest| rest.strip_prefix(':')) {
            return format!("{style}{word}:{style:#}{rest}");
        }
    }
    // As annotate-snippets draws them: `  |  ^^^^ why`.
    if let Some((before, marked)) = line.split_once("| ")
        && before.trim().is_empty()
        && marked.trim_start().starts_with('^')
    {
        return format!("{before}| {ERROR}{marked}{ERROR:#}");
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_at_the_beginning_of_a_line_and_marks_are_painted() {
        let text = "error: a: hint: b\n  file  x\n 1 | key = 1\n   | ^^^ why\nhint: c";
        let painted = painted(text);
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), text);
        for part in [
            format!("{ERROR}error:{ERROR:#} a: hint: b"),
            format!("   | {ERROR}^^^ why{ERROR:#}"),
            format!("\n{HINT}hint:{HINT:#} c"),
        ] {
            assert!(painted.contains(&part), "{painted:?}");
        }
        assert_eq!(painted.matches('\x1b').count(), 3 * 3, "{painted:?}");
    }
}
