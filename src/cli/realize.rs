//! `strixlock realize`

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::advice::heed;
use super::choices::link_mode;
use super::paths::shown;
use super::progress::took;
use super::remote::take::{Taken as ReceivedOutput, Taking};
use super::session::{Builder, described};
use super::switch::{PreviousGeneration, report_switch};
use super::table::{self, Column, Table};
use super::{Session, Ui};
use crate::archive::{ArchiveName, Taken};
use crate::error::{About, Error, Kind, Result};
use crate::inputs::LockedInput;
use crate::lock::{Lock, LockedOutput};
use crate::realize::prefix::{self, Lead, Linked};
use crate::realize::{Action, Plan, Realized, Realizer, StepKind, keep, place, short_version, switch, unknown_models};
use crate::recipe::{Origin, OutputRole};
use crate::report::{Known, fits};
use crate::store::{LinkMode, Profile, Store, checkout, replace_file};
use crate::text;
use crate::toolbox_env::ToolboxEnv;

/// Fetch and build the outputs of the lock
///
/// Uses nothing but the lock. Puts the outputs into the store and switches to a new generation of them. With --to,
/// writes plain copies instead, one directory per output, and makes no generation.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct RealizeArgs {
    /// Outputs to realize [default: all except images]
    #[arg(value_name = "OUTPUT")]
    outputs: Vec<String>,
    /// Write plain copies below this directory
    #[arg(long, value_name = "DIR", value_parser = super::paths::path())]
    to: Option<PathBuf>,
    /// Link the current generation below this directory: /opt gives /opt/rocm and /opt/llama
    #[arg(long, value_name = "DIR", conflicts_with = "to", value_parser = super::paths::path())]
    prefix: Option<PathBuf>,
    /// Make these links at ROCM_HOME and LLAMA_INSTALL_DIR of this .toolbox.env file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "prefix"], value_parser = super::paths::path())]
    prefix_from: Option<PathBuf>,
    /// Take inputs from this archive: a directory, a .tar file, or the address of `strixlock serve`, which is asked
    /// even with --offline
    #[arg(long, value_name = "DIR|FILE.tar|URL", value_parser = super::paths::archive)]
    from: Option<ArchiveName>,
    /// Method of copying files
    #[arg(long, value_parser = link_mode(), default_value = "auto", requires = "to")]
    link_mode: LinkMode,
    /// Replace what exists at the path of a copy; rename what exists at the path of a link of --prefix-from
    #[arg(short, long, conflicts_with = "prefix")]
    force: bool,
    /// Fail with exit code 4 if the lock is not up to date with the manifest
    #[arg(long)]
    locked: bool,
    /// Only show the plan
    #[arg(long, conflicts_with_all = ["to", "seal"])]
    dry_run: bool,
    /// Seal: write the resulting tree digests into the lock, with which later runs are compared
    #[arg(long)]
    seal: bool,
    /// Ask no remote before building
    #[arg(long)]
    no_remotes: bool,
    /// Make a generation of the outputs, and leave the current one as it is
    #[arg(long, conflicts_with_all = ["to", "prefix", "prefix_from"])]
    no_switch: bool,
    /// Run at most N compilers at a time [default: one per core, fewer if memory is short]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    /// Build on other machines: a service of the Remote Execution API, or `local` for this machine [default: as
    /// configured]
    #[arg(long, value_name = "reapi://HOST[:PORT]|local")]
    builder: Option<Builder>,
}

impl RealizeArgs {
    /// Returns true if this output is asked for.
    fn names(&self, output: &str) -> bool {
        self.outputs.is_empty() || self.outputs.iter().any(|name| name == output)
    }
}

