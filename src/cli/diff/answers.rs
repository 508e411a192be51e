//! `strixlock diff --answers`

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::side::Named;
use crate::cli::choices::device;
use crate::cli::validate::against::{contradiction, show};
use crate::cli::{Session, Ui};
use crate::error::{Error, Kind, Result};
use crate::progress::{Doing, Unit};
use crate::validate::{Against, Comparand, Device, Extent, Options, against};

/// Time limit for each program.
const LIMIT: Duration = Duration::from_secs(600);

/// Options of --answers.
#[derive(Debug, clap::Args)]
pub(super) struct AnswerArgs {
    /// Run both, which must be realized, with one model on one device, and compare their answers token by token, and then
    /// their speeds; fail with exit code 10 if the answers contradict each other
    #[arg(long, conflicts_with = "markdown")]
    pub answers: bool,
    /// Input of the model for --answers, in the second lock [default: its only model]
    #[arg(long, value_name = "INPUT", requires = "answers")]
    model: Option<String>,
    /// Device to compute on for --answers [default: the GPU if both builds can use it]
    #[arg(long, value_parser = device(), requires = "answers")]
    device: Option<Device>,
}

/// The answers of both sides, compared.
pub(super) struct Answers {
    found: Against,
    logs: PathBuf,
}

impl AnswerArgs {
    /// Runs both sides, if that is wanted.
    pub fn compare(&self, session: &Session, (from, to): (&Named, &Named)) -> Result<Option<Answers>> {
        if !self.answers {
            return Ok(None);
        }
        let logs = session.project.directory().join("validation/diff");
        let options = Options {
            model: self.model.clone(),
            variant: None,
            device: self.device,
            extent: Extent::default(),
            limit: LIMIT,
            profile_generation: None,
            now: session.now,
        };
        let (before, after) = (comparand(from)?, comparand(to)?);
        let found = {
            let _task = session.ui.progress.begin(Doing::Validate, "both sides", None, Unit::Steps);
            against(after, before, session.intake()?, &options, &logs)?
        };
        Ok(Some(Answers { found, logs }))
    }
}

impl Answers {
    /// Returns the fields of `--json`.
    pub fn to_json(&self) -> Result<Value> {
        let found = serde_json::to_value(&self.found)
            .map_err(|error| Error::failure("cannot print the comparison").because(&error))?;
        Ok(json!({ "logs": self.logs.display().to_string(), "result": found }))
    }

    /// Returns the exit code.
    pub fn code(&self) -> u8 {
        if self.found.agree { 0 } else { Kind::Unfit as u8 }
    }

    /// Prints the comparison. Fails if the answers contradict each other.
    pub fn report(&self, ui: &Ui, from: &Named) -> Result<u8> {
        let Against { model, device, .. } = &self.found;
        ui.line(format!("answers of both with `{model}`, device {}:", device.name()));
        show(ui, &self.found);
        ui.line("nothing else was run: `strixlock validate` has further checks, each of one side alone");
        match contradiction(&self.found, &format!("those of {}", from.label), &self.logs) {
            None => Ok(0),
            Some(error) => Err(error.hint("`strixlock validate` says which of the two is wrong")),
        }
    }
}

fn comparand(side: &Named) -> Result<Comparand<'_>> {
    let lock = side.lock().ok_or_else(|| {
        Error::new(Kind::Invalid, format!("the lock of {} cannot be read", side.label))
            .hint("without --answers, what it holds is compared by digests")
    })?;
    Ok(Comparand { lock, realize: &side.realize })
}
