//! `strixlock generations`

use std::collections::BTreeSet;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use super::paths::shown;
use super::table::{Column, Table};
use super::versions::{line, versions};
use super::{Session, Ui};
use crate::error::{Error, Kind, Result};
use crate::store::{Generation, Profile, ProfileName, Store};
use crate::text;
use crate::validate::{self, Validation};

/// List the generations of this project's profile
#[derive(Debug, clap::Args)]
pub struct GenerationsArgs {
    /// List the generations of every profile in the store, with their projects
    #[arg(long)]
    all: bool,
    /// Show every output of each generation, with its version, size and tree
    #[arg(long)]
    outputs: bool,
    /// Take over this profile first, after the project directory was moved
    #[arg(long, value_name = "PROFILE", conflicts_with = "all")]
    adopt: Option<ProfileName>,
}

pub fn run(args: &GenerationsArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let store = session.store()?;
    if let Some(name) = &args.adopt {
        let places = session.project.places();
        let Some(place) = places.first().filter(|place| place.is_file()) else {
            return Err(Error::new(Kind::NotFound, "there is no project here to take over the profile")
                .hint("run this in the directory of the manifest or the lock"));
        };
        store.adopt_profile(name, place)?;
        ui.note(&format!("the generations of {name} now belong to this project"));
    }
    if args.all {
        let profiles = store.profiles()?;
        if ui.is_json() {
            let all = profiles.iter().map(|profile| to_json(store, profile)).collect::<Result<Vec<_>>>()?;
            ui.json(json!({ "profiles": all }));
            return Ok(0);
        }
        if profiles.is_empty() {
            ui.note("there are no generations yet: `strixlock realize` makes the first");
        }
        return show(ui, store, &profiles, true, args.outputs).map(|()| 0);
    }
    let profile = session.profile_there()?;
    if ui.is_json() {
        ui.json(to_json(store, &profile)?);
    } else if profile.generations()?.is_empty() {
        let others = if store.profiles()?.is_empty() {
            ""
        } else {
            "; `strixlock generations --all` lists those of other projects"
        };
        ui.note(&format!("there are no generations yet: `strixlock realize` makes the first{others}"));
    } else {
        let usual = store.profile_of(&session.project.places())?;
        let is_usual = usual.name() == profile.name();
        show(ui, store, std::slice::from_ref(&profile), !is_usual, args.outputs)?;
    }
    Ok(0)
}

fn show(ui: &Ui, store: &Store, profiles: &[Profile], with_project: bool, with_outputs: bool) -> Result<()> {
    let mut table = Table::new([
        Column::word(""),
        Column::number("generation"),
        Column::word("made"),
        Column::number("size").spare(),
        Column::word("validation").spare(),
        Column::text("versions"),
        Column::name("profile").spare(),
        Column::name("project"),
    ]);
    for profile in profiles {
        let current = profile.current()?;
        for number in profile.generations()? {
            let generation = profile.generation(number)?;
            let versions = versions(profile, number, &generation);
            let project = match profile.project().filter(|_| with_project) {
                Some(project) if profile.is_gone() => format!("{} (missing)", shown(project)),
                Some(project) => shown(project),
                None => String::new(),
            };
            table.row([
                if Some(number) == current { "*" } else { "" }.to_owned(),
                number.to_string(),
                minute(made(profile, number)?),
                text::bytes(size(store, &generation)?),
                verdict(validation(profile, &generation).as_ref()),
                line(&versions),
                if with_project { profile.name().to_string() } else { String::new() },
                project,
            ]);
            for output in versions.iter().filter(|_| with_outputs) {
                let Some(there) = generation.outputs.get(&output.name) else { continue };
                let size = store.listing(there.tree)?.map(|listing| text::bytes(listing.total_size()));
                let named = format!("{} {}", output.name, output.short);
                let what = format!("{}, tree {}", named.trim_end(), &there.tree.hex()[..12]);
                table.row([String::new(), String::new(), String::new(), size.unwrap_or_default(), String::new(), what]);
            }
        }
    }
    ui.table(&table);
    Ok(())
}

/// Returns a time without its seconds.
fn minute(seconds: i64) -> String {
    let whole = text::date(seconds);
    whole.get(..16).unwrap_or(&whole).to_owned()
}

/// Returns the validation of a generation's lock, in the project that the profile belongs to.
fn validation(profile: &Profile, generation: &Generation) -> Option<Validation> {
    validate::of(&profile.project()?.join("validation"), generation.lock)
}

fn verdict(validation: Option<&Validation>) -> String {
    match validation {
        None => "not run".to_owned(),
        Some(validation) => {
            let verdict = if validation.passed() { "passed" } else { "failed" };
            format!("{verdict} ({})", validation.device.name())
        }
    }
}

/// Returns the size of a generation's trees, as if each had its own files.
pub(super) fn size(store: &Store, generation: &Generation) -> Result<u64> {
    let trees: BTreeSet<_> = generation.outputs.values().map(|output| output.tree).collect();
    let mut size = 0_u64;
    for tree in trees {
        size = size.saturating_add(store.listing(tree)?.map_or(0, |listing| listing.total_size()));
    }
    Ok(size)
}

fn to_json(store: &Store, profile: &Profile) -> Result<Value> {
    let current = profile.current()?;
    let mut all = Vec::new();
    for number in profile.generations()? {
        let generation = profile.generation(number)?;
        let validation = validation(profile, &generation);
        all.push(json!({
            "number": number,
            "current": Some(number) == current,
            "made": text::rfc3339(made(profile, number)?),
            "size": size(store, &generation)?,
            "versions": line(&versions(profile, number, &generation)),
            "validation": validation.map(|validation| {
                json!({ "passed": validation.passed(), "device": validation.device, "time": text::rfc3339(validation.time) })
            }),
            "lock": generation.lock,
            "outputs": generation.outputs,
        }));
    }
    Ok(json!({
        "profile": profile.name(),
        "project": profile.project().map(|project| project.display().to_string()),
        "gone": profile.is_gone(),
        "current": profile.current_link().display().to_string(),
        "previous": profile.previous()?,
        "generations": all,
    }))
}

/// Returns when a generation was made, in seconds since 1970.
pub(super) fn made(profile: &Profile, number: u64) -> Result<i64> {
    let since = profile.made(number)?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
