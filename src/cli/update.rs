//! `strixlock update`

use super::ui::{DIM, GOOD};
use super::{Session, Ui};
use crate::error::{Error, Kind, Result};
use crate::lock::Lock;
use crate::realize::{demand_programs, unknown_models};
use crate::store::replace_file;
use crate::update::{Move, Options, update as resolve};

/// Resolve the manifest and write the result to the lock
///
/// Downloads what is new, since a pin needs a digest. Writes the lock only if every input succeeded, and only if it
/// changed.
#[derive(Debug, clap::Args)]
pub struct UpdateArgs {
    /// Inputs to update [default: all]; inputs that the lock lacks are always resolved
    #[arg(value_name = "INPUT")]
    inputs: Vec<String>,
    /// Only show what would change; downloads nothing and writes nothing
    #[arg(long)]
    dry_run: bool,
    /// Fail with exit code 4 if the lock would change; downloads nothing and writes nothing
    #[arg(long)]
    locked: bool,
    /// Pin this ROCm tarball for the named input, without asking the indexes
    #[arg(long, value_name = "URL", requires = "inputs")]
    url: Option<url::Url>,
    /// Accept that upstream replaced a locked file by another of the same name
    #[arg(long)]
    accept_replaced: bool,
}

pub fn run(args: &UpdateArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    if args.url.is_some() && args.inputs.len() != 1 {
        return Err(Error::new(Kind::Usage, "`--url` needs exactly one input")
            .hint("such as `strixlock update rocm --url URL`"));
    }
    let manifest = session.manifest()?;
    let lock_path = session.project.lock_path();
    let (old, dropped) =
        Lock::read_for_update(&lock_path)?.map_or((None, Vec::new()), |(lock, dropped)| (Some(lock), dropped));
    for name in &dropped {
        ui.warning(&format!("{name}: the block in the lock was edited by hand, so the input is resolved again"));
    }
    let old_text = fs_err::read_to_string(&lock_path).ok();
    let intake = session.intake()?;
    let options = Options {
        only: args.inputs.iter().cloned().collect(),
        dry_run: args.dry_run || args.locked,
        accept_replaced: args.accept_replaced,
        url: args.url.clone(),
        now: session.now,
        without_leaving: false,
        directory: session.project.manifest_directory(),
    };
    let mut found = resolve(manifest, old.as_ref(), intake, &options)?;
    if let Some(lock) = &found.lock {
        demand_programs(lock, intake.store)?;
        found.warnings.extend(unknown_models(lock, intake.store)?);
    }
    for warning in &found.warnings {
        ui.warning(warning);
    }
    let new_text = found.lock.as_ref().map(Lock::to_text).transpose()?;
    // A dry run that found something new has no lock to compare.
    let changed = new_text.is_none() || new_text != old_text;
    if args.locked && changed {
        let names: Vec<&str> = found.moves.iter().map(|moved| moved.input.as_str()).collect();
        let error = Error::new(Kind::Stale, "the lock is stale and would change, which --locked forbids")
            .fact("lock", lock_path.display());
        let error = if names.is_empty() { error } else { error.fact("inputs", names.join(", ")) };
        return Err(error.hint("run `strixlock update` and commit the lock"));
    }
    let written = changed && !options.dry_run;
    if written && let Some(text) = &new_text {
        if let Some(parent) = lock_path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        replace_file(&lock_path, text.as_bytes())?;
    }
    if lock_path.is_file() {
        intake.store.register_lock(&lock_path)?;
    }
    let json = serde_json::json!({
        "lock": lock_path.display().to_string(),
        "changed": changed,
        "written": written,
        "inputs": found.moves,
        "warnings": found.warnings,
    });
    ui.result(json, || {
        for moved in &found.moves {
            show(ui, moved);
        }
        match (changed, options.dry_run) {
            (false, _) => ui.line(format!("{} is up to date", lock_path.display())),
            (true, true) => ui.line(format!("{} would change", lock_path.display())),
            (true, false) => ui.line(format!("wrote {}", lock_path.display())),
        }
    });
    Ok(0)
}

fn show(ui: &Ui, moved: &Move) {
    let Move { input, from, to, details } = moved;
    match from {
        Some(from) => ui.line(format!("{GOOD}{input}{GOOD:#} {from} -> {to}")),
        None => ui.line(format!("{GOOD}{input}{GOOD:#} {to}")),
    }
    for detail in details {
        ui.line(format!("  {DIM}{detail}{DIM:#}"));
    }
}
