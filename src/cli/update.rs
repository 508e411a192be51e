//! `strixlock update`

use std::path::PathBuf;

use super::advice::{heed, warn_of_unknown};
use super::choices::{VersionArgs, demand_one};
use super::paths::path;
use super::ui::{DIM, GOOD};
use super::{Session, Ui};
use crate::changes::{Side, between, markdown, message, title};
use crate::error::{Error, Kind, Result};
use crate::lock::{Advice, Lock};
use crate::realize::{Action, Plan, demand_programs, demand_projects, demand_targets, unknown_models};
use crate::recipe::Origin;
use crate::store::{Store, replace_file};
use crate::text;
use crate::update::{Move, Options, Update, update as resolve};

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
    #[arg(long, value_name = "URL", requires = "inputs", conflicts_with = "to")]
    url: Option<url::Url>,
    #[command(flatten)]
    version: VersionArgs,
    /// Accept that upstream replaced a locked file by another of the same name
    #[arg(long)]
    accept_replaced: bool,
    /// Write what changed to this file, as Markdown for a pull request
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "locked"], value_parser = path())]
    report: Option<PathBuf>,
    /// Write what changed in one line, and in a list, to this file, for `git commit -F`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "locked"], value_parser = path())]
    commit_message_file: Option<PathBuf>,
}

pub fn run(args: &UpdateArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    if args.url.is_some() {
        demand_one("update", &args.inputs, "--url URL")?;
    }
    args.version.demand_one("update", &args.inputs)?;
    let manifest = session.manifest()?;
    let lock_path = session.project.lock_path();
    let options = Options {
        only: args.inputs.iter().cloned().collect(),
        dry_run: args.dry_run || args.locked,
        accept_replaced: args.accept_replaced,
        url: args.url.clone(),
        to: args.version.to.clone(),
        allow_downgrade: args.version.allow_downgrade,
        without_freezes: false,
        now: session.now,
        without_leaving: false,
        skip_bad: args.version.skip_bad || manifest.policy.skip_bad,
        directory: session.project.manifest_directory(),
        ..Options::default()
    };
    let intake = session.intake()?;
    let LookedUp { old, old_text, found, advisories } = look_up(session, &options)?;
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
        write_lock(session, text)?;
    } else if lock_path.is_file() {
        intake.store.register_lock(&lock_path)?;
    }
    let title = report(args, old.as_ref(), found.lock.as_ref(), intake.store)?;
    let json = serde_json::json!({
        "lock": lock_path.display().to_string(),
        "changed": changed,
        "written": written,
        "title": title,
        "report": args.report,
        "commit_message": args.commit_message_file,
        "inputs": found.moves,
        "frozen": found.frozen,
        "warnings": found.warnings,
        "advisories": advisories,
    });
    ui.result(json, || {
        for moved in &found.moves {
            show(ui, moved);
        }
        for frozen in &found.frozen {
            ui.line(frozen.text());
        }
        let path = lock_path.display();
        match (changed, options.dry_run) {
            (false, _) => ui.line(format!("{path} is up to date")),
            (true, true) => ui.line(format!("{path} would change{}", to_fetch(&found.moves))),
            (true, false) => ui.line(format!("wrote {path}")),
        }
    });
    if written
        && !ui.is_json()
        && let Some(lock) = &found.lock
    {
        tell_next(ui, lock, &Plan::new(lock, intake.store, &[])?);
    }
    Ok(0)
}

/// The answer of an update, of which nothing was written yet.
pub(super) struct LookedUp {
    /// The lock before, without what no longer holds in it.
    pub old: Option<Lock>,
    /// Its text.
    pub old_text: Option<String>,
    /// The versions that every input resolves to now.
    pub found: Update,
    /// Locked versions that are known to be bad.
    pub advisories: Vec<Advice>,
}

