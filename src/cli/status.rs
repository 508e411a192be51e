//! `strixlock status`

use std::collections::BTreeMap;

use super::leaving::{LeavingPin, leaving};
use super::{Session, Ui};
use crate::error::Result;
use crate::lock::{Lock, Staleness};
use crate::manifest::Manifest;
use crate::realize::{Action, Plan, input_action};
use crate::store::{GenerationOutput, Profile, Store};
use crate::text;

/// Show if the lock is up to date with the manifest, and what is present; uses no network
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Fail with exit code 4 if the lock is not up to date with the manifest
    #[arg(long)]
    check: bool,
}

pub fn run(args: &StatusArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let manifest = session.manifest()?;
    let lock = session.lock_if_there()?;
    if args.check {
        session.fresh_lock()?;
    }
    let Some(lock) = lock else {
        nothing_locked(ui, manifest);
        return Ok(0);
    };
    let stale = crate::lock::staleness(manifest, lock);
    let store = session.store_to_read()?;
    let plan = Plan::new(lock, store, &[])?;
    let profile = session.profile()?;
    let generation = CurrentGeneration::of(&profile, lock)?;
    let leaving = leaving(session, lock, store)?;
    if ui.is_json() {
        let inputs = lock.inputs.iter().map(|(name, input)| {
            let action = input_action(store, input);
            (
                name,
                serde_json::json!({ "version": input.version(), "present": action == Action::Have, "action": action }),
            )
        });
        let models = lock.inputs.iter().filter_map(|(name, input)| Some((name, input.gguf()?)));
        ui.json(serde_json::json!({
            "locked": true,
            "fresh": stale.is_fresh(),
            "stale": stale.reasons,
            "inputs": inputs.collect::<BTreeMap<_, _>>(),
            "steps": plan.steps,
            "models": models.collect::<BTreeMap<_, _>>(),
            "generation": generation.as_ref().map(|generation| generation.current),
            "leaving": leaving,
            "earlier_seals": earlier_seals(lock),
            "differs": generation.as_ref().map(|generation| &generation.differs),
            "profile": profile.name(),
            "store": store.root().display().to_string(),
        }));
    } else {
        show(ui, store, lock, &plan, &leaving);
        show_currency(ui, generation.as_ref(), &stale);
    }
    Ok(0)
}

fn nothing_locked(ui: &Ui, manifest: &Manifest) {
    if ui.is_json() {
        let inputs: BTreeMap<_, _> = manifest
            .inputs
            .iter()
            .map(|(name, request)| (name, serde_json::json!({ "type": request.kind().name() })))
            .collect();
        ui.json(
            serde_json::json!({ "locked": false, "fresh": false, "stale": ["there is no lock"], "inputs": inputs }),
        );
        return;
    }
    let row = |(name, request): (&String, &crate::inputs::InputRequest)| {
        ["input", name, request.kind().name(), "not locked"].map(str::to_owned).to_vec()
    };
    ui.table(&manifest.inputs.iter().map(row).collect::<Vec<_>>());
    ui.line("there is no lock yet: run `strixlock update`");
}

fn show(ui: &Ui, store: &Store, lock: &Lock, plan: &Plan, leaving: &[LeavingPin]) {
    let mut rows = Vec::new();
    for (name, input) in &lock.inputs {
        let state = match input_action(store, input) {
            Action::Have => "present",
            Action::Thaw => "present, cold",
            Action::Fetch { .. } | Action::Build => "missing",
        };
        rows.push(vec!["input".into(), name.clone(), input.version(), state.into()]);
    }
    for step in plan.steps.iter().filter(|step| step.what == "output") {
        let state = match step.action {
            Action::Have => "realized",
            Action::Thaw => "realized, cold",
            Action::Fetch { .. } | Action::Build => "not realized",
        };
        rows.push(vec!["output".into(), step.name.clone(), step.version.clone(), state.into()]);
    }
    ui.table(&rows);
    for (name, input) in &lock.inputs {
        if let Some(facts) = input.gguf() {
            ui.line(format!("{name}: {}", facts.summary()));
        }
    }
    for name in earlier_seals(lock) {
        ui.line(format!(
            "{name}: sealed by a version of strixlock with another recipe for it; the seal is still valid, and \
             `strixlock realize {name} --seal` renews it"
        ));
    }
    for pin in leaving {
        ui.line(pin.text());
    }
    if plan.bytes() > 0 {
        ui.line(format!("`strixlock realize` fetches {}", text::bytes(plan.bytes())));
    }
}

/// Returns the outputs that were sealed by a version of strixlock with a different recipe.
fn earlier_seals(lock: &Lock) -> Vec<&str> {
    lock.outputs.iter().filter(|(_, output)| output.earlier.is_some()).map(|(name, _)| name.as_str()).collect()
}

/// Shows the current generation, and if the lock is up to date.
fn show_currency(ui: &Ui, generation: Option<&CurrentGeneration>, stale: &Staleness) {
    match generation {
        Some(generation) => ui.line(generation.text()),
        None => ui.line("there is no generation yet: `strixlock realize` makes the first"),
    }
    for reason in &stale.reasons {
        ui.line(format!("stale: {reason}"));
    }
    ui.line(if stale.is_fresh() {
        "the lock is up to date with the manifest"
    } else {
        "the lock is not up to date with the manifest: run `strixlock update`"
    });
}

/// The current generation, compared with the lock.
struct CurrentGeneration {
    /// Its number.
    current: u64,
    /// The newest generation.
    newest: u64,
    /// Outputs that differ: those that `realize` makes without being named, and images in the generation.
    differs: Vec<String>,
    /// True if all of these are images, which `realize` makes only if they are named.
    named: bool,
}

impl CurrentGeneration {
    /// Compares the current generation with the lock. Returns `None` if there is no generation.
    fn of(profile: &Profile, lock: &Lock) -> Result<Option<Self>> {
        let Some(current) = profile.current()? else { return Ok(None) };
        let trees = profile.generation(current)?.outputs;
        let newest = profile.generations()?.last().copied().unwrap_or(current);
        let usual: Vec<&String> = lock.usual_outputs().collect();
        let moved = |name: &String, there: Option<&GenerationOutput>| {
            lock.outputs.get(name).is_none_or(|locked| {
                // A seal decides, whichever recipe the tree was made by.
                there.is_none_or(|there| match locked.tree {
                    Some(tree) => tree != there.tree,
                    None => there.derivation != locked.derivation,
                })
            })
        };
        let unnamed: Vec<String> =
            usual.iter().filter(|name| moved(name, trees.get(**name))).map(|name| (*name).clone()).collect();
        let others = trees.iter().filter(|(name, there)| {
            !usual.contains(name) && lock.outputs.contains_key(*name) && moved(name, Some(there))
        });
        let named: Vec<String> = others.map(|(name, _)| name.clone()).collect();
        let only_named = unnamed.is_empty() && !named.is_empty();
        Ok(Some(Self { current, newest, differs: unnamed.into_iter().chain(named).collect(), named: only_named }))
    }

    fn text(&self) -> String {
        let Self { current, newest, differs, named } = self;
        let newer = if newest == current { String::new() } else { format!(" (the newest is {newest})") };
        if differs.is_empty() {
            return format!("generation {current} is current{newer} and up to date with the lock");
        }
        let names = differs.join(", ");
        let command =
            if *named { format!("strixlock realize {}", differs.join(" ")) } else { "strixlock realize".to_owned() };
        format!("generation {current} is current{newer} and differs from the lock in {names}: run `{command}`")
    }
}