pub fn run(args: &RealizeArgs, session: &Session) -> Result<u8> {
    let (ui, begun) = (&session.ui, Instant::now());
    if let Some(prefix) = &args.prefix {
        prefix::check(prefix)?;
    }
    let lock_path = session.project.lock_path();
    // With --locked a stale lock is refused, which needs no warning.
    let mut lock = if args.locked { session.fresh_lock()? } else { session.lock_to_use()? }.clone();
    if args.seal {
        // Outputs that get a new seal are not compared with the old one.
        let sealed = lock.outputs.iter_mut().filter(|(name, _)| args.names(name));
        sealed.for_each(|(_, output)| output.remove_seal());
    }
    let advisories = heed(session, &lock)?;
    let store = session.store()?;
    // A wrong name is told before anything is planned.
    let archive = args.from.as_ref().map(|name| session.open_archive(name)).transpose()?;
    let make_plan = || if args.seal { Plan::to_seal } else { Plan::new }(&lock, store, &args.outputs);
    let plan = make_plan()?;
    let has_all = plan.steps.iter().all(|step| step.action == Action::Have);
    // A read-only store will do if it has everything already.
    if store.can_write() {
        store.register_lock(&lock_path)?;
    } else if !has_all && !args.dry_run {
        store.demand_writable()?;
    }
    let mut places = places(args, &lock)?;
    places.retain(|name, _| plan.steps.iter().any(|step| step.what == StepKind::Output && step.name == *name));
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
        ui.result(serde_json::json!({ "steps": plan.steps, "bytes": plan.bytes() }), || ui.table(&planned(&plan)));
        return Ok(0);
    }
    let (plan, received) = from_remotes(args, session, &lock, plan, &make_plan)?;
    if plan.steps.iter().any(|step| step.action != Action::Have) {
        ui.note(&planned(&plan).lines(table::stderr_width()).join("\n"));
    }
    let realizer = make_realizer(args, session, &lock)?;
    let taken = archive.map(|archive| archive.take(&to_fetch(&plan, &lock))).transpose()?;
    report_taken(ui, taken.as_ref());
    let realized = realizer.run(&plan)?;
    ui.total();
    for warning in unknown_models(&lock, store)? {
        ui.warning(&warning);
    }
    let named = |name: &String| args.names(name);
    if args.seal {
        lock = seal(&lock_path, &lock, realized.iter().filter(|(name, _)| named(name)))?;
    }
    let (mut generation, mut left) = (None, Vec::new());
    if let Some(to) = &args.to {
        write_copies(args, store, to, realized.iter().filter(|(name, _)| named(name)))?;
    } else if args.no_switch {
        generation = Some((None, keep(&profile, &lock, &realized)?));
    } else {
        let from = PreviousGeneration::of(&profile)?;
        let (number, _) = switch(&profile, &lock, &realized)?;
        generation = Some((from, number));
        left = make_links(ui, &places, &realized, store, &profile)?;
    }
    let realized = realized.into_iter().filter(|(name, _)| named(name)).collect();
    if ui.is_json() {
        let generation = generation.as_ref().map(|(_, number)| (&profile, *number));
        let mut value = to_json(args, &realized, generation, &left);
        value["advisories"] = serde_json::json!(advisories);
        value["from"] = serde_json::json!(taken);
        value["received"] = serde_json::json!(received);
        ui.json(value);
    } else {
        let table = result(args, &lock, &plan, &realized, &received, begun.elapsed())?;
        ui.table(&table);
        if let Some((_, number)) = generation.as_ref().filter(|_| args.no_switch) {
            ui.line(format!("generation {number} is kept: `strixlock switch {number}` makes it current"));
        } else if let Some((from, number)) = &generation {
            report_switch(ui, &profile, from.as_ref(), *number)?;
            ui.line(format!("current: {}", shown(&profile.current_link())));
        }
        report_left(ui, &left);
        report_caches(ui, &realized);
        if let Some((_, number)) = generation.as_ref().filter(|_| !args.no_switch) {
            tell_first_command(session, *number);
        }
    }
    if args.seal {
        report_sealed(session, &lock_path);
    }
    Ok(if left.is_empty() { 0 } else { Kind::Unfit as u8 })
}

