//! `strixlock realize`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::choices::link_mode;
use super::session::described;
use super::switch::{Standing, told};
use super::ui::table;
use super::{Session, Ui};
use crate::error::{About, Error, Kind, Result};
use crate::lock::{Lock, LockedOutput};
use crate::realize::prefix::{self, Lead, Linked};
use crate::realize::{Action, Plan, Realized, place, switch, unknown_models};
use crate::store::{LinkMode, Profile, Store, checkout, replace_file};
use crate::text;
use crate::toolbox_env::ToolboxEnv;

/// Make what the lock says, from the lock alone
///
/// Outputs land in the store, and a new generation is switched to. With --to, plain copies are written instead, one
/// directory an output, and no generation is made.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct RealizeArgs {
    /// The outputs to make; all but images when none is named
    #[arg(value_name = "OUTPUT")]
    outputs: Vec<String>,
    /// Write plain copies below this directory
    #[arg(long, value_name = "DIR", value_parser = super::paths::path())]
    to: Option<PathBuf>,
    /// Make links to the current generation below this directory: with /opt, /opt/rocm and /opt/llama
    #[arg(long, value_name = "DIR", conflicts_with = "to", value_parser = super::paths::path())]
    prefix: Option<PathBuf>,
    /// Make these links where a .toolbox.env file wants them: ROCM_HOME and LLAMA_INSTALL_DIR
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "prefix"], value_parser = super::paths::path())]
    prefix_from: Option<PathBuf>,
    /// How files get into the copies
    #[arg(long, value_parser = link_mode(), default_value = "auto", requires = "to")]
    link_mode: LinkMode,
    /// Replace what stands where a copy should go; keep what stands where a link of --prefix-from should go under another name
    #[arg(short, long, conflicts_with = "prefix")]
    force: bool,
    /// Fail with exit code 4 if the lock is not up to date with the manifest
    #[arg(long)]
    locked: bool,
    /// Only show the plan
    #[arg(long, conflicts_with_all = ["to", "seal"])]
    dry_run: bool,
    /// Write the trees that came out into the lock; from then on they are compared
    #[arg(long)]
    seal: bool,
    /// Compilers at a time [default: all cores, as far as memory lasts]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
}

pub fn run(args: &RealizeArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    if let Some(prefix) = &args.prefix {
        prefix::check(prefix)?;
    }
    let lock_path = session.project.lock_path();
    // Not both: what is refused need not be warned of.
    let mut lock = if args.locked { session.fresh_lock()? } else { session.lock_to_use()? }.clone();
    if args.seal {
        // What is about to be sealed anew is not compared with the old seal.
        for (name, output) in &mut lock.outputs {
            if args.outputs.is_empty() || args.outputs.contains(name) {
                output.remove_seal();
            }
        }
    }
    let store = session.store()?;
    let plan = Plan::new(&lock, store, &args.outputs)?;
    let has_all = plan.steps.iter().all(|step| step.action == Action::Have);
    // A store that can only be read has what is wanted, or has not.
    if store.can_write() {
        store.register_lock(&lock_path)?;
    } else if !has_all && !args.dry_run {
        store.demand_writable()?;
    }
    let mut places = places(args, &lock)?;
    places.retain(|name, _| plan.steps.iter().any(|step| step.what == "output" && step.name == *name));
    if args.prefix_from.is_some() {
        demand_apart(&places)?;
    }
    let profile = session.profile()?;
    for (name, place) in &places {
        prefix::check_place(place).about(name)?;
        if args.prefix_from.is_some() && !args.force {
            prefix::refuse_other(place, &Lead::to(store, &profile, name)).about(name)?;
        }
    }
    if args.dry_run {
        ui.result(serde_json::json!({ "steps": plan.steps, "bytes": plan.bytes() }), || ui.table(&rows(&plan)));
        return Ok(0);
    }
    if !has_all {
        ui.note(&table(&rows(&plan)).join("\n"));
    }
    let realizer = session.realizer(&lock, args.jobs)?;
    let realized = realizer.run(&plan)?;
    for warning in unknown_models(&lock, store)? {
        ui.warning(&warning);
    }
    let named = |name: &String| args.outputs.is_empty() || args.outputs.contains(name);
    if args.seal {
        lock = seal(&lock_path, &lock, realized.iter().filter(|(name, _)| named(name)))?;
    }
    let (mut generation, mut left) = (None, Vec::new());
    if let Some(to) = &args.to {
        let inside = std::path::absolute(to)?.starts_with(store.root());
        if inside {
            return Err(Error::new(Kind::Usage, "copies cannot be written into the store").fact("path", to.display()));
        }
        for (name, output) in realized.iter().filter(|(name, _)| named(name)) {
            checkout(&output.tree, &to.join(name), args.link_mode, args.force).about(name)?;
        }
    } else {
        let from = Standing::of(&profile)?;
        let (number, _) = switch(&profile, &lock, &realized)?;
        generation = Some((from, number));
        left = make_links(ui, &places, &realized, store, &profile)?;
    }
    let realized = realized.into_iter().filter(|(name, _)| named(name)).collect();
    report(ui, args, &lock, &realized, generation.as_ref().map(|(_, number)| (&profile, *number)), &left);
    if !ui.is_json() {
        if let Some((from, number)) = &generation {
            told(ui, &profile, from.as_ref(), *number)?;
        }
        tell_left(ui, &left);
        if let Some((_, number)) = &generation {
            tell_first_command(session, *number);
        }
    }
    if args.seal {
        tell_sealed(session, &lock_path);
    }
    Ok(if left.is_empty() { 0 } else { Kind::Unfit as u8 })
}

