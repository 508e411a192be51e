//! Invalid command lines, reported like every other error.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{FromArgMatches as _, ValueEnum as _};

use super::palette::Color;
use super::session::{Given, switch, variable};
use super::ui::{print_error, print_json};
use super::{Cli, help};
use crate::error::{Error, Kind};

/// Parses the command line, with the origin of each value.
pub(super) fn parse() -> Result<Cli, clap::Error> {
    let mut command = help::command();
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    cli.global.given = Given::all(&command, &matches);
    Ok(cli)
}

/// Ends a run whose command line clap rejected or answered: prints the help, the version or the error, with `--json`
/// also as JSON. Returns the exit code.
pub(super) fn end(error: &clap::Error) -> u8 {
    let json = wants_json(std::env::args_os()) || json_is_set();
    if !error.use_stderr() || is_help(error) {
        if error.use_stderr() && json {
            print_json(serde_json::json!({ "error": explained(error).to_json() }));
        }
        // There is nowhere left to report a failure to print.
        let _ = error.print();
    } else {
        let explained = explained(error);
        let explained = match source(error) {
            Some(name) => explained.fact("environment variable", name),
            None => explained,
        };
        if json {
            print_json(serde_json::json!({ "error": explained.to_json() }));
        }
        print_error(&explained);
    }
    u8::try_from(error.exit_code()).unwrap_or(Kind::Usage as u8)
}

/// Follows `--color` before the command line is parsed: help and errors are printed in colour too.
pub(super) fn choose_color() {
    let set = || std::env::var(variable("color")).ok().and_then(|value| Color::from_str(&value, false).ok());
    color(std::env::args_os()).or_else(set).unwrap_or(Color::Auto).choose();
}

fn color(words: impl Iterator<Item = OsString>) -> Option<Color> {
    let words: Vec<String> =
        words.take_while(|word| word != "--").map(|word| word.to_string_lossy().into_owned()).collect();
    let after = words.windows(2).rev().find(|pair| pair[0] == "--color").map(|pair| pair[1].as_str());
    let value = after.or_else(|| words.iter().rev().find_map(|word| word.strip_prefix("--color=")));
    Color::from_str(value?, false).ok()
}

/// Returns true if the environment asks for JSON.
fn json_is_set() -> bool {
    std::env::var(variable("json")).is_ok_and(|value| switch(&value) == Ok(true))
}

/// Returns the environment variable that an invalid value came from.
fn source(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let option = text(ContextKind::InvalidArg)?.strip_prefix("--")?;
    let name = variable(option.split(' ').next()?);
    (std::env::var(&name).ok()? == text(ContextKind::InvalidValue)?).then_some(name)
}

fn wants_json(words: impl Iterator<Item = OsString>) -> bool {
    words.take_while(|word| word != "--").any(|word| word == "--json")
}

/// Returns true for a command line that has no command, which is answered with the help.
fn is_help(error: &clap::Error) -> bool {
    use clap::error::ErrorKind;
    matches!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand)
}

/// Splits clap's text into message, tips and usage.
fn explained(error: &clap::Error) -> Error {
    if is_help(error) {
        return Error::new(Kind::Usage, "a command is missing").hint("`strixlock --help` lists them");
    }
    let text = error.render().to_string();
    let mut parts = text.split("\n\n").map(str::trim);
    let first = parts.next().unwrap_or_default();
    let message: Vec<&str> = first.trim_start_matches("error: ").lines().map(str::trim).collect();
    let mut explained = Error::new(Kind::Usage, message.join(" "));
    for part in parts {
        if let Some(tip) = part.strip_prefix("tip: ") {
            explained = explained.hint(tip.replace("\n  tip: ", "\nhint: "));
        } else if let Some(usage) = part.strip_prefix("Usage: ") {
            explained = explained.fact("usage", usage);
        }
    }
    if explained.advice().is_some() {
        return explained;
    }
    explained.hint(format!("`{}` explains the options", help_command(std::env::args().skip(1))))
}

/// Returns the command that prints the help of the command in `words`.
fn help_command(words: impl Iterator<Item = String>) -> String {
    let (mut command, mut typed) = (help::command(), "strixlock".to_owned());
    for word in words {
        if let Some(found) = command.find_subcommand(&word) {
            typed = format!("{typed} {word}");
            command = found.clone();
        }
    }
    format!("{typed} --help")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_wanted_by_its_own_word_alone() {
        let wanted = |words: &[&str]| wants_json(words.iter().map(OsString::from));
        assert!(wanted(&["strixlock", "realise", "--json"]));
        assert!(!wanted(&["strixlock", "realize", "--jsonx"]));
        assert!(!wanted(&["strixlock", "realize", "--", "--json"]));
    }

    #[test]
    fn the_last_word_on_colour_counts_before_anything_is_parsed() {
        let color = |words: &[&str]| color(words.iter().map(OsString::from));
        assert_eq!(color(&["strixlock", "--color", "never", "x"]), Some(Color::Never));
        assert_eq!(color(&["strixlock", "x", "--color=always"]), Some(Color::Always));
        assert_eq!(color(&["strixlock", "--color", "pink"]), None);
        assert_eq!(color(&["strixlock", "run", "--", "--color=never"]), None);
    }

    #[test]
    fn the_help_of_the_typed_command_is_named() {
        let help = |words: &[&str]| help_command(words.iter().map(|word| (*word).to_owned()));
        assert_eq!(help(&["--offline", "gc", "--older-than", "30"]), "strixlock gc --help");
        assert_eq!(help(&["list", "rocm", "--count"]), "strixlock list rocm --help");
        assert_eq!(help(&["frobnicate"]), "strixlock --help");
    }
}