/// Reports what builds took from the compiler cache.
fn report_caches(ui: &Ui, realized: &BTreeMap<String, Realized>) {
    for (name, output) in realized {
        if let Some(used) = &output.compile_cache {
            ui.line(format!("{name}: {used}"));
        }
    }
}

/// Returns the realizer with the settings of these options.
fn make_realizer<'s>(args: &RealizeArgs, session: &'s Session, lock: &'s Lock) -> Result<Realizer<'s>> {
    let mut realizer = if args.seal {
        session.sealing_realizer(lock, args.jobs)?
    } else {
        session.caching_realizer(lock, args.jobs)?
    };
    if let Some(named) = &args.builder {
        realizer.settings.builder = session.builder(Some(named))?;
    }
    Ok(realizer)
}

/// Takes outputs from remotes, and plans what is left.
fn from_remotes(
    args: &RealizeArgs,
    session: &Session,
    lock: &Lock,
    plan: Plan,
    make_plan: &dyn Fn() -> Result<Plan>,
) -> Result<(Plan, Vec<ReceivedOutput>)> {
    if args.no_remotes || plan.steps.iter().all(|step| step.action == Action::Have) {
        return Ok((plan, Vec::new()));
    }
    // A seal is for what was made here.
    let is_sealed = |name: &str| args.seal && args.names(name);
    let mut taking = Taking::open(session, None)?;
    let plan = taking.take_planned(lock, plan, &is_sealed, make_plan)?;
    Ok((plan, taking.into_taken()))
}

/// Writes plain copies of outputs below a directory.
fn write_copies<'r>(
    args: &RealizeArgs,
    store: &Store,
    to: &Path,
    mut outputs: impl Iterator<Item = (&'r String, &'r Realized)>,
) -> Result<()> {
    if std::path::absolute(to)?.starts_with(store.root()) {
        return Err(Error::new(Kind::Usage, "cannot write copies into the store").fact("path", to.display()));
    }
    outputs
        .try_for_each(|(name, output)| checkout(&output.tree, &to.join(name), args.link_mode, args.force).about(name))
}

/// Returns the inputs that a plan fetches.
fn to_fetch<'l>(plan: &Plan, lock: &'l Lock) -> Vec<(&'l str, &'l LockedInput)> {
    let fetches = plan.steps.iter().filter(|step| matches!(step.action, Action::Fetch { .. }));
    let input = |name: &String| lock.inputs.get_key_value(name).map(|(name, input)| (name.as_str(), input));
    fetches.filter(|step| step.what == StepKind::Input).filter_map(|step| input(&step.name)).collect()
}

/// Reports what was taken from an archive, and what it does not have.
fn report_taken(ui: &Ui, taken: Option<&Taken>) {
    let Some(taken) = taken else { return };
    if taken.files > 0 {
        let files = text::counted(taken.files as usize, "file");
        ui.note(&format!("took {files}, {}, from {}", text::bytes(taken.bytes), taken.archive));
    }
    for input in &taken.lacking {
        ui.warning(&format!("{input}: the archive does not have all of it, which is left to upstream"));
    }
}

/// Writes the resulting tree digests into the lock. Reads it again first, since it may have been updated during the
/// build.
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

/// Reports that the lock was written, and warns if REPRODUCIBLE.md was made from the lock before.
fn report_sealed(session: &Session, lock: &Path) {
    let ui = &session.ui;
    if !ui.is_json() {
        ui.line(format!("wrote {}", lock.display()));
    }
    let page = session.project.directory().join("REPRODUCIBLE.md");
    let fits = |there: &str| {
        let lock = Lock::read(lock)?;
        fits(there, &lock, &Known::read(&lock, session.store()?))
    };
    if fs_err::read_to_string(&page).is_ok_and(|there| fits(&there).is_ok_and(|fits| !fits)) {
        ui.warning(&format!("{} is no longer up to date: run `strixlock audit`", page.display()));
    }
}

