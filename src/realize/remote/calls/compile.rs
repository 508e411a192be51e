//! Runs the calls of a build, many at a time.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use strixlock_reapi::{BlobDigest, Cache, Inputs as Blobs, Node, Outcome, Service, Stage, Watch};

use super::super::super::settings::BuilderSettings;
use super::super::actions::{job, log_action, worker};
use super::super::inputs::Inputs;
use super::super::script::{self, RECORD};
use super::super::watch::WAITING;
use super::command::Call;
use super::sight::Seen;
use crate::error::{Kind, Result};
use crate::progress::{Progress, Task};
use crate::recipe::build::{BUILD, HIP_LAUNCHER};
use crate::text::visible;

/// Calls that a service has at a time, unless the settings say otherwise. Some services keep a thread for each, and have
/// few.
const AT_ONCE: usize = 32;
/// The object's name in the directory with the results.
const OBJECT: &str = "object";
/// The clock of a build, for what uses the time.
const CLOCK: &str = "SOURCE_DATE_EPOCH";
/// Most bytes of a compiler's messages that are kept, and most that it may say.
const KEPT: usize = 64 << 10;
const MOST: usize = 64 << 20;
/// Most bytes of a message that describes one object.
const LARGEST_TREE: u64 = 64 << 10;

/// An object that was made.
pub(in super::super) struct Object {
    pub call: Call,
    /// The files that it was made of.
    pub seen: Seen,
    pub digest: BlobDigest,
}

/// Compiler calls of a build, which a service runs.
pub(in super::super) struct Compiled<'c> {
    pub service: &'c Service,
    pub builder: &'c BuilderSettings,
    pub cache: Cache,
    pub inputs: &'c Inputs,
    pub environment: &'c BTreeMap<String, String>,
    /// The mark by which commands know their tree. It says nothing of the commit.
    pub mark: String,
    pub at_once: Option<NonZeroUsize>,
    pub progress: &'c dyn Progress,
}

/// Numbers of calls.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Counts {
    pub cached: u64,
    /// Calls that each worker ran.
    pub by_worker: BTreeMap<String, u64>,
}

/// The end of a call.
enum End {
    Made(BlobDigest, Outcome),
    /// It is left to the last action, for this reason.
    Left(String),
}

