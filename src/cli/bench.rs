//! `strixlock bench`

use std::collections::BTreeSet;

use serde_json::json;

use super::choices::{LimitArgs, device};
use super::table::{Column, Table};
use super::{Session, Ui};
use crate::error::{Error, Kind, Result};
use crate::lock::Lock;
use crate::progress::{Doing, Unit};
use crate::text;
use crate::validate::benchmark::{BenchOptions, Benchmark, Wanted, benchmark, markdown, name, write};
use crate::validate::{Device, Work, logs};

/// Compare the speed of variants, outputs or generations, and what they compute
///
/// Runs llama-bench in turns: each round once for everyone, in an order that changes, after one round to warm up.
/// Medians and noise follow from the rounds. A difference is told only if it is at least 2 % and not noise; otherwise
/// the result says which difference would have been told. Then perplexity of a long text and generated tokens are
/// compared. Refuses to measure on a machine that is busy or throttled (exit code 11).
///
/// The first is the reference. Without a name: `default`, which are the lock's outputs, and all variants of the manifest.
/// One alone is compared with `default`. Everything must be realized. Writes bench/DATE.json and .md beside lock/, with
/// the logs. Fails with exit code 10 if one does not compute what the reference does; being slower is no failure.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// Variants of the manifest, outputs, or `default`
    #[arg(value_name = "VARIANT|OUTPUT")]
    names: Vec<String>,
    /// A generation; can be given several times
    #[arg(short, long, value_name = "GENERATION")]
    generation: Vec<u64>,
    /// Input of the model [default: the only model in the lock]
    #[arg(long, value_name = "INPUT")]
    model: Option<String>,
    /// Device to compute on [default: the GPU for each that can use it]
    #[arg(long, value_parser = device())]
    device: Option<Device>,
    /// Rounds that count [default: 16, or as many as so many comparisons need]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: Option<u16>,
    /// Tokens of the prompt; 0 for no such test
    #[arg(long, value_name = "TOKENS", default_value = "512", value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    prompt: u64,
    /// Tokens to generate; 0 for no such test
    #[arg(long, value_name = "TOKENS", default_value = "128", value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    generate: u64,
    /// Measure on a busy or throttled machine, too; the result says so
    #[arg(long)]
    busy_ok: bool,
    /// Do not compare what is computed
    #[arg(long)]
    speed_only: bool,
    /// Print Markdown, for a forum post
    #[arg(long)]
    markdown: bool,
    #[command(flatten)]
    limit: LimitArgs,
}

pub fn run(args: &BenchArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    if args.prompt == 0 && args.generate == 0 {
        return Err(Error::new(Kind::Usage, "nothing to measure: neither a prompt nor tokens to generate"));
    }
    let lock = session.lock_to_use()?;
    let generations = generations(args, session)?;
    let wanted = wanted(args, lock, &generations)?;
    let directory = session.project.directory().join("bench");
    let name = name(&directory, session.now);
    let logs = logs(&directory, &name);
    let options = BenchOptions {
        model: args.model.clone(),
        device: args.device,
        work: Work { prompt: args.prompt, generated: args.generate, repetitions: 1 },
        rounds: args.runs.map(usize::from),
        busy_ok: args.busy_ok,
        speed_only: args.speed_only,
        limit: args.limit.each(),
        now: session.now,
    };
    let found = {
        let label = wanted.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        let task = ui.progress.begin(Doing::Measure, &label, None, Unit::Steps);
        benchmark(&wanted, lock, session.intake()?, &options, (&logs, &*task))?
    };
    let written = write(&directory, &name, &found)?;
    if ui.is_json() {
        let mut value = serde_json::to_value(&found)
            .map_err(|error| Error::failure("cannot print the benchmark").because(&error))?;
        if let Some(map) = value.as_object_mut() {
            map.insert("time".to_owned(), json!(text::rfc3339(found.time)));
            map.insert("agree".to_owned(), found.wrong().next().is_none().into());
            map.insert("markdown".to_owned(), markdown(&found).into());
            map.insert("file".to_owned(), written.json.display().to_string().into());
        }
        ui.json(value);
    } else if args.markdown {
        ui.line(markdown(&found).trim_end());
    } else {
        show(ui, &found);
        ui.line(format!("wrote {}", written.page.display()));
    }
    let wrong: Vec<String> =
        found.wrong().map(|(name, check)| format!("{name}, {}: {}", check.name, check.found)).collect();
    if wrong.is_empty() {
        return Ok(0);
    }
    if ui.is_json() {
        return Ok(Kind::Unfit as u8);
    }
    let reference = found.contenders.first().map(|one| one.name.clone()).unwrap_or_default();
    Err(Error::new(Kind::Unfit, format!("not all compute what {reference} does, so their speeds do not compare"))
        .fact("found", wrong.join("; "))
        .fact("logs", logs.display())
        .hint("`strixlock validate` says which of them is wrong"))
}

/// Returns the locks of the named generations.
fn generations(args: &BenchArgs, session: &Session) -> Result<Vec<(u64, Lock)>> {
    if args.generation.is_empty() {
        return Ok(Vec::new());
    }
    let profile = session.profile_there()?;
    let read = |number: &u64| {
        // Its error names the generations that there are.
        profile.generation(*number)?;
        Ok((*number, Lock::read(&profile.generation_lock(*number))?))
    };
    args.generation.iter().map(read).collect()
}

/// Returns what is to be measured, the reference first.
fn wanted<'l>(args: &BenchArgs, lock: &'l Lock, generations: &'l [(u64, Lock)]) -> Result<Vec<Wanted<'l>>> {
    let mut all: Vec<Wanted> = args.names.iter().map(|name| Wanted::named(lock, name)).collect::<Result<_>>()?;
    for (number, lock) in generations {
        all.push(Wanted::of_generation(lock, *number)?);
    }
    if all.is_empty() {
        all.push(Wanted::own(lock)?);
        all.extend(Wanted::variants(lock)?);
    } else if let [one] = all.as_slice()
        && let own = Wanted::own(lock)?
        && one.name != own.name
    {
        all.insert(0, own);
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = all.iter().find(|one| !seen.insert(one.name.clone())) {
        return Err(Error::new(Kind::Usage, format!("`{}` is named twice", twice.name))
            .hint("each is measured in every round; --runs N asks for more rounds"));
    }
    Ok(all)
}

fn show(ui: &Ui, found: &Benchmark) {
    let mut table = Table::new([
        Column::name("build"),
        Column::text("llama.cpp"),
        Column::name("ROCm"),
        Column::text("backend").spare(),
        Column::word("test"),
        Column::number("tokens/s"),
        Column::number("difference"),
        Column::word("verdict"),
    ]);
    for row in found.rows() {
        table.row(row);
    }
    ui.table(&table);
    for line in found.sentences() {
        ui.line(line);
    }
}
