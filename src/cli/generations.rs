//! `strixlock generations`, `switch` and `rollback`

use std::time::UNIX_EPOCH;

use super::profile::described;
use super::ui::{DIM, GOOD};
use super::versions::{changes, line, versions};
use super::{GlobalArgs, Ui};
use crate::error::{Error, Kind, Result};
use crate::store::{Generation, Profile, ProfileName, Store};
use crate::text;

/// List the generations of this project's profile
#[derive(Debug, clap::Args)]
pub struct GenerationsArgs {
    /// List those of every profile in the store, with the projects that they belong to
    #[arg(long)]
    all: bool,
    /// First make this profile the project's own: after its directory was moved
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    adopt: Option<ProfileName>,
}

/// Switch to a generation
#[derive(Debug, clap::Args)]
pub struct SwitchArgs {
    /// Its number
    number: u64,
}

/// Switch to the next older generation
#[derive(Debug, clap::Args)]
pub struct RollbackArgs {}

pub fn generations(ui: &Ui, global: &GlobalArgs, args: &GenerationsArgs) -> Result<u8> {
    let store = global.open_store()?;
    if let Some(name) = &args.adopt {
        let places = global.places();
        let Some(place) = places.first().filter(|place| place.is_file()) else {
            return Err(Error::new(Kind::NotFound, "there is no project here that could have the profile")
                .hint("run it where the manifest or the lock is"));
        };
        store.adopt_profile(name, place)?;
    }
    if args.all {
        let profiles = store.profiles()?;
        if ui.is_json() {
            let all = profiles.iter().map(to_json).collect::<Result<Vec<_>>>()?;
            ui.json(serde_json::json!({ "profiles": all }));
            return Ok(0);
        }
        for profile in &profiles {
            show(ui, profile)?;
        }
        if profiles.is_empty() {
            ui.note("there are no generations yet: `strixlock realize` makes the first");
        }
        return Ok(0);
    }
    let profile = global.profile_there(ui, &store)?;
    if ui.is_json() {
        ui.json(to_json(&profile)?);
    } else if profile.generations()?.is_empty() {
        let others =
            if store.profiles()?.is_empty() { "" } else { "; `strixlock generations --all` lists those of others" };
        ui.note(&format!("there are no generations yet: `strixlock realize` makes the first{others}"));
    } else {
        show(ui, &profile)?;
    }
    Ok(0)
}

fn show(ui: &Ui, profile: &Profile) -> Result<()> {
    ui.line(format!("{DIM}profile {}{DIM:#}", described(profile)));
    let current = profile.current()?;
    let mut rows = Vec::new();
    for number in profile.generations()? {
        let generation = profile.generation(number)?;
        let mark = if Some(number) == current { "*" } else { " " };
        let what = line(&versions(profile, number, &generation));
        rows.push(vec![format!("{mark} {number}"), text::date(made(profile, number)?), what]);
    }
    ui.table(&rows);
    Ok(())
}

fn to_json(profile: &Profile) -> Result<serde_json::Value> {
    let current = profile.current()?;
    let mut all = Vec::new();
    for number in profile.generations()? {
        let generation = profile.generation(number)?;
        all.push(serde_json::json!({
            "number": number,
            "current": Some(number) == current,
            "made": made(profile, number)?,
            "lock": generation.lock,
            "outputs": generation.outputs,
        }));
    }
    Ok(serde_json::json!({
        "profile": profile.name(),
        "project": profile.project().map(|project| project.display().to_string()),
        "gone": profile.is_gone(),
        "current": profile.current_link().display().to_string(),
        "generations": all,
    }))
}

/// Returns when a generation was made, in seconds since 1970.
fn made(profile: &Profile, number: u64) -> Result<i64> {
    let since = profile.made(number)?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

pub fn switch(ui: &Ui, global: &GlobalArgs, args: &SwitchArgs) -> Result<u8> {
    let store = global.open_store()?;
    let profile = global.profile_there(ui, &store)?;
    go(ui, &store, &profile, args.number)
}

pub fn rollback(ui: &Ui, global: &GlobalArgs, _args: &RollbackArgs) -> Result<u8> {
    let store = global.open_store()?;
    let profile = global.profile_there(ui, &store)?;
    let current = profile.current()?.ok_or_else(|| {
        Error::new(Kind::NotFound, "there is no generation to roll back from")
            .fact("profile", described(&profile))
            .hint("`strixlock realize` makes the first")
    })?;
    let older = profile.generations()?.into_iter().rfind(|number| *number < current).ok_or_else(|| {
        Error::new(Kind::NotFound, format!("there is no generation older than {current}"))
            .fact("profile", described(&profile))
    })?;
    go(ui, &store, &profile, older)
}

fn go(ui: &Ui, store: &Store, profile: &Profile, number: u64) -> Result<u8> {
    let from = Standing::of(profile)?;
    store.thaw_generation(&profile.generation(number)?, &*ui.progress)?;
    profile.switch(number)?;
    if ui.is_json() {
        ui.json(serde_json::json!({
            "profile": profile.name(),
            "from": from.as_ref().map(|from| from.number),
            "generation": number,
            "current": profile.current_link().display().to_string(),
        }));
    } else {
        told(ui, profile, from.as_ref(), number)?;
    }
    Ok(0)
}

/// A generation as it was before another was switched to.
pub struct Standing {
    number: u64,
    generation: Generation,
    versions: Vec<(String, String)>,
}

impl Standing {
    /// Returns the current generation of a profile.
    pub fn of(profile: &Profile) -> Result<Option<Self>> {
        let Some(number) = profile.current()? else { return Ok(None) };
        let generation = profile.generation(number)?;
        let versions = versions(profile, number, &generation);
        Ok(Some(Self { number, generation, versions }))
    }
}

/// Tells that a generation is current now, where it is, and what changed by that.
pub fn told(ui: &Ui, profile: &Profile, from: Option<&Standing>, number: u64) -> Result<()> {
    if from.is_some_and(|from| from.number == number) {
        ui.line(format!("generation {number} is current already"));
        return Ok(());
    }
    ui.line(format!("{GOOD}switched{GOOD:#} to generation {number}: {}", profile.current_link().display()));
    let Some(from) = from else { return Ok(()) };
    let generation = profile.generation(number)?;
    let same = |name: &str| {
        let tree = |generation: &Generation| generation.outputs.get(name).map(|output| output.tree);
        tree(&generation) == tree(&from.generation)
    };
    ui.line(format!("from {}:", from.number));
    for change in changes(&from.versions, &versions(profile, number, &generation), same) {
        ui.line(format!("  {change}"));
    }
    Ok(())
}
