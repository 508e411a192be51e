//! `strixlock up`

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use serde_json::json;

use super::choices::{BuildArgs, CheckArgs, LimitArgs, VersionArgs};
use super::remote::take::Taking;
use super::switch::{PreviousGeneration, report_switch};
use super::update::{LookedUp, look_up, show, write_lock};
use super::{Session, Ui};
use crate::changes::{Side, between, title};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::lock::Lock;
use crate::progress::{Doing, Unit};
use crate::realize::{Plan, Realized, keep};
use crate::store::Profile;
use crate::update::Options;
use crate::validate::{self, Extent, Validation};

/// Update, realize and validate; switch only if that passed
///
/// The daily command. Resolves the manifest, downloads and builds what is new, makes a generation of it that is not
/// current yet, and validates it with the model of the lock. If it passes, the lock is written and the generation becomes
/// current. Otherwise lock and current generation stay as they were, the new generation is kept with its verdict
/// (`strixlock generations`), and the exit code is 10. Killed at any point, it leaves what was current, and the next run
/// goes on.
#[derive(Debug, clap::Args)]
pub struct UpArgs {
    /// Inputs to update [default: all]; inputs that the lock lacks are always resolved
    #[arg(value_name = "INPUT")]
    inputs: Vec<String>,
    #[command(flatten)]
    checks: CheckArgs,
    #[command(flatten)]
    limit: LimitArgs,
    #[command(flatten)]
    version: VersionArgs,
    /// Run at most N compilers at a time [default: one per core, fewer if memory is short]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    build: BuildArgs,
}

/// A new generation that is not current yet.
struct Candidate<'l> {
    lock: &'l Lock,
    text: String,
    number: u64,
    /// The current generation, if there is one.
    current: Option<u64>,
    /// True if the lock differs from the file.
    changed: bool,
}

pub fn run(args: &UpArgs, session: &Session) -> Result<u8> {
    args.version.demand_one("up", &args.inputs)?;
    let ui = &session.ui;
    let manifest = session.manifest()?;
    let options = Options {
        only: args.inputs.iter().cloned().collect(),
        now: session.now,
        to: args.version.to.clone(),
        allow_downgrade: args.version.allow_downgrade,
        skip_bad: args.version.skip_bad || manifest.policy.skip_bad,
        directory: session.project.manifest_directory(),
        ..Options::default()
    };
    let LookedUp { old, old_text, found, .. } = look_up(session, &options)?;
    let Some(lock) = &found.lock else { return Err(Error::failure("the update gave no lock")) };
    // Found out now, and not after the build.
    args.checks.demand_model(lock)?;
    let text = lock.to_text()?;
    let changed = old_text.as_ref() != Some(&text);
    if !ui.is_json() {
        found.moves.iter().for_each(|moved| show(ui, moved));
    }
    let profile = session.profile()?;
    let current = profile.current()?;
    let realized = realize(args, session, lock).map_err(|error| unchanged(error, current))?;
    let number = keep(&profile, lock, &realized)?;
    let candidate = Candidate { lock, text, number, current, changed };
    let passed_before = validate::of(&validations(session), Sha256Digest::of(candidate.text.as_bytes()))
        .is_some_and(|validation| validation.passed());
    let is_new = changed || current != Some(number);
    let validation = match args.checks.extent() {
        Some(extent) if is_new || !passed_before => {
            let found = judge(args, session, &candidate, extent).map_err(|error| unchanged(error, current))?;
            Some(found)
        }
        _ => None,
    };
    let passed = validation.as_ref().is_none_or(|(validation, _)| validation.passed());
    let sides = (old.as_ref().map(Side::of_lock).unwrap_or_default(), Side::of_lock(lock));
    let title = title(&between(&sides.0, &sides.1, None)?);
    let from = PreviousGeneration::of(&profile)?;
    if passed {
        take(session, &profile, &candidate)?;
    }
    let checks = validation.as_ref().map(|(validation, file)| {
        let failed: Vec<&str> = validation.failed().collect();
        json!({ "passed": validation.passed(), "device": validation.device, "failed": failed, "file": file })
    });
    if ui.is_json() {
        ui.json(json!({
            "lock": session.project.lock_path().display().to_string(),
            "changed": changed,
            "written": changed && passed,
            "title": title,
            "inputs": found.moves,
            "profile": profile.name(),
            "from": current,
            "generation": number,
            "current": profile.current()?,
            "switched": passed && current != Some(number),
            "validation": checks,
        }));
        return Ok(if passed { 0 } else { Kind::Unfit as u8 });
    }
    if let Some((validation, file)) = validation.as_ref().filter(|_| !passed) {
        return Err(failed(session, &candidate, validation, file));
    }
    told(ui, args, &candidate, validation.is_some());
    if is_new {
        report_switch(ui, &profile, from.as_ref(), number)?;
    }
    Ok(0)
}

