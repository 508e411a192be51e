//! Invalid command lines, reported like every other error.

use std::ffi::OsString;

use clap::FromArgMatches as _;
use clap::error::{ContextKind, ContextValue};

use super::session::{Given, switch, variable};
use super::ui::print_json;
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
    let variable = source(error);
    if error.use_stderr() && (wants_json(std::env::args_os()) || json_is_set()) {
        let explained = explained(error);
        let explained = variable.iter().fold(explained, |error, name| error.fact("environment variable", name));
        print_json(serde_json::json!({ "error": explained.to_json() }));
    }
    // There is nowhere left to report a failure to print.
    let _ = error.print();
    if let Some(name) = variable {
        eprintln!("hint: the value is that of the environment variable {name}");
    }
    u8::try_from(error.exit_code()).unwrap_or(Kind::Usage as u8)
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

/// Splits clap's text into message, tips and usage.
fn explained(error: &clap::Error) -> Error {
    use clap::error::ErrorKind;
    if matches!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand) {
        return Error::new(Kind::Usage, "a command is missing").hint("`strixlock --help` lists them");
    }
    let text = error.render().to_string();
    let mut parts = text.split("\n\n").map(str::trim);
    let first = parts.next().unwrap_or_default();
    let message: Vec<&str> = first.trim_start_matches("error: ").lines().map(str::trim).collect();
    let mut explained = Error::new(Kind::Usage, message.join(" "));
    for part in parts {
        if let Some(tip) = part.strip_prefix("tip: ") {
            explained = explained.hint(tip);
        } else if let Some(usage) = part.strip_prefix("Usage: ") {
            explained = explained.fact("usage", usage);
        }
    }
    explained
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
}