/// Resolves the inputs of the manifest, downloads what is new into the store, and warns of what is odd about the result.
/// Does not write the lock.
pub(super) fn look_up(session: &Session, options: &Options) -> Result<LookedUp> {
    let (ui, intake) = (&session.ui, session.intake()?);
    let lock_path = session.project.lock_path();
    let old = Lock::read_for_update(&lock_path)?.map(|read| {
        for name in &read.edited {
            ui.warning(&format!("{name}: the block in the lock was edited by hand, so the input is resolved again"));
        }
        for name in &read.unsealed {
            ui.warning(&format!(
                "{name}: removed the seal, which was for other pins; `realize --seal` writes a new one"
            ));
        }
        read.lock
    });
    let old_text = fs_err::read_to_string(&lock_path).ok();
    let mut found = resolve(session.manifest()?, old.as_ref(), intake, options)?;
    ui.total();
    if let Some(lock) = &found.lock {
        demand_projects(lock, intake.store)?;
        demand_programs(lock, intake.store)?;
        demand_targets(lock, intake.store)?;
        found.warnings.extend(unknown_models(lock, intake.store)?);
    }
    for warning in &found.warnings {
        ui.warning(warning);
    }
    let advisories = match &found.lock {
        Some(lock) => {
            warn_of_unknown(session, lock);
            heed(session, lock)?
        }
        None => Vec::new(),
    };
    Ok(LookedUp { old, old_text, found, advisories })
}

/// Writes the text of a lock to its place.
pub(super) fn write_lock(session: &Session, text: &str) -> Result<()> {
    let path = session.project.lock_path();
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    replace_file(&path, text.as_bytes())?;
    session.store()?.register_lock(&path)
}

/// Writes what changed to the files that the command line names. Returns it in one line; empty for a dry run that found
/// something new.
fn report(args: &UpdateArgs, old: Option<&Lock>, new: Option<&Lock>, store: &Store) -> Result<String> {
    let Some(new) = new else { return Ok(String::new()) };
    let old = old.map(Side::of_lock).unwrap_or_default();
    let changes = between(&old, &Side::of_lock(new), Some(store))?;
    for (path, text) in [(&args.report, markdown(&changes)), (&args.commit_message_file, message(&changes))] {
        if let Some(path) = path {
            fs_err::write(path, text)?;
        }
    }
    Ok(title(&changes))
}

/// Returns the bytes that an update would download, as far as upstream tells them.
fn to_fetch(moves: &[Move]) -> String {
    match moves.iter().filter_map(|moved| moved.bytes).fold(0, u64::saturating_add) {
        0 => String::new(),
        bytes => format!(", with {} to fetch", text::bytes(bytes)),
    }
}

/// Prints the command to run next, and what it has to do. A lock without outputs needs none.
fn tell_next(ui: &Ui, lock: &Lock, plan: &Plan) {
    if plan.steps.is_empty() {
        return;
    }
    // What is taken from an input as it is is not built.
    let is_built = |name: &str| lock.outputs.get(name).is_some_and(|output| output.recipe.origin() != Origin::Taken);
    let builds = plan.steps.iter().filter(|step| step.action == Action::Build && is_built(&step.name));
    let builds: Vec<&str> = builds.map(|step| step.name.as_str()).collect();
    let fetch = Some(plan.bytes()).filter(|bytes| *bytes > 0).map(|bytes| format!("fetches {}", text::bytes(bytes)));
    let build = if builds.is_empty() { None } else { Some(format!("builds {}", builds.join(", "))) };
    let work: Vec<String> = fetch.into_iter().chain(build).collect();
    let work = if work.is_empty() { String::new() } else { format!(" ({})", work.join(", ")) };
    ui.line(format!("next: strixlock realize{work}"));
}

/// Prints an input that moved.
pub(super) fn show(ui: &Ui, moved: &Move) {
    let (from, to) = moved.versions();
    let from = from.map(|from| format!("{from} -> ")).unwrap_or_default();
    let downgrade = moved.downgrade.then(|| "downgrade".to_owned());
    let about = downgrade.into_iter().chain(moved.distance.clone()).chain(moved.because.map(str::to_owned));
    let about: Vec<String> = about.collect();
    let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
    ui.line(format!("{GOOD}{}{GOOD:#} {from}{to}{about}", moved.input));
    for detail in &moved.details {
        ui.line(format!("  {DIM}{detail}{DIM:#}"));
    }
}
