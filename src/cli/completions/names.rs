//! Names that values on the command line complete to: those of the project and its store.
//!
//! The word by which the help calls a value says which names it completes to, so an argument needs no more than the
//! right word. Reads only, waits for nothing, prints nothing; what cannot be read has no names.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use clap::builder::StyledStr;
use clap::{Arg, ArgMatches, Command, CommandFactory as _, FromArgMatches as _, Id};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};

use crate::cli::session::{GlobalArgs, Project, Session};
use crate::cli::versions::{line, versions};
use crate::cli::{Cli, enter, run};
use crate::error::Result;
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::validate::benchmark::Wanted;

/// Names, each with a word on what it is, which may be empty.
type Names = BTreeMap<String, String>;
type Lookup = fn(&Session) -> Result<Names>;

/// Words for values in the help, and the names that they stand for.
const WORDS: [(&str, Lookup); 6] = [
    ("OUTPUT", outputs),
    ("INPUT", inputs),
    ("GENERATION", generations),
    ("PROGRAM", programs),
    ("PROFILE", profiles),
    ("VARIANT", variants),
];

/// Words for values that may be paths. A value that is one alone completes to paths without our help.
const PATHS: [&str; 3] = ["FILE", "PATH", "ARGS"];

/// Returns the command with completers for all values that are names. Options are hidden, and so are offered only where
/// nothing else fits, until their dash is typed.
pub(super) fn added_to(mut command: Command) -> Command {
    // With --help, which is added to each command then.
    command.build();
    let hides = words().1.is_none_or(|word| !word.as_bytes().starts_with(b"-"));
    added(command, hides)
}

fn added(command: Command, hides: bool) -> Command {
    let with_completer = |arg: Arg| {
        let arg = if hides && !arg.is_positional() { arg.hide(true) } else { arg };
        match Completer::of(&arg) {
            Some(completer) => arg.add(ArgValueCompleter::new(completer)),
            None => arg,
        }
    };
    command.mut_args(with_completer).mut_subcommands(|one| added(one, hides))
}

/// Returns the words of the command line that is being completed: those before the word in question, and that word.
/// bash and zsh say which it is, fish ends the line there.
fn words() -> (Vec<OsString>, Option<OsString>) {
    let mut words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let index = std::env::var("_CLAP_COMPLETE_INDEX").ok().and_then(|index| index.parse().ok());
    let after = words.split_off(index.unwrap_or(words.len().saturating_sub(1)).min(words.len()));
    (words, after.into_iter().next())
}

/// Parses the words before the one in question, as far as they make sense.
fn matches() -> Option<ArgMatches> {
    Cli::command().ignore_errors(true).try_get_matches_from(words().0).ok()
}

/// Enters the directory of `-C` on the command line, to which all else is relative.
pub(super) fn enter_directory() {
    let global = matches().and_then(|matches| GlobalArgs::from_arg_matches(&matches).ok());
    let _ = global.map(|global| enter(&global.directory));
}

/// One argument, and the words for its values, each perhaps several with `|` between them.
struct Completer {
    id: Id,
    words: Vec<String>,
}

impl Completer {
    fn of(arg: &Arg) -> Option<Self> {
        let words: Vec<String> = arg.get_value_names()?.iter().map(ToString::to_string).collect();
        let is_name = |word: &String| word.split('|').any(|one| lookup(one).is_some());
        words.iter().any(is_name).then(|| Self { id: arg.get_id().clone(), words })
    }

    /// Returns the word for the value in question.
    fn word(&self) -> Option<&String> {
        let all = matches();
        let mut matches = all.as_ref();
        while let Some((_, below)) = matches.and_then(ArgMatches::subcommand) {
            matches = Some(below);
        }
        let values = matches.and_then(|matches| matches.try_get_raw(self.id.as_str()).ok().flatten());
        self.words.get(values.map_or(0, Iterator::count)).or(self.words.last())
    }
}

impl ValueCompleter for Completer {
    fn complete(&self, begun: &OsStr) -> Vec<CompletionCandidate> {
        let mut found = Vec::new();
        for one in self.word().into_iter().flat_map(|word| word.split('|')) {
            if let (Some(lookup), Some(begun)) = (lookup(one), begun.to_str()) {
                let names = session().and_then(|session| lookup(&session).ok()).unwrap_or_default();
                found.extend(names.into_iter().filter(|(name, _)| name.starts_with(begun)).map(candidate));
            } else if PATHS.contains(&one) {
                found.extend(PathCompleter::any().complete(begun));
            }
        }
        found
    }
}

