//! `strixlock switch`, and the report of every switch

use std::str::FromStr;

use super::current_generation::CurrentGeneration;
use super::session::described;
use super::ui::GOOD;
use super::versions::{OutputVersion, changes, versions};
use super::{Session, Ui};
use crate::error::{Error, Kind, Result};
use crate::store::{Generation, Profile};

/// Switch to a generation
///
/// `strixlock switch -` goes back to the one that was current before, as `cd -` does.
#[derive(Debug, clap::Args)]
pub struct SwitchArgs {
    /// Number of the generation, or `-` for the one before
    #[arg(value_name = "GENERATION")]
    generation: Target,
}

/// A generation on the command line.
#[derive(Debug, Clone, Copy)]
enum Target {
    Number(u64),
    Previous,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "-" => Ok(Self::Previous),
            number => number.parse().map(Self::Number).map_err(|_| {
                "expected a number, as `strixlock generations` lists them, or `-` for the one before".to_owned()
            }),
        }
    }
}

pub fn run(args: &SwitchArgs, session: &Session) -> Result<u8> {
    let profile = session.profile_there()?;
    let number = match args.generation {
        Target::Number(number) => number,
        Target::Previous => profile.previous()?.ok_or_else(|| {
            Error::new(Kind::NotFound, "there is no generation that was current before")
                .fact("profile", described(&profile))
                .hint("`strixlock generations` lists those that there are")
        })?,
    };
    go(session, &profile, number)
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
            "changes": from.as_ref().map(|from| from.changes(profile, number)).transpose()?,
            "current": profile.current_link().display().to_string(),
        }));
        return Ok(0);
    }
    report_switch(ui, profile, from.as_ref(), number)?;
    remind(session, profile);
    Ok(0)
}

/// Says that the lock pins something else than the current generation has. Without a lock, or with an invalid one,
/// there is nothing to say.
fn remind(session: &Session, profile: &Profile) {
    let Ok(Some(lock)) = session.lock_if_there() else { return };
    if let Ok(Some(generation)) = CurrentGeneration::of(profile, lock)
        && !generation.differs.is_empty()
    {
        let (other, command) = (generation.pinned_instead(lock), generation.command());
        session.ui.note(&format!("the lock still pins {other}: `{command}` goes back to that"));
    }
}

/// The generation that was current before a switch.
pub struct PreviousGeneration {
    number: u64,
    generation: Generation,
    versions: Vec<OutputVersion>,
}

impl PreviousGeneration {
    /// Returns the current generation of a profile.
    pub fn of(profile: &Profile) -> Result<Option<Self>> {
        let Some(number) = profile.current()? else { return Ok(None) };
        let generation = profile.generation(number)?;
        let versions = versions(profile, number, &generation);
        Ok(Some(Self { number, generation, versions }))
    }

    /// Returns the differences to another generation, one line each.
    fn changes(&self, profile: &Profile, number: u64) -> Result<Vec<String>> {
        let generation = profile.generation(number)?;
        let same = |name: &str| {
            let tree = |generation: &Generation| generation.outputs.get(name).map(|output| output.tree);
            tree(&generation) == tree(&self.generation)
        };
        Ok(changes(&self.versions, &versions(profile, number, &generation), same))
    }
}

/// Reports that a generation is current now, and what changed by that.
pub fn report_switch(ui: &Ui, profile: &Profile, from: Option<&PreviousGeneration>, number: u64) -> Result<()> {
    let Some(from) = from else {
        ui.line(format!("{GOOD}switched{GOOD:#} to generation {number}"));
        return Ok(());
    };
    if from.number == number {
        ui.line(format!("generation {number} is current already"));
        return Ok(());
    }
    ui.line(format!("{GOOD}switched{GOOD:#} from generation {} to {number}", from.number));
    for change in from.changes(profile, number)? {
        ui.line(format!("  {change}"));
    }
    Ok(())
}