/// Writes what came out into the lock as it is now: somebody may have updated it while we were building.
fn seal<'r>(path: &Path, built: &Lock, realized: impl Iterator<Item = (&'r String, &'r Realized)>) -> Result<Lock> {
    let mut lock = Lock::read(path)?;
    for (name, output) in realized {
        if let Some(locked) = lock.outputs.get_mut(name)
            && built.outputs.get(name).is_some_and(|built| built.derivation == locked.derivation)
        {
            locked.set_seal(output.tree.digest);
        }
    }
    replace_file(path, lock.to_text()?.as_bytes())?;
    Ok(lock)
}

/// Tells that the lock was written, and that a page made from the lock before it is out of date.
fn tell_sealed(session: &Session, lock: &Path) {
    let ui = &session.ui;
    if !ui.is_json() {
        ui.line(format!("wrote {}", lock.display()));
    }
    let page = session.project.directory().join("REPRODUCIBLE.md");
    let made = Lock::read(lock).and_then(|lock| crate::report::reproducible(&lock));
    if fs_err::read_to_string(&page).is_ok_and(|there| made.is_ok_and(|made| made != there)) {
        ui.warning(&format!("{} is out of date now: `strixlock audit` writes it anew", page.display()));
    }
}

/// Where the links of outputs go, as far as links are wanted.
fn places(args: &RealizeArgs, lock: &Lock) -> Result<BTreeMap<String, PathBuf>> {
    let Some(file) = &args.prefix_from else {
        return Ok(args.prefix.as_ref().map(|prefix| below(prefix, lock)).unwrap_or_default());
    };
    let env = ToolboxEnv::read(file)?;
    let mut wanted = [("rocm", env.rocm_home), ("llama", env.llama_install_dir)];
    let place = |(name, output): (&String, &LockedOutput)| {
        let named = wanted.iter_mut().find(|(kind, _)| *kind == output.recipe.kind());
        // A second output of the same kind keeps its own place.
        let place = named.and_then(|(_, place)| place.take()).or(output.recipe.prefix().map(str::to_owned))?;
        Some((name.clone(), PathBuf::from(place)))
    };
    Ok(lock.outputs.iter().filter_map(place).collect())
}

/// Refuses settings by which one output would stand in the place of another, or in it.
fn demand_apart(places: &BTreeMap<String, PathBuf>) -> Result<()> {
    for (at, (name, place)) in places.iter().enumerate() {
        if let Some((other, there)) = places.iter().take(at).find(|(_, there)| place::overlap(place, there)) {
            return Err(Error::failure("two outputs cannot stand in one place, nor one in the other")
                .fact("path", format!("{}  {name}", place.display()))
                .fact("other", format!("{}  {other}", there.display())));
        }
    }
    Ok(())
}