fn candidate((name, about): (String, String)) -> CompletionCandidate {
    let about = (!about.is_empty()).then(|| StyledStr::from(about));
    CompletionCandidate::new(name).help(about)
}

fn lookup(word: &str) -> Option<Lookup> {
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, lookup)| *lookup)
}

/// Returns a session with the global options on the command line that is being completed, such as --manifest.
fn session() -> Option<Session> {
    let matches = matches()?;
    let mut global = GlobalArgs::from_arg_matches(&matches).ok()?;
    global.quiet = true;
    Some(Session::new(Project::from_arg_matches(&matches).ok()?, global))
}

/// Returns the lock and the manifest, as far as they can be read. Fails if neither can.
fn lock_and_manifest(session: &Session) -> Result<(Option<&Lock>, Option<&Manifest>)> {
    let lock = session.lock_if_there().ok().flatten();
    match session.manifest() {
        Err(error) if lock.is_none() => Err(error),
        manifest => Ok((lock, manifest.ok())),
    }
}

fn outputs(session: &Session) -> Result<Names> {
    let (lock, manifest) = lock_and_manifest(session)?;
    let locked = lock.into_iter().flat_map(|lock| &lock.outputs).map(|(name, output)| (name, &output.recipe));
    let wanted = manifest.into_iter().flat_map(|manifest| &manifest.outputs);
    Ok(locked.chain(wanted).map(|(name, recipe)| (name.clone(), recipe.kind().to_owned())).collect())
}

fn inputs(session: &Session) -> Result<Names> {
    let (lock, manifest) = lock_and_manifest(session)?;
    let locked = lock.into_iter().flat_map(|lock| lock.inputs.keys());
    let wanted = manifest.into_iter().flat_map(|manifest| manifest.inputs.keys());
    Ok(locked.chain(wanted).map(|name| (name.clone(), String::new())).collect())
}

fn generations(session: &Session) -> Result<Names> {
    session.store_at_once()?;
    let profile = session.profile()?;
    let named = |number| {
        let generation = profile.generation(number)?;
        Ok((number.to_string(), line(&versions(&profile, number, &generation))))
    };
    profile.generations()?.into_iter().map(named).collect()
}

fn variants(session: &Session) -> Result<Names> {
    let lock = session.lock()?;
    let all = std::iter::once(Wanted::own(lock)?).chain(Wanted::variants(lock)?);
    Ok(all.map(|one| (one.name, one.output)).collect())
}

fn programs(session: &Session) -> Result<Names> {
    session.store_at_once()?;
    let outputs = run::outputs(session, None)?;
    let mut names = Names::new();
    for output in outputs.names() {
        for program in outputs.programs(output)?.into_keys() {
            names.entry(program).or_insert_with(|| output.to_owned());
        }
    }
    Ok(names)
}

fn profiles(session: &Session) -> Result<Names> {
    let all = session.store_at_once()?.profiles()?.into_iter();
    let project = |profile: &crate::store::Profile| profile.project().map(|project| project.display().to_string());
    Ok(all.map(|profile| (profile.name().to_string(), project(&profile).unwrap_or_default())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `see` with every argument of every command.
    fn each_argument(command: &Command, see: &mut impl FnMut(&str, &Arg)) {
        command.get_arguments().for_each(|arg| see(command.get_name(), arg));
        command.get_subcommands().for_each(|one| each_argument(one, see));
    }

    #[test]
    fn each_word_stands_for_a_value_of_some_command() {
        let mut seen: Vec<String> = Vec::new();
        each_argument(&Cli::command(), &mut |_, arg| {
            seen.extend(Completer::of(arg).into_iter().flat_map(|one| one.words));
        });
        for (word, _) in WORDS {
            assert!(seen.iter().any(|one| one.split('|').any(|part| part == word)), "{word}");
        }
    }

    #[test]
    fn a_value_that_is_a_name_is_called_by_the_word_for_it() {
        let ids = [("output", "OUTPUT"), ("generation", "GENERATION"), ("input", "INPUT"), ("profile", "PROFILE")];
        each_argument(&Cli::command(), &mut |command, arg| {
            let is_path = arg.get_value_hint() == clap::ValueHint::AnyPath;
            let takes_value = arg.get_action().takes_values();
            for (id, word) in ids.iter().filter(|_| takes_value && !is_path) {
                let named = arg.get_id().as_str().trim_end_matches('s') == *id;
                let called = arg.get_value_names().is_some_and(|names| names.iter().any(|name| name == word));
                assert!(!named || called, "{command}: {} is not called {word}", arg.get_id());
            }
        });
    }
}
