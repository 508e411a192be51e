//! `bench`: which of several builds is faster, and do they compute the same?
//!
//! Each round runs `llama-bench` once for each contender, in an order that changes from round to round (`order`). One
//! round before them warms up and does not count. The first contender is the reference of all others. `judge` has the
//! rule for telling a difference, `quiet` the reasons against measuring at all. A round before which the machine was
//! busy is left out, and another is run in its place, as often as there were rounds to be run.

mod contender;
mod judge;
mod order;
mod page;
mod quiet;
mod record;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bench::{Work, measure, words};
use super::machine::Machine;
use super::nodes::GpuNodes;
use super::perplexity::{Perplexity, beside};
use super::runner::Runner;
use super::server::{Request, Server, Settings};
use super::subject::{ModelFiles, Subject, find_model};
use super::tokens::Completion;
use super::{Check, Device, Model, Outcome, Speed, Told, choose, options};
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::intake::Intake;
use crate::llama_source::Role;
use crate::lock::Lock;
use crate::progress::Task;

pub use contender::{Contender, Series, Wanted};
pub use judge::{Difference, Verdict};
pub use page::markdown;
pub use record::{name, write};

/// Fewest rounds that are run where the caller names no number. With so many, one disturbed round changes no decision.
const ROUNDS: usize = 16;

/// Options of a benchmark.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    /// The input with the model. Without it, the lock must have exactly one model.
    pub model: Option<String>,
    /// The device that computes. Without it, the GPU for each contender that can use it, else the CPU.
    pub device: Option<Device>,
    /// The work of each run.
    pub work: Work,
    /// The rounds that count. Without it, as many as a decision needs.
    pub rounds: Option<usize>,
    /// Measure on a busy or throttled machine, too.
    pub busy_ok: bool,
    /// Do not compare what is computed.
    pub speed_only: bool,
    /// The time limit of each program.
    pub limit: Duration,
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// The result of a benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Benchmark {
    /// The time of the benchmark, in seconds since 1970.
    pub time: i64,
    /// The machine.
    pub machine: Machine,
    /// The model.
    pub model: Model,
    /// The rounds that count.
    pub rounds: usize,
    /// The rounds that were left out, because the machine was busy.
    pub left_out: usize,
    /// The rounds that count although the machine was busy.
    pub disturbed: usize,
    /// The reasons against comparing speeds that were found: before the rounds, or where rounds were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disturbances: Vec<String>,
    /// The contenders. The first is the reference.
    pub contenders: Vec<Contender>,
    /// The differences of the others from the reference.
    pub comparisons: Vec<Comparison>,
}

/// The difference of a contender from the reference in one test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The contender.
    pub name: String,
    /// The test.
    pub test: String,
    /// The difference.
    #[serde(flatten)]
    pub difference: Difference,
}

impl Benchmark {
    /// Returns the contenders that do not compute what the reference does, with the check that found it.
    pub fn wrong(&self) -> impl Iterator<Item = (&str, &Check)> {
        let failed = |one: &Check| one.outcome == Outcome::Failed;
        self.contenders.iter().flat_map(move |contender| {
            contender.agreement.iter().filter(move |one| failed(one)).map(|one| (contender.name.as_str(), one))
        })
    }

    /// Returns the comparison of a contender in a test, if it is not the reference.
    #[must_use]
    pub fn comparison(&self, name: &str, test: &str) -> Option<&Difference> {
        let found = self.comparisons.iter().find(|one| one.name == name && one.test == test);
        found.map(|one| &one.difference)
    }
}

/// A contender that can be run.
struct Entrant<'a> {
    name: String,
    subject: &'a Subject,
    device: Device,
    runner: Runner<'a>,
    command: Vec<String>,
}

/// The speeds of all contenders in one round.
type Round = Vec<Vec<Speed>>;