/// Returns the path of each output's link, if links were asked for.
fn places(args: &RealizeArgs, lock: &Lock) -> Result<BTreeMap<String, PathBuf>> {
    let Some(file) = &args.prefix_from else {
        return Ok(args.prefix.as_ref().map(|prefix| below(prefix, lock)).unwrap_or_default());
    };
    let env = ToolboxEnv::read(file)?;
    let mut wanted = [("rocm", env.rocm_home), ("llama", env.llama_install_dir)];
    let place = |(name, output): (&String, &LockedOutput)| {
        let kind = if output.recipe.is(OutputRole::Rocm) { "rocm" } else { output.recipe.kind() };
        let named = wanted.iter_mut().find(|(wanted, _)| *wanted == kind);
        // A second output of the same kind keeps its own prefix.
        let place = named.and_then(|(_, place)| place.take()).or(lock.prefix_of(name).map(str::to_owned))?;
        Some((name.clone(), PathBuf::from(place)))
    };
    Ok(uncovered(lock).filter_map(place).collect())
}

/// Fails if two outputs would have the same path, or one would lie inside the other.
fn demand_apart(places: &BTreeMap<String, PathBuf>) -> Result<()> {
    for (at, (name, place)) in places.iter().enumerate() {
        if let Some((other, there)) = places.iter().take(at).find(|(_, there)| place::overlap(place, there)) {
            return Err(Error::failure("the paths of two outputs overlap")
                .fact("path", format!("{}  {name}", place.display()))
                .fact("other", format!("{}  {other}", there.display())));
        }
    }
    Ok(())
}

/// Returns paths for all outputs in one directory, named like their own prefixes.
fn below(prefix: &Path, lock: &Lock) -> BTreeMap<String, PathBuf> {
    let place = |(name, _): (&String, &LockedOutput)| {
        Some((name.clone(), prefix.join(Path::new(lock.prefix_of(name)?).file_name()?)))
    };
    uncovered(lock).filter_map(place).collect()
}

/// Returns the outputs that no other is laid over: one that is has given its place away. Variants have the prefix of
/// the output that they are one of, which keeps it.
fn uncovered(lock: &Lock) -> impl Iterator<Item = (&String, &LockedOutput)> {
    let covered: BTreeSet<&str> = lock.outputs.values().filter_map(|output| output.recipe.base()).collect();
    lock.outputs.iter().filter(move |(name, _)| !covered.contains(name.as_str()) && lock.variant(name).is_none())
}

/// Makes the links. Returns the commands for those that only root can make.
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
                ui.warning(&format!("{} was not made by strixlock: renamed to {}", place.display(), backup.display()));
            }
            Linked::Replaced(old) => {
                let (place, old) = (place.display(), old.display());
                ui.warning(&format!(
                    "{place} pointed to {old}: it now points to the generations of {}",
                    described(profile)
                ));
            }
            Linked::LeftForRoot(command) => left.push(command),
        }
    }
    Ok(left)
}

/// Returns the plan as a table.
fn planned(plan: &Plan) -> Table {
    let mut table = Table::new([
        Column::word("do"),
        Column::number("size"),
        Column::word("what"),
        Column::name("name"),
        Column::text("version"),
    ]);
    for step in &plan.steps {
        let (action, bytes) = match step.action {
            Action::Have => ("have", None),
            Action::Fetch { bytes } => ("fetch", bytes),
            Action::Thaw => ("unpack", None),
            Action::Build => ("build", None),
        };
        let bytes = bytes.map(text::bytes).unwrap_or_default();
        table.row([action, &bytes, step.what.word(), &step.name, &step.short]);
    }
    let known = plan.steps.iter().filter(|step| matches!(step.action, Action::Fetch { bytes: Some(_) }));
    if known.count() > 1 {
        table.row(["total", &text::bytes(plan.bytes())]);
    }
    table
}

