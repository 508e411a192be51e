//! `strixlock switch`, and the report of every switch

use super::ui::GOOD;
use super::versions::{changes, versions};
use super::{Session, Ui};
use crate::error::Result;
use crate::store::{Generation, Profile};

/// Switch to a generation
#[derive(Debug, clap::Args)]
pub struct SwitchArgs {
    /// Number of the generation
    #[arg(value_name = "GENERATION")]
    number: u64,
}

pub fn run(args: &SwitchArgs, session: &Session) -> Result<u8> {
    go(session, &session.profile_there()?, args.number)
}

/// Switches to a generation, and thaws it first if it was packed.
pub fn go(session: &Session, profile: &Profile, number: u64) -> Result<u8> {
    let ui = &session.ui;
    let from = PreviousGeneration::of(profile)?;
    session.store()?.thaw_generation(&profile.generation(number)?, &*ui.progress)?;
    profile.switch(number)?;
    if ui.is_json() {
        ui.json(serde_json::json!({
            "profile": profile.name(),
            "from": from.as_ref().map(|from| from.number),
            "generation": number,
            "current": profile.current_link().display().to_string(),
        }));
    } else {
        report_switch(ui, profile, from.as_ref(), number)?;
    }
    Ok(0)
}

/// The generation that was current before a switch.
pub struct PreviousGeneration {
    number: u64,
    generation: Generation,
    versions: Vec<(String, String)>,
}

impl PreviousGeneration {
    /// Returns the current generation of a profile.
    pub fn of(profile: &Profile) -> Result<Option<Self>> {
        let Some(number) = profile.current()? else { return Ok(None) };
        let generation = profile.generation(number)?;
        let versions = versions(profile, number, &generation);
        Ok(Some(Self { number, generation, versions }))
    }
}

/// Reports that a generation is current now, with its path and the changes.
pub fn report_switch(ui: &Ui, profile: &Profile, from: Option<&PreviousGeneration>, number: u64) -> Result<()> {
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