/// Measures the contenders, and compares the others with the first. The model is that of `lock`. Logs are written into a
/// directory for each.
pub fn benchmark(
    wanted: &[Wanted],
    lock: &Lock,
    intake: Intake,
    options: &BenchOptions,
    (logs, task): (&Path, &dyn Task),
) -> Result<Benchmark> {
    let model = find_model(lock, intake, options.model.as_deref())?;
    let subject = |one: &Wanted| {
        let model = || Ok(ModelFiles::clone(&model));
        let found = Subject::of_output(one.lock, intake, &one.output, model);
        found.map_err(|error| hint_for(error, one).about(&one.name))
    };
    let subjects = wanted.iter().map(subject).collect::<Result<Vec<_>>>()?;
    let host = Host::read(Path::new("/"));
    let device = |subject: &Subject| choose(options.device, subject, &GpuNodes::choose(&host, subject.target()));
    let devices = subjects.iter().map(device).collect::<Result<Vec<_>>>()?;
    let disturbances = quiet::disturbances();
    if !options.busy_ok && !disturbances.is_empty() {
        return Err(busy(&disturbances));
    }
    let places: Vec<PathBuf> = wanted.iter().map(|one| logs.join(&one.name)).collect();
    let mut entrants = Vec::new();
    for (((one, subject), device), logs) in wanted.iter().zip(&subjects).zip(devices).zip(&places) {
        let nodes = GpuNodes::choose(&host, subject.target());
        let given = if device == Device::Gpu { nodes.given() } else { Vec::new() };
        let runner = Runner::new(intake.store, subject, given, options.limit, logs)?;
        let command = command(&runner, subject, device, options.work).map_err(|error| error.about(&one.name))?;
        entrants.push(Entrant { name: one.name.clone(), subject, device, runner, command });
    }
    let warm = round(&entrants, "warm-up", (0..entrants.len()).collect())?;
    let tests: Vec<String> = warm.first().into_iter().flatten().map(|speed| speed.test.clone()).collect();
    let decisions = tests.len() * entrants.len().saturating_sub(1);
    let count = options.rounds.unwrap_or_else(|| judge::needed(decisions).max(ROUNDS));
    task.set_total(count as u64);
    let found = rounds(&entrants, count, options.busy_ok, task)?;
    if found.rounds.is_empty() {
        return Err(busy(&found.disturbances));
    }
    let contender = |(one, entrant): (&Wanted, &Entrant)| Contender::new(one, entrant.subject, entrant.device);
    let mut contenders = wanted.iter().zip(&entrants).map(contender).collect::<Result<Vec<_>>>()?;
    for (place, contender) in contenders.iter_mut().enumerate() {
        contender.speeds = tests.iter().filter_map(|test| series(&found.rounds, place, test)).collect();
    }
    if !options.speed_only {
        agree(&entrants, &mut contenders)?;
    }
    let others = contenders.iter().enumerate().skip(1);
    let comparisons = others
        .flat_map(|(place, contender)| tests.iter().map(move |test| (place, &contender.name, test)))
        .map(|(place, name, test)| Comparison {
            name: name.clone(),
            test: test.clone(),
            difference: judge::compare(&pairs(&found.rounds, place, test), decisions),
        })
        .collect();
    Ok(Benchmark {
        time: options.now,
        machine: Machine::of(&host, None),
        model: model.about,
        rounds: found.rounds.len(),
        left_out: found.left_out,
        disturbed: found.disturbed,
        disturbances: if disturbances.is_empty() { found.disturbances } else { disturbances },
        contenders,
        comparisons,
    })
}

/// Gives an error for something that is not realized the hint that works for a generation.
fn hint_for(error: Error, wanted: &Wanted) -> Error {
    match wanted.generation {
        Some(number) if error.kind() == Kind::NotFound => {
            error.hint(format!("`strixlock switch {number}` says what the store lacks of this generation"))
        }
        _ => error,
    }
}

/// Returns the error for a machine on which speeds say little.
fn busy(disturbances: &[String]) -> Error {
    Error::new(Kind::Busy, "the machine is too busy or too slow to compare speeds")
        .fact("found", disturbances.join("; "))
        .hint("`--busy-ok` measures anyway, and the result says so")
}

fn command(runner: &Runner, subject: &Subject, device: Device, work: Work) -> Result<Vec<String>> {
    let Some((name, program)) = subject.program_for(Role::Bench) else {
        return Err(Error::new(Kind::NotFound, format!("the build has no {}", Role::Bench.name())));
    };
    Ok(words(&options::ask(runner, name, &program)?, device, program, &subject.model_path(), work))
}

/// Runs each entrant once.
fn round(entrants: &[Entrant], log: &str, order: Vec<usize>) -> Result<Round> {
    let mut speeds: Round = vec![Vec::new(); entrants.len()];
    for place in order {
        let (Some(entrant), Some(own)) = (entrants.get(place), speeds.get_mut(place)) else { continue };
        *own = measure(&entrant.runner, log, &entrant.command)?.map_err(|why| {
            let logs = entrant.runner.logs().join(format!("{log}.err"));
            Error::new(Kind::Unfit, format!("{} failed", Role::Bench.name()))
                .about(&entrant.name)
                .fact("found", why)
                .fact("log", logs.display())
        })?;
    }
    Ok(speeds)
}