/// Returns the path at which the user finds an output.
fn path_of(args: &RealizeArgs, name: &str, output: &Realized) -> PathBuf {
    args.to.as_ref().map_or_else(|| output.tree.path.clone(), |to| to.join(name))
}

fn to_json(
    args: &RealizeArgs,
    realized: &BTreeMap<String, Realized>,
    generation: Option<(&Profile, u64)>,
    left: &[String],
) -> serde_json::Value {
    let outputs: serde_json::Map<_, _> = realized
        .iter()
        .map(|(name, output)| {
            let value = serde_json::json!({
                "derivation": output.derivation,
                "tree": output.tree.digest,
                "path": path_of(args, name, output).display().to_string(),
                "version": output.version,
                "made": output.fresh,
                "compile_cache": output.compile_cache,
            });
            (name.clone(), value)
        })
        .collect();
    serde_json::json!({
        "outputs": outputs,
        "profile": generation.map(|(profile, _)| profile.name()),
        "generation": generation.map(|(_, number)| number),
        "current": generation.map(|(profile, _)| profile.current_link().display().to_string()),
        "sealed": args.seal,
        "left_for_root": left,
    })
}

/// Returns the table of results: versions, sizes, where each output came from, and how long that took.
fn result(
    args: &RealizeArgs,
    lock: &Lock,
    plan: &Plan,
    realized: &BTreeMap<String, Realized>,
    received: &[ReceivedOutput],
    time: Duration,
) -> Result<Table> {
    let mut table = Table::new([
        Column::name("output"),
        Column::text("version"),
        Column::number("size"),
        Column::word("result"),
        Column::number("time"),
        Column::name("path"),
    ]);
    let mut total = 0_u64;
    for (name, output) in lock.ordered().into_iter().filter_map(|name| realized.get_key_value(name)) {
        let size = output.tree.listing()?.total_size();
        total = total.saturating_add(size);
        let path = args.to.as_ref().map(|_| shown(&path_of(args, name, output))).unwrap_or_default();
        let is_received = received.iter().any(|one| one.output == *name);
        let result = if is_received { "received" } else { origin(lock, plan, name, output) };
        // Finding a tree takes no time worth a column, and downloads have lines of their own.
        let spent = if result == "built" { took(output.time) } else { String::new() };
        table.row([name.as_str(), &short_version(lock, name), &text::bytes(size), result, &spent, &path]);
    }
    table.row(["total", "", &text::bytes(total), "", &took(time)]);
    Ok(table)
}

/// Returns the word for where a realized output came from.
fn origin(lock: &Lock, plan: &Plan, name: &str, output: &Realized) -> &'static str {
    let step = |what: StepKind, name: &str| plan.steps.iter().find(|step| step.what == what && step.name == name);
    let is_fetched =
        |input: &str| step(StepKind::Input, input).is_some_and(|step| matches!(step.action, Action::Fetch { .. }));
    let recipe = lock.outputs.get(name).map(|output| &output.recipe);
    if step(StepKind::Output, name).is_some_and(|step| step.action == Action::Thaw) {
        return "unpacked";
    }
    match recipe.filter(|recipe| recipe.origin() == Origin::Taken) {
        Some(recipe) if recipe.inputs().iter().any(|(_, input)| is_fetched(input)) => "fetched",
        None if output.fresh => "built",
        _ => "present",
    }
}

/// Prints the command that runs a program of the new generation, if it has one.
fn tell_first_command(session: &Session, number: u64) {
    let outputs = super::run::outputs(session, Some(number)).ok();
    if let Some(command) = outputs.and_then(|outputs| outputs.first_command()) {
        session.ui.note(&format!("run it: `{command}`"));
    }
}

/// Prints the commands for the links that only root can make.
fn report_left(ui: &Ui, left: &[String]) {
    if !left.is_empty() {
        ui.line("run these commands as root once; the links then follow every switch:");
    }
    for command in left {
        ui.line(format!("  {command}"));
    }
}
