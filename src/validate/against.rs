//! Two locks with one model: are their outputs equal, token by token, and then, which is faster?

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::compare::{Change, bench_changes, parting};
use super::nodes::GpuNodes;
use super::runner::Runner;
use super::server::{Request, Server, Settings};
use super::subject::{ModelFiles, REALIZE_FIRST, Subject};
use super::tokens::Completion;
use super::{Device, Generation, Options, Outcome, Speed, Told, bench, choose, generate};
use crate::error::Result;
use crate::host::Host;
use crate::intake::Intake;
use crate::llama_source::Role;
use crate::lock::Lock;

/// The comparison of two locks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    /// The input of the model.
    pub model: String,
    /// The device that computed.
    pub device: Device,
    /// True if nothing differs but what two right programs may decide differently.
    pub agree: bool,
    /// The comparisons of outputs.
    pub outputs: Vec<Compared>,
    /// The speeds, that of the other lock first.
    pub speeds: Vec<Change>,
}

/// The comparison of one output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// The prompt, or the program.
    pub what: &'static str,
    /// True if both are equal to the last token.
    pub equal: bool,
    /// True if they agree: equal, or parted where two tokens are equally likely.
    pub agree: bool,
    /// The words for it, with the place where they part.
    pub found: String,
}

/// The other lock in messages.
const OTHER: &str = "the other generation";

/// The outputs of one lock.
struct Ran {
    short: Option<Generation>,
    failed: Vec<(String, String)>,
    long: Told<Completion>,
    bench: Vec<Speed>,
}

/// A lock to compare, whose outputs must be realized.
#[derive(Debug, Clone, Copy)]
pub struct Comparand<'a> {
    /// The lock.
    pub lock: &'a Lock,
    /// The way to realize it, as a hint.
    pub realize: &'a str,
}

impl Comparand<'_> {
    /// Adds the way to realize this lock to the error for an output that is not realized.
    fn advised<T>(self, found: Result<T>) -> Result<T> {
        found.map_err(|error| if error.advice() == Some(REALIZE_FIRST) { error.hint(self.realize) } else { error })
    }
}

/// Compares a lock with another one. Logs are written into two directories.
pub fn against(this: Comparand, other: Comparand, intake: Intake, options: &Options, logs: &Path) -> Result<Against> {
    let subject = this.advised(Subject::find(this.lock, intake, options.model.as_deref()))?;
    let before = other.advised(Subject::of(other.lock, intake, || Ok(ModelFiles::clone(&subject.model))))?;
    let host = Host::read(Path::new("/"));
    let of = |subject: &Subject| choose(options.device, subject, &GpuNodes::choose(&host, subject.target()));
    // Both compute on one device.
    let device = if of(&subject)? == Device::Gpu && of(&before)? == Device::Gpu { Device::Gpu } else { Device::Cpu };
    let run = |subject: &Subject, name: &str| {
        let nodes = GpuNodes::choose(&host, subject.target());
        let given = if device == Device::Gpu { nodes.given() } else { Vec::new() };
        run(intake, subject, (device, given), options, &logs.join(name))
    };
    let (old, new) = (run(&before, "other")?, run(&subject, "this")?);
    let mut outputs = vec![short(&old, &new), long(&old, &new)];
    outputs.extend(unmeasured(&old, &new));
    let speeds = bench_changes(&old.bench, &new.bench);
    let model = subject.model.about.input;
    Ok(Against { model, device, agree: outputs.iter().all(|one| one.agree), outputs, speeds })
}

/// Runs both prompts and the benchmark.
fn run(
    intake: Intake,
    subject: &Subject,
    (device, given): (Device, Vec<PathBuf>),
    options: &Options,
    logs: &Path,
) -> Result<Ran> {
    let runner = Runner::new(intake.store, subject, given, options.limit, logs)?;
    let mut checks = Vec::new();
    let short = generate::generate(&runner, subject, device, &mut checks)?;
    let bench = bench::bench(&runner, subject, device, &mut checks)?;
    let long = match Server::new(&runner, subject)? {
        Ok(server) => {
            let settings = Settings { device, other: false };
            let (answer, ran) = server.run("server", &settings, |talk| talk.complete(&Request::plain()))?;
            answer.and_then(|answer| answer).map_err(|why| format!("{why}; {}", ran.last_line()))
        }
        Err(why) => Err(why),
    };
    let failed = checks.into_iter().filter(|check| check.outcome != Outcome::Passed);
    Ok(Ran { short, failed: failed.map(|check| (check.name, check.found)).collect(), long, bench })
}

/// Compares the texts that a short prompt gives.
fn short(old: &Ran, new: &Ran) -> Compared {
    const PROMPT: &str = "short prompt";
    let (Some(before), Some(after)) = (&old.short, &new.short) else {
        return Compared { what: PROMPT, equal: false, agree: false, found: why(generate::NAME, (old, new)) };
    };
    let equal = before.text == after.text;
    let found = if equal {
        format!("equal, {} characters", after.text.chars().count())
    } else {
        format!("the text differs from character {} on", parting(&before.text, &after.text))
    };
    // A text does not say how likely its words were: the long prompt judges.
    Compared { what: PROMPT, equal, agree: true, found }
}

/// Compares the tokens that follow a prompt of several micro-batches.
fn long(old: &Ran, new: &Ran) -> Compared {
    const PROMPT: &str = "long prompt";
    match (&old.long, &new.long) {
        (Ok(before), Ok(after)) => {
            let compared = before.compare(after);
            let (equal, agree) = (compared.all, compared.fault.is_none());
            Compared { what: PROMPT, equal, agree, found: compared.describe() }
        }
        (_, Err(why)) => Compared { what: PROMPT, equal: false, agree: false, found: why.clone() },
        (Err(why), _) => Compared { what: PROMPT, equal: false, agree: false, found: format!("{OTHER}: {why}") },
    }
}

/// Says why there are no speeds to compare.
fn unmeasured(old: &Ran, new: &Ran) -> Option<Compared> {
    let what = Role::Bench.name();
    let found = (old.bench.is_empty() || new.bench.is_empty()).then(|| why(what, (old, new)))?;
    Some(Compared { what, equal: false, agree: false, found })
}

/// Returns the words of a check that one of two locks did not pass.
fn why(name: &str, (old, new): (&Ran, &Ran)) -> String {
    let of = |ran: &Ran| ran.failed.iter().find(|(failed, _)| failed == name).map(|(_, found)| found.clone());
    of(new).or_else(|| Some(format!("{OTHER}: {}", of(old)?))).unwrap_or_else(|| "it did not run".to_owned())
}
