//! `strixlock validate`

pub(super) mod against;
mod history;

use clap::Parser as _;

use super::choices::{LimitArgs, device};
use super::table::{Column, Table};
use super::{Session, Ui};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::progress::{Doing, Unit};
use crate::realize::unknown_models;
use crate::text;
use crate::validate::{Device, Extent, Options, Validation, last, logs, moved, name, validate, write};

/// Run the realized llama.cpp with a model, and compare with the last validation
///
/// Runs llama.cpp in a sandbox with the base system of its build and the trimmed runtime. Compares the GPU with the
/// CPU, or the CPU with itself in other batches and threads: perplexity of a long text, and each generated token. Asks
/// llama-server twice, two requests at once, with a cached prefix, and by a JSON schema. Every check is passed, failed
/// or not run for a reason. Writes validation/DATE-gGENERATION.json and .md beside lock/, with the logs. Fails with
/// exit code 10.
#[derive(Debug, clap::Args)]
pub struct ValidateArgs {
    /// Variant of the manifest, or output, in place of the one that runs where none is named. Its record is not one of the
    /// generation
    #[arg(long, value_name = "VARIANT|OUTPUT", conflicts_with_all = ["history", "against"])]
    variant: Option<String>,
    /// Input of the model [default: the only model in the lock]
    #[arg(long, value_name = "INPUT")]
    model: Option<String>,
    /// Device to compute on [default: the GPU if the build can use it]
    #[arg(long, value_parser = device())]
    device: Option<Device>,
    /// Only run the programs once, with a short prompt
    #[arg(long, conflicts_with = "deep")]
    quick: bool,
    /// Longer texts and repetitions, however long that takes [default: what fits in five minutes]
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    limit: LimitArgs,
    /// Run nothing: show verdict and speed of each generation that was validated
    #[arg(long, conflicts_with_all = ["quick", "deep", "model", "device", "limit"])]
    history: bool,
    /// Compare with an earlier generation: outputs token by token, and then speeds; no other check is run
    #[arg(long, value_name = "GENERATION", conflicts_with_all = ["quick", "deep", "history"])]
    against: Option<u64>,
}

pub fn run(args: &ValidateArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let directory = session.project.directory().join("validation");
    if args.history {
        return history::show(ui, &directory).map(|()| 0);
    }
    let lock = session.lock_to_use()?;
    let intake = session.intake()?;
    let digest = Sha256Digest::of(lock.to_text()?.as_bytes());
    let generation = generation_of(session, digest)?;
    let name = name(&directory, session.now, generation, digest);
    let logs = logs(&directory, &name);
    let options = options(args, generation, session.now);
    for warning in unknown_models(lock, intake.store)? {
        ui.warning(&warning);
    }
    if let Some(number) = args.against {
        return against::run(session, (lock, intake), &options, (&directory, number));
    }
    // It ends with this block, so that nothing is left of it beside the result.
    let validation = {
        let _task = ui.progress.begin(Doing::Validate, "the outputs", None, Unit::Steps);
        validate(lock, intake, &options, &logs)?
    };
    let before = last(&directory, &validation)?;
    let moved = before.as_ref().map(|before| moved(before, &validation));
    let written = write(&directory, &name, &validation, moved.as_deref())?;
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
    let failed: Vec<&str> = validation.failed().collect();
    if ui.is_json() {
        return Ok(Kind::Unfit as u8);
    }
    let error = Error::new(Kind::Unfit, format!("the validation failed: {}", failed.join(", ")));
    Err(error.fact("logs", logs.display()).hint(if validation.variant.is_none() {
        "`strixlock rollback` switches back to the generation before"
    } else {
        "`strixlock validate` tells if the outputs that run where no variant is named fail too"
    }))
}

fn options(args: &ValidateArgs, generation: Option<u64>, now: i64) -> Options {
    Options {
        model: args.model.clone(),
        variant: args.variant.clone(),
        device: args.device,
        extent: match (args.quick, args.deep) {
            (true, _) => Extent::Quick,
            (_, true) => Extent::Deep,
            _ => Extent::Usual,
        },
        limit: args.limit.each(),
        profile_generation: generation,
        now,
    }
}

/// The options of a validation by themselves.
#[derive(Debug, clap::Parser)]
struct Words {
    #[command(flatten)]
    args: ValidateArgs,
}

/// Parses options of a validation that another command runs. Fails for those that run none.
pub(super) fn options_of(words: &[String], now: i64) -> Result<Options> {
    let program = std::iter::once("strixlock validate");
    let args = Words::try_parse_from(program.chain(words.iter().map(String::as_str))).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Error::new(Kind::Usage, first).hint("`strixlock validate --help` lists the options")
    })?;
    let Words { args } = args;
    if args.history || args.against.is_some() {
        return Err(Error::new(Kind::Usage, "--history and --against run no validation of a version alone"));
    }
    Ok(options(&args, None, now))
}

/// Returns the newest generation of the project's profile that has this lock.
fn generation_of(session: &Session, lock: Sha256Digest) -> Result<Option<u64>> {
    let profile = session.profile()?;
    for number in profile.generations()?.into_iter().rev() {
        if profile.generation(number)?.lock == lock {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

fn show(ui: &Ui, validation: &Validation, moved: Option<&[String]>) {
    let mut table = Table::new([Column::word("result"), Column::word("check"), Column::text("found")]);
    for check in &validation.checks {
        table.row([check.outcome.words(), &check.name, &check.found]);
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
    for one in &validation.bench {
        ui.line(format!("llama-bench {}: {:.2} ± {:.2} t/s", one.test, one.speed, one.deviation));
    }
    if let Some(variant) = &validation.variant {
        ui.line(format!("validated `{variant}` alone: the generation counts as validated by a run without --variant"));
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
