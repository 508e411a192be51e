//! `strixlock generations`

use std::time::UNIX_EPOCH;

use super::session::described;
use super::ui::DIM;
use super::versions::{line, versions};
use super::{Session, Ui};
use crate::error::{Error, Kind, Result};
use crate::store::{Profile, ProfileName};
use crate::text;

/// List the generations of this project's profile
#[derive(Debug, clap::Args)]
pub struct GenerationsArgs {
    /// List the generations of every profile in the store, with their projects
    #[arg(long)]
    all: bool,
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
    let profile = session.profile_there()?;
    if ui.is_json() {
        ui.json(to_json(&profile)?);
    } else if profile.generations()?.is_empty() {
        let others = if store.profiles()?.is_empty() {
            ""
        } else {
            "; `strixlock generations --all` lists those of other projects"
        };
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