fn realize(args: &UpArgs, session: &Session, lock: &Lock) -> Result<BTreeMap<String, Realized>> {
    let make_plan = || Plan::new(lock, session.store()?, &[]);
    let mut taking = Taking::before_building(session, &args.build)?;
    let plan = taking.take_planned(lock, make_plan()?, &|_| false, &make_plan)?;
    let realized = session.caching_realizer(lock, args.jobs, args.build.builder.as_ref())?.run(&plan)?;
    session.ui.total();
    Ok(realized)
}

/// Validates the new generation, and writes the record. Returns it, and the path of its page.
fn judge(args: &UpArgs, session: &Session, candidate: &Candidate, extent: Extent) -> Result<(Validation, String)> {
    let directory = validations(session);
    let digest = Sha256Digest::of(candidate.text.as_bytes());
    let name = validate::name(&directory, session.now, Some(candidate.number), digest);
    let options = validate::Options {
        model: args.checks.model.clone(),
        variant: None,
        device: args.checks.device,
        extent,
        limit: args.limit.each(),
        profile_generation: Some(candidate.number),
        now: session.now,
    };
    let validation = {
        let _task = session.ui.progress.begin(Doing::Validate, "the new generation", None, Unit::Steps);
        validate::validate(candidate.lock, session.intake()?, &options, &validate::logs(&directory, &name))?
    };
    let before = validate::last(&directory, &validation)?;
    let moved = before.as_ref().map(|before| validate::moved(before, &validation));
    let written = validate::write(&directory, &name, &validation, moved.as_deref())?;
    Ok((validation, written.page.display().to_string()))
}

fn validations(session: &Session) -> std::path::PathBuf {
    session.project.directory().join("validation")
}

/// Writes the lock, and makes the generation the current one. The lock comes first: a lock that is ahead of its generation
/// is what `realize` is for.
fn take(session: &Session, profile: &Profile, candidate: &Candidate) -> Result<()> {
    if candidate.changed {
        write_lock(session, &candidate.text)?;
    } else {
        session.store()?.register_lock(&session.project.lock_path())?;
    }
    session.store()?.thaw_generation(&profile.generation(candidate.number)?, &*session.ui.progress)?;
    profile.take(candidate.number)
}

/// Adds to an error that nothing was changed by the failure.
fn unchanged(error: Error, current: Option<u64>) -> Error {
    match current {
        Some(current) => error.fact("current", format!("generation {current}, as before; the lock too")),
        None => error,
    }
}

/// Returns the error for a generation that failed its validation.
fn failed(session: &Session, candidate: &Candidate, validation: &Validation, page: &str) -> Error {
    let (number, checks) = (candidate.number, validation.failed().collect::<Vec<_>>().join(", "));
    let error = Error::new(Kind::Unfit, format!("generation {number} failed its validation: {checks}"));
    let found = validation.failed().filter_map(|name| validation.checks.iter().find(|check| check.name == name));
    let error = found.fold(error, |error, check| error.fact("found", format!("{}: {}", check.name, check.found)));
    let error = error.fact("page", page).fact("lock", format!("{}  unchanged", session.project.lock_path().display()));
    match candidate.current {
        Some(current) if current != number => error
            .fact("current", format!("generation {current}, as before"))
            .hint(format!(
                "`strixlock diff {current} {number}` shows what changed, and `strixlock switch {number}` uses it all the same"
            )),
        Some(_) => error.hint("`strixlock rollback` switches back to the generation before"),
        None => error.fact("current", "none").hint(format!("`strixlock switch {number}` uses it all the same")),
    }
}

/// Prints what was done before the switch.
fn told(ui: &Ui, args: &UpArgs, candidate: &Candidate, validated: bool) {
    let number = candidate.number;
    let is_current = candidate.current == Some(number);
    match (is_current && !candidate.changed, validated) {
        (true, false) => ui.line(format!("nothing is new: generation {number} is current")),
        (true, true) => ui.line(format!("nothing is new: generation {number} is current and passed its validation")),
        (false, true) => ui.line(format!("generation {number} passed its validation")),
        (false, false) if args.checks.extent().is_none() => ui.line(format!("generation {number} was not validated")),
        (false, false) => {}
    }
}
