//! `strixlock generations`, `switch` and `rollback`

use super::ui::GOOD;
use super::{GlobalArgs, Ui};
use crate::error::{Error, Kind, Result};
use crate::store::Store;

/// List the generations
#[derive(Debug, clap::Args)]
pub struct GenerationsArgs {}

/// Switch to a generation
#[derive(Debug, clap::Args)]
pub struct SwitchArgs {
    /// Its number
    number: u64,
}

/// Switch to the next older generation
#[derive(Debug, clap::Args)]
pub struct RollbackArgs {}

pub fn generations(ui: &Ui, global: &GlobalArgs, _args: &GenerationsArgs) -> Result<u8> {
    let store = global.open_store()?;
    let current = store.current_generation()?;
    let mut all = Vec::new();
    for number in store.generations()? {
        all.push((number, store.generation(number)?));
    }
    if ui.is_json() {
        let all: Vec<_> = all
            .iter()
            .map(|(number, generation)| serde_json::json!({ "number": number, "current": Some(*number) == current, "lock": generation.lock, "outputs": generation.outputs }))
            .collect();
        ui.json(serde_json::json!({ "generations": all }));
        return Ok(0);
    }
    if all.is_empty() {
        ui.note("there are no generations yet: `strixlock realize` makes the first");
    }
    let mut rows = Vec::new();
    for (number, generation) in &all {
        let mark = if Some(*number) == current { "*" } else { " " };
        for (index, (name, output)) in generation.outputs.iter().enumerate() {
            let first = if index == 0 { format!("{mark} {number}") } else { String::new() };
            rows.push(vec![first, name.clone(), output.version.clone()]);
        }
    }
    ui.table(&rows);
    Ok(0)
}

pub fn switch(ui: &Ui, global: &GlobalArgs, args: &SwitchArgs) -> Result<u8> {
    let store = global.open_store()?;
    store.thaw_generation(args.number, &*ui.progress)?;
    store.switch_generation(args.number)?;
    told(ui, &store, args.number);
    Ok(0)
}

pub fn rollback(ui: &Ui, global: &GlobalArgs, _args: &RollbackArgs) -> Result<u8> {
    let store = global.open_store()?;
    let current = store.current_generation()?.ok_or_else(|| {
        Error::new(Kind::NotFound, "there is no generation to roll back from")
            .hint("`strixlock realize` makes the first")
    })?;
    let older = store
        .generations()?
        .into_iter()
        .rfind(|number| *number < current)
        .ok_or_else(|| Error::new(Kind::NotFound, format!("there is no generation older than {current}")))?;
    store.thaw_generation(older, &*ui.progress)?;
    store.switch_generation(older)?;
    told(ui, &store, older);
    Ok(0)
}

fn told(ui: &Ui, store: &Store, number: u64) {
    if ui.is_json() {
        ui.json(serde_json::json!({ "generation": number }));
    } else {
        ui.line(format!("{GOOD}switched{GOOD:#} to generation {number}: {}", store.root().join("current").display()));
    }
}
