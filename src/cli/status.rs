//! `strixlock status`

use std::collections::BTreeMap;

use super::{GlobalArgs, Ui};
use crate::error::{Error, Kind, Result};
use crate::intake::{missing_blobs, missing_debs, missing_model};
use crate::lock::{Lock, LockedInput, staleness};
use crate::manifest::Manifest;
use crate::realize::{Action, Plan};
use crate::text;

/// Say whether the lock fits the manifest, and what of it is here; asks no network
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Fail with exit code 4 if the lock does not fit the manifest
    #[arg(long)]
    check: bool,
}

pub fn status(ui: &Ui, global: &GlobalArgs, args: &StatusArgs) -> Result<u8> {
    let manifest = Manifest::read(&global.manifest_path())?;
    let lock = Lock::read(&global.lock_path())?;
    let stale = staleness(&manifest, &lock);
    if args.check && !stale.is_fresh() {
        return Err(Error::new(Kind::Stale, "the lock does not fit the manifest")
            .fact("because", stale.reasons.join("; "))
            .hint("run `strixlock update`"));
    }
    let store = global.open_store()?;
    let plan = Plan::new(&lock, &store, &[])?;
    let current = store.current_generation()?;
    if ui.is_json() {
        ui.json(serde_json::json!({
            "fresh": stale.is_fresh(),
            "stale": stale.reasons,
            "steps": plan.steps,
            "models": lock.inputs.iter().filter_map(|(name, input)| Some((name, input.gguf()?))).collect::<BTreeMap<_, _>>(),
            "generation": current,
            "store": store.root().display().to_string(),
        }));
    } else {
        let mut rows = Vec::new();
        for (name, input) in &lock.inputs {
            let here = match input {
                LockedInput::File(block) => store.download(block.locked.sha256).is_some(),
                LockedInput::Huggingface(block) => missing_model(&store, &block.locked) == 0,
                LockedInput::Debs(block) => missing_debs(&store, &block.locked).next().is_none(),
                LockedInput::Oci(block) => missing_blobs(&store, &block.locked).next().is_none(),
                _ => input
                    .tree()
                    .is_some_and(|tree| store.tree(tree.digest).is_some() || store.cold(tree.digest).is_some()),
            };
            let state = if here { "here" } else { "not here" };
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
        if plan.bytes() > 0 {
            ui.line(format!("realizing what is missing fetches {}", text::bytes(plan.bytes())));
        }
        if let Some(current) = current {
            let trees = store.generation(current)?.outputs;
            let same = lock
                .outputs
                .iter()
                .all(|(name, output)| trees.get(name).is_some_and(|current| current.derivation == output.derivation));
            let differs = if same { "" } else { ", and not what the lock pins: `strixlock realize` switches to that" };
            ui.line(format!("generation {current} is current{differs}"));
        }
        for reason in &stale.reasons {
            ui.line(format!("stale: {reason}"));
        }
        ui.line(if stale.is_fresh() {
            "the lock answers the manifest"
        } else {
            "the lock is stale: run `strixlock update`"
        });
    }
    Ok(0)
}