/// The rounds that were run.
#[derive(Default)]
struct Found {
    /// Those that count.
    rounds: Vec<Round>,
    left_out: usize,
    disturbed: usize,
    /// The reasons at the last round with any.
    disturbances: Vec<String>,
}

/// Runs rounds until so many count; at most twice as many.
fn rounds(entrants: &[Entrant], count: usize, busy_ok: bool, task: &dyn Task) -> Result<Found> {
    let mut found = Found::default();
    for number in 0..2 * count {
        if found.rounds.len() == count {
            break;
        }
        let disturbances = quiet::disturbances();
        let is_disturbed = !disturbances.is_empty();
        if is_disturbed {
            found.disturbances = disturbances;
        }
        let speeds = round(entrants, &format!("round-{}", number + 1), order::order(number, entrants.len()))?;
        if is_disturbed && !busy_ok {
            found.left_out += 1;
            continue;
        }
        found.disturbed += usize::from(is_disturbed);
        found.rounds.push(speeds);
        task.set_position(found.rounds.len() as u64);
    }
    Ok(found)
}

/// Returns the speed of a contender in a test of a round.
fn speed(round: &Round, place: usize, test: &str) -> Option<f64> {
    round.get(place)?.iter().find(|speed| speed.test == test).map(|speed| speed.speed)
}

fn series(rounds: &[Round], place: usize, test: &str) -> Option<Series> {
    let speeds: Vec<f64> = rounds.iter().filter_map(|round| speed(round, place, test)).collect();
    let median = judge::median(&speeds)?;
    Some(Series { test: test.to_owned(), median, noise: judge::noise(&speeds), rounds: speeds })
}

fn pairs(rounds: &[Round], place: usize, test: &str) -> Vec<(f64, f64)> {
    rounds.iter().filter_map(|round| Some((speed(round, 0, test)?, speed(round, place, test)?))).collect()
}

/// Results of one contender: `Err` without the program for it; the result within is `Err` if the program failed.
struct Computed {
    perplexity: Told<Told<f64>>,
    tokens: Told<Told<Completion>>,
}

/// Names of the checks.
const PERPLEXITY: &str = "perplexity";
const TOKENS: &str = "token by token";

/// Compares what the others compute with what the first does: perplexity of a long text, and tokens behind it.
fn agree(entrants: &[Entrant], contenders: &mut [Contender]) -> Result<()> {
    let Some((first, others)) = entrants.split_first() else { return Ok(()) };
    if others.is_empty() {
        return Ok(());
    }
    let reference = computed(first)?;
    for (entrant, contender) in others.iter().zip(contenders.iter_mut().skip(1)) {
        let own = computed(entrant)?;
        contender.agreement = vec![
            both(PERPLEXITY, &own.perplexity, &reference.perplexity, |ours, theirs| beside(PERPLEXITY, *ours, *theirs)),
            both(TOKENS, &own.tokens, &reference.tokens, |ours, theirs| {
                let compared = theirs.compare(ours);
                Check::judged(TOKENS, compared.fault.is_none(), compared.describe())
                    .with("equal-tokens", compared.equal)
            }),
        ];
    }
    Ok(())
}

/// Judges two results, or says why one is missing.
fn both<T>(name: &str, ours: &Told<Told<T>>, theirs: &Told<Told<T>>, judge: impl Fn(&T, &T) -> Check) -> Check {
    let reference = |why: &str| format!("the reference: {why}");
    match (ours, theirs) {
        (Err(why), _) => Check::not_run(name, why),
        (_, Err(why)) => Check::not_run(name, reference(why)),
        (Ok(Err(why)), _) => Check::failed(name, why),
        (_, Ok(Err(why))) => Check::failed(name, reference(why)),
        (Ok(Ok(ours)), Ok(Ok(theirs))) => judge(ours, theirs),
    }
}

fn computed(entrant: &Entrant) -> Result<Computed> {
    let (runner, subject, device) = (&entrant.runner, entrant.subject, entrant.device);
    let perplexity = match Perplexity::new(runner, subject)? {
        Ok(perplexity) => Ok(perplexity.on(device)?),
        Err(why) => Err(why),
    };
    let tokens = match Server::new(runner, subject)? {
        Ok(server) => {
            let settings = Settings { device, other: false };
            let (answer, ran) = server.run("server", &settings, |talk| talk.complete(&Request::plain()))?;
            Ok(answer.and_then(|answer| answer).map_err(|why| format!("{why}; {}", ran.last_line())))
        }
        Err(why) => Err(why),
    };
    Ok(Computed { perplexity, tokens })
}