impl Compiled<'_> {
    /// Runs the calls. Returns the objects that were made.
    pub fn run(&self, calls: Vec<(Call, Seen)>, log: &mut dyn Write, task: &dyn Task) -> Result<(Vec<Object>, Counts)> {
        let (next, stopped, waits) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
        let (send, ended) = mpsc::channel();
        let threads = self.at_once.map_or(AT_ONCE, usize::from).min(calls.len());
        let (mut made, mut counts) = (BTreeMap::new(), Counts::default());
        task.phase("compile");
        task.set_total(calls.len() as u64);
        let failed = std::thread::scope(|scope| {
            for _ in 0..threads {
                let (send, calls, next, stopped, waits) = (send.clone(), &calls, &next, &stopped, &waits);
                scope.spawn(move || {
                    while !stopped.load(Ordering::Relaxed)
                        && let number = next.fetch_add(1, Ordering::Relaxed)
                        && let Some((call, seen)) = calls.get(number)
                    {
                        let mut said =
                            Said { progress: self.progress, waits, bytes: Vec::new(), length: 0, again: None };
                        let end = self.compile(call, seen, &mut said);
                        // Nobody listens any more after an error.
                        let _ = send.send((number, said, end));
                    }
                });
            }
            drop(send);
            let mut failed = None;
            for (done, (number, said, end)) in (1..).zip(ended) {
                if failed.is_some() {
                    continue;
                }
                let object = &calls[number].0.object;
                task.set_position(done);
                task.detail(&visible(object));
                if let Some(why) = said.again {
                    self.progress.note(&format!("a compiler call failed and began again: {why}"));
                }
                let noted = end.and_then(|end| {
                    writeln!(log, "[{done}/{}] {}", calls.len(), visible(object))?;
                    log.write_all(&said.bytes)?;
                    match end {
                        End::Left(why) => writeln!(log, "left to the last action: {why}")?,
                        End::Made(digest, outcome) => {
                            log_action(log, &outcome)?;
                            counts.add(&outcome);
                            made.insert(number, digest);
                        }
                    }
                    Ok(())
                });
                if let Err(error) = noted {
                    // The others end soon, instead of with their last compiler.
                    stopped.store(true, Ordering::Relaxed);
                    self.service.stop();
                    failed = Some(error);
                }
            }
            failed
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let calls = calls.into_iter().enumerate();
        let object = |(number, (call, seen))| Some(Object { call, seen, digest: made.remove(&number)? });
        Ok((calls.filter_map(object).collect(), counts))
    }

    fn compile(&self, call: &Call, seen: &Seen, said: &mut Said) -> Result<End> {
        let mut tree = self.inputs.bare(HIP_LAUNCHER)?;
        if let Err(error) = seen.lay(&mut tree) {
            return Ok(End::Left(error.message().to_owned()));
        }
        let tree = tree.finish(&self.mark)?;
        let mut environment = self.environment.clone();
        if !seen.uses_time {
            environment.remove(CLOCK);
        }
        let job = job(self.builder, (&self.mark, tree.root), &script(call), &environment, RECORD);
        let blobs = Blobs { shared: &self.inputs.shared, own: &tree.own };
        let mut cache = self.cache;
        loop {
            said.bytes.clear();
            let outcome = match self.service.run(&job, blobs, cache, said) {
                Ok(outcome) => outcome,
                Err(error) if error.kind() == Kind::Unreachable => return Err(error),
                // The last action can do without.
                Err(error) => return Ok(End::Left(error.message().to_owned())),
            };
            if outcome.exit_code != 0 {
                return Ok(End::Left(format!("exit code {}", outcome.exit_code)));
            }
            let object = self.service.output(&outcome, &job.outputs[0], LARGEST_TREE).map(|output| {
                output.entries.into_iter().find_map(|entry| match entry.node {
                    Node::File { digest, .. } if entry.path == OBJECT => Some(digest),
                    _ => None,
                })
            });
            match object {
                // A result in a cache may outlive its files.
                Ok(Some(object)) if outcome.cached && !self.service.missing(&[object])?.is_empty() => {
                    if cache == Cache::Ignore {
                        return Ok(End::Left("the service has lost its object".to_owned()));
                    }
                    cache = Cache::Ignore;
                }
                Ok(Some(object)) => return Ok(End::Made(object, outcome)),
                Ok(None) => return Ok(End::Left("it made no object".to_owned())),
                Err(_) if outcome.cached && cache == Cache::Use => cache = Cache::Ignore,
                Err(error) => return Ok(End::Left(error.message().to_owned())),
            }
        }
    }
}

impl Counts {
    fn add(&mut self, outcome: &Outcome) {
        if outcome.cached {
            self.cached += 1;
        } else {
            *self.by_worker.entry(worker(outcome).to_owned()).or_default() += 1;
        }
    }
}

/// Returns the script of a call.
pub(super) fn script(call: &Call) -> String {
    let object = call.object.as_str();
    let above = object.rsplit_once('/').map_or("", |(above, _)| above);
    let words = |words: &[&str]| script::words(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    format!(
        "{} && {} || exit\n{} < /dev/null || exit\n{}\n",
        words(&["mkdir", "-p", RECORD, &format!("{BUILD}/{above}")]),
        words(&["cd", BUILD]),
        script::words(&call.words),
        words(&["cat", object]) + &format!(" > {RECORD}/{OBJECT}"),
    )
}

/// The messages of a compiler.
struct Said<'s> {
    progress: &'s dyn Progress,
    /// True once it was told that a call waits for a worker.
    waits: &'s AtomicBool,
    bytes: Vec<u8>,
    /// All bytes that were said.
    length: usize,
    /// The reason why it began again.
    again: Option<String>,
}

impl Watch for Said<'_> {
    fn stage(&mut self, stage: &Stage) {
        match stage {
            Stage::Again(why) => self.again = Some(why.clone()),
            Stage::Waiting if !self.waits.swap(true, Ordering::Relaxed) => self.progress.note(WAITING),
            _ => {}
        }
    }

    fn uploaded(&mut self, _: u64, _: u64) {}

    fn output(&mut self, said: &[u8]) -> io::Result<()> {
        let left = KEPT.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&said[..said.len().min(left)]);
        self.length += said.len();
        if self.length > MOST { Err(io::Error::other("a compiler says too much")) } else { Ok(()) }
    }
}
