//! `strixlock freeze` and `strixlock thaw`

use jiff::civil::Date;
use serde_json::json;

use super::Session;
use crate::error::{Error, Kind, Result};
use crate::manifest::{Freeze, Manifest, with_freeze};
use crate::store::replace_file;
use crate::text;
use crate::update::no_input;

/// Hold an input at its locked version
///
/// Writes `frozen` into the input's table in the manifest, so that whoever reviews the change sees it; all else in
/// the file stays as it is. `update` passes over the input and says so, and refuses it by name. The lock does not
/// change.
#[derive(Debug, clap::Args)]
pub struct FreezeArgs {
    /// The input
    #[arg(value_name = "INPUT")]
    input: String,
    /// The day on which the freeze ends, such as 2026-12-24 [default: when it is thawed]
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
    /// The reason, for those who find the input frozen
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    why: Option<String>,
}

/// Let `update` move a frozen input again
///
/// Removes `frozen` from the input's table in the manifest. The lock changes with the next update.
#[derive(Debug, clap::Args)]
pub struct ThawArgs {
    /// The input
    #[arg(value_name = "INPUT")]
    input: String,
}

/// Accepts a text that stands in one line.
fn one_line(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("expected a reason".to_owned());
    }
    if text.chars().any(char::is_control) { Err("expected one line".to_owned()) } else { Ok(text.to_owned()) }
}

pub fn run(args: &FreezeArgs, session: &Session) -> Result<u8> {
    let name = &args.input;
    let manifest = demand_input(session, name, "freeze")?;
    if let (Some(until), Some(today)) = (args.until, text::day(session.now))
        && until <= today
    {
        return Err(Error::new(Kind::Usage, "the day of `--until` is not in the future")
            .fact("until", until)
            .fact("today", today));
    }
    let freeze = Freeze { until: args.until, why: args.why.clone() };
    let before = manifest.frozen.get(name);
    let lock = session.lock_if_there()?;
    let version = lock.and_then(|lock| lock.inputs.get(name)).map(|input| input.version());
    let changed = edit(session, name, Some(&freeze))?;
    let json = json!({
        "input": name,
        "version": version,
        "frozen": freeze,
        "before": before,
        "changed": changed,
        "manifest": session.project.manifest_path().display().to_string(),
    });
    session.ui.result(json, || {
        let at = version.as_ref().map(|version| format!(" at {version}")).unwrap_or_default();
        session.ui.line(format!("{name} is {}{at}", told(&freeze)));
        if version.is_none() {
            session.ui.line("it is not locked yet: the first `strixlock update` pins it, and it stays there");
        }
    });
    Ok(0)
}

pub fn thaw(args: &ThawArgs, session: &Session) -> Result<u8> {
    let name = &args.input;
    let manifest = demand_input(session, name, "thaw")?;
    let before = manifest.frozen.get(name);
    let changed = before.is_some() && edit(session, name, None)?;
    let json = json!({
        "input": name,
        "before": before,
        "changed": changed,
        "manifest": session.project.manifest_path().display().to_string(),
    });
    session.ui.result(json, || match before {
        Some(freeze) => {
            session.ui.line(format!("{name} was {freeze}"));
            session.ui.line(format!("next: strixlock update {name}"));
        }
        None => session.ui.line(format!("{name} is not frozen")),
    });
    Ok(0)
}

/// Returns the words for a freeze, without the reason that was just typed.
fn told(freeze: &Freeze) -> String {
    Freeze { why: None, ..freeze.clone() }.to_string()
}

/// Returns the manifest. Fails if it has no such input.
fn demand_input<'s>(session: &'s Session, name: &str, command: &str) -> Result<&'s Manifest> {
    let manifest = session.manifest()?;
    if manifest.inputs.contains_key(name) { Ok(manifest) } else { Err(no_input(manifest, name, command)) }
}

/// Writes the manifest with this freeze of an input. Returns false if that is what it has already.
fn edit(session: &Session, name: &str, freeze: Option<&Freeze>) -> Result<bool> {
    let path = session.project.manifest_path();
    let old = fs_err::read_to_string(&path)?;
    let new = with_freeze(&old, name, freeze)?;
    // What is written must be what was meant, whatever the file looks like.
    let read = Manifest::parse(&new, &path.display().to_string())?;
    if read.frozen.get(name) != freeze {
        return Err(Error::failure("the manifest could not be edited").fact("path", path.display()));
    }
    if new == old {
        return Ok(false);
    }
    // A link stays one, and leads to the new text.
    replace_file(&fs_err::canonicalize(&path)?, new.as_bytes())?;
    Ok(true)
}