/// In one directory, named as their own places are.
fn below(prefix: &Path, lock: &Lock) -> BTreeMap<String, PathBuf> {
    let place = |(name, output): (&String, &LockedOutput)| {
        Some((name.clone(), prefix.join(Path::new(output.recipe.prefix()?).file_name()?)))
    };
    lock.outputs.iter().filter_map(place).collect()
}

/// Makes the links that are wanted; gives the commands for those that are left for root to make.
fn make_links(
    ui: &Ui,
    places: &BTreeMap<String, PathBuf>,
    realized: &BTreeMap<String, Realized>,
    store: &Store,
    profile: &Profile,
) -> Result<Vec<String>> {
    let mut left = Vec::new();
    for name in realized.keys() {
        let Some(place) = places.get(name) else { continue };
        match prefix::link(place, &Lead::to(store, profile, name))? {
            Linked::Already | Linked::Made => {}
            Linked::BackedUp(backup) => {
                ui.warning(&format!("{} was not made by strixlock: it is now {}", place.display(), backup.display()));
            }
            Linked::Replaced(old) => {
                let (place, old) = (place.display(), old.display());
                ui.warning(&format!("{place} led to {old}: it leads to the generations of {} now", described(profile)));
            }
            Linked::LeftForRoot(command) => left.push(command),
        }
    }
    Ok(left)
}

fn rows(plan: &Plan) -> Vec<Vec<String>> {
    plan.steps
        .iter()
        .map(|step| {
            let action = match step.action {
                Action::Have => "have".to_owned(),
                Action::Fetch { bytes: Some(bytes) } => format!("fetch {}", text::bytes(bytes)),
                Action::Fetch { bytes: None } => "fetch".to_owned(),
                Action::Thaw => "unpack".to_owned(),
                Action::Build => "make".to_owned(),
            };
            vec![action, step.what.to_owned(), step.name.clone(), step.version.clone()]
        })
        .collect()
}

fn report(
    ui: &Ui,
    args: &RealizeArgs,
    lock: &Lock,
    realized: &BTreeMap<String, Realized>,
    generation: Option<(&Profile, u64)>,
    left: &[String],
) {
    let place =
        |name: &str, output: &Realized| args.to.as_ref().map_or_else(|| output.tree.path.clone(), |to| to.join(name));
    if ui.is_json() {
        let outputs: serde_json::Map<_, _> = realized
            .iter()
            .map(|(name, output)| {
                let value = serde_json::json!({
                    "derivation": output.derivation,
                    "tree": output.tree.digest,
                    "path": place(name, output).display().to_string(),
                    "version": output.version,
                    "made": output.fresh,
                });
                (name.clone(), value)
            })
            .collect();
        ui.json(serde_json::json!({
            "outputs": outputs,
            "profile": generation.map(|(profile, _)| profile.name()),
            "generation": generation.map(|(_, number)| number),
            "current": generation.map(|(profile, _)| profile.current_link().display().to_string()),
            "sealed": args.seal,
            "left_for_root": left,
        }));
        return;
    }
    let rows: Vec<Vec<String>> = lock
        .ordered()
        .into_iter()
        .filter_map(|name| realized.get_key_value(name))
        .map(|(name, output)| {
            vec![name.clone(), output.tree.digest.to_string(), place(name, output).display().to_string()]
        })
        .collect();
    ui.table(&rows);
}

/// Tells how a program of the new generation is run, if it has one.
fn tell_first_command(session: &Session, number: u64) {
    let outputs = super::run::outputs(session, Some(number)).ok();
    if let Some(command) = outputs.and_then(|outputs| outputs.first_command()) {
        session.ui.note(&format!("run it: `{command}`"));
    }
}

/// Tells the commands that make the links which only root can make.
fn tell_left(ui: &Ui, left: &[String]) {
    if !left.is_empty() {
        ui.line("left for root to make, once; from then on these links follow every switch:");
    }
    for command in left {
        ui.line(format!("  {command}"));
    }
}
