//! `strixlock validate`

use super::choices::device;
use super::table::{Column, Table};
use super::{Session, Ui};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::progress::{Doing, Unit};
use crate::realize::unknown_models;
use crate::text;
use crate::validate::{Device, Options, Outcome, Validation, last, logs, moved, validate, write};

/// Run the realized llama.cpp with a model, and compare with the last validation
///
/// Runs a fixed prompt with a fixed seed, and llama-bench, in a sandbox with the base system of the build, llama.cpp
/// and the trimmed runtime. Writes validation/LOCK-DIGEST.json and .md beside lock/, with the logs. Fails with exit
/// code 10.
#[derive(Debug, clap::Args)]
pub struct ValidateArgs {
    /// Input of the model [default: the only model in the lock]
    #[arg(long, value_name = "INPUT")]
    model: Option<String>,
    /// Device to compute on [default: the GPU if the build can use it]
    #[arg(long, value_parser = device())]
    device: Option<Device>,
}

pub fn run(args: &ValidateArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock_to_use()?;
    let intake = session.intake()?;
    let directory = session.project.directory().join("validation");
    let digest = Sha256Digest::of(lock.to_text()?.as_bytes());
    let options = Options { model: args.model.clone(), device: args.device, now: session.now };
    for warning in unknown_models(lock, intake.store)? {
        ui.warning(&warning);
    }
    // It ends with this block, so that nothing is left of it beside the result.
    let validation = {
        let _task = ui.progress.begin(Doing::Validate, "the outputs", None, Unit::Steps);
        validate(lock, intake, &options, &logs(&directory, digest))?
    };
    let before = last(&directory, &validation)?;
    let moved = before.as_ref().map(|before| moved(before, &validation));
    let written = write(&directory, &validation, moved.as_deref())?;
    if ui.is_json() {
        let mut value = serde_json::to_value(&validation)
            .map_err(|error| Error::failure("cannot print the validation").because(&error))?;
        if let Some(map) = value.as_object_mut() {
            map.insert("time".to_owned(), text::rfc3339(validation.time).into());
            map.insert("passed".to_owned(), validation.passed().into());
            map.insert("moved".to_owned(), serde_json::json!(moved));
            map.insert("file".to_owned(), written.json.display().to_string().into());
        }
        ui.json(value);
    } else {
        show(ui, &validation, moved.as_deref());
        ui.line(format!("wrote {}", written.page.display()));
    }
    if validation.passed() {
        return Ok(0);
    }
    let failed = validation.checks.iter().filter(|check| check.outcome == Outcome::Failed);
    let failed: Vec<&str> = failed.map(|check| check.name.as_str()).collect();
    if ui.is_json() {
        return Ok(Kind::Unfit as u8);
    }
    Err(Error::new(Kind::Unfit, format!("the validation failed: {}", failed.join(", ")))
        .fact("logs", logs(&directory, digest).display())
        .hint("`strixlock rollback` switches back to the generation before"))
}

fn show(ui: &Ui, validation: &Validation, moved: Option<&[String]>) {
    let mut table = Table::new([Column::word("result"), Column::word("check"), Column::text("found")]);
    for check in &validation.checks {
        let outcome = match check.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::NotRun => "not run",
        };
        table.row([outcome, &check.name, &check.found]);
    }
    ui.table(&table);
    if let Some(generation) = &validation.generation {
        let number = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| format!("{value:.1}"));
        ui.line(format!(
            "loaded in {} ms, prompt {} t/s, generation {} t/s, {} of memory",
            number(generation.load),
            number(generation.prompt_speed),
            number(generation.speed),
            generation.memory.map_or_else(|| "?".to_owned(), text::bytes)
        ));
    }
    if validation.device == Device::Cpu {
        ui.line("validated on the CPU only; the GPU was not tested");
    }
    match moved {
        None => ui.line("there is no earlier validation with this model and device"),
        Some([]) => ui.line("no change beyond noise since the last validation"),
        Some(lines) => {
            for line in lines {
                ui.line(format!("changed: {line}"));
            }
        }
    }
}
