//! The actions of a build that run one after another.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use strixlock_reapi::{BlobDigest, Cache, Inputs as Blobs, Job, Node, Outcome, OutputTree, Service};

use super::super::configure::Configures;
use super::super::configured::Unused;
use super::super::settings::BuilderSettings;
use super::calls::{self, Object};
use super::inputs::{ActionTree, Inputs};
use super::run::RemoteBuild;
use super::script::{self, RECORD};
use super::watch::{Watcher, first_line};
use crate::error::{Error, Kind, Result};
use crate::progress::Task;
use crate::recipe::build::{self, DEST};
use crate::text::{bytes, visible};
use crate::tree::confined;

/// Bytes that are read of a tool's version at most.
const MOST: u64 = 64 << 10;

/// Bytes of the message that describes a directory at most.
const LARGEST_TREE: u64 = 16 << 20;
/// Bytes of results for ourselves at most.
const LARGEST_RECORD: u64 = 1 << 30;

/// A connection that builds.
pub(super) struct Remote<'r> {
    pub build: &'r RemoteBuild<'r>,
    pub service: &'r Service,
    pub inputs: &'r Inputs,
    /// The tree with everything that the sandbox would show.
    pub whole: &'r ActionTree,
    pub staging: &'r Path,
    pub log: &'r mut fs_err::File,
    pub task: &'r dyn Task,
    /// The tools whose versions are asked for.
    pub tools: Vec<String>,
    /// Number of times that it was configured.
    pub rounds: usize,
}

/// An action.
pub(super) struct Step<'s> {
    /// Its name for progress.
    pub phase: &'static str,
    pub script: &'s str,
    pub environment: &'s BTreeMap<String, String>,
    pub tree: &'s ActionTree,
    /// The directory that it writes.
    pub output: &'static str,
    /// The directory that this is downloaded to.
    pub to: &'s Path,
}

/// Returns the name of the worker that ran an action.
pub(super) fn worker(outcome: &Outcome) -> &str {
    if outcome.worker.is_empty() { "not named" } else { &outcome.worker }
}

/// Writes into the log which action ran, and who ran it.
pub(super) fn log_action(log: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let from = if outcome.cached { ", from the cache" } else { "" };
    writeln!(log, "action {}, worker {}{from}", outcome.action.sha256, worker(outcome))
}

/// Returns the job that runs a script in a tree with this mark, and that writes the directory `output`.
pub(super) fn job(
    builder: &BuilderSettings,
    (mark, input_root): (&str, BlobDigest),
    script: &str,
    environment: &BTreeMap<String, String>,
    output: &str,
) -> Job {
    Job {
        arguments: script::command(mark, script, environment.iter()),
        environment: environment.clone(),
        outputs: vec![output.trim_start_matches('/').to_owned()],
        platform: builder.platform.clone(),
        timeout: builder.timeout,
        input_root,
    }
}

/// Fails if results for ourselves have links, by which we would read other files, or are too large.
fn demand_record(tree: &OutputTree) -> Result<()> {
    let mut size = 0u64;
    for entry in &tree.entries {
        match &entry.node {
            Node::Directory => {}
            Node::File { digest, .. } => size = size.saturating_add(digest.size),
            Node::Link { .. } => {
                return Err(Error::new(Kind::Mismatch, "the remote builder returned a link in place of a result")
                    .fact("path", visible(&entry.path)));
            }
        }
    }
    if size <= LARGEST_RECORD {
        return Ok(());
    }
    Err(Error::new(Kind::Mismatch, "the results of the remote builder are too large")
        .fact("limit", bytes(LARGEST_RECORD))
        .fact("size", bytes(size)))
}

impl Remote<'_> {
    /// Runs an action, and downloads the directory that it wrote.
    pub fn run(&mut self, step: &Step) -> Result<(Outcome, Unused)> {
        let RemoteBuild { of, builder, .. } = self.build;
        let mark = self.build.mark();
        let job = job(builder, (&mark, step.tree.root), step.script, step.environment, step.output);
        let blobs = Blobs { shared: &self.inputs.shared, own: &step.tree.own };
        let mut cache = self.build.cache;
        loop {
            let progress = of.intake.fetcher.progress();
            let mut watcher = Watcher::new(self.log, self.task, progress, step.phase, of.settings.limits.log);
            let outcome = self.service.run(&job, blobs, cache, &mut watcher)?;
            let unused = watcher.finish(&outcome, &self.build.service_name())?;
            log_action(self.log, &outcome)?;
            self.task.phase("download");
            // An earlier result may have arrived in part.
            if step.to.exists() {
                fs_err::remove_dir_all(step.to)?;
            }
            let taken = self.service.output(&outcome, &job.outputs[0], LARGEST_TREE).and_then(|tree| {
                if step.output == RECORD {
                    demand_record(&tree)?;
                }
                self.service.download(&tree, step.to)
            });
            match taken {
                Ok(()) => return Ok((outcome, unused)),
                // A result in a cache may outlive its files, or never have had them.
                Err(error) if outcome.cached && cache == Cache::Use => {
                    progress
                        .note(&format!("the result in the remote builder's cache is not whole: {}", error.message()));
                    cache = Cache::Ignore;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the directory with the results of a round of configuring.
    pub fn record(&self, round: usize) -> PathBuf {
        self.staging.join(format!("record-{round}"))
    }

    /// Returns the versions of the tools, as the first round found them.
    pub fn versions(&self, tools: &[String]) -> Result<BTreeMap<String, String>> {
        let record = confined::Root::open(&self.record(0))?;
        let mut all = BTreeMap::new();
        for (number, tool) in tools.iter().enumerate() {
            // Without a file, the tool has no such option.
            if let Ok(file) = record.open_file(format!("tool-{number}").as_bytes()) {
                let mut text = Vec::new();
                file.take(MOST).read_to_end(&mut text)?;
                all.insert(tool.clone(), first_line(&text));
            }
        }
        Ok(all)
    }

    /// Compiles what is not there as an object, and installs; compiles everything if the service has lost objects
    /// meanwhile. Returns the directory below which the project was installed.
    pub fn compile(&mut self, variables: &BTreeMap<String, String>, made: &[Object]) -> Result<(Outcome, PathBuf)> {
        let failed = match self.compile_once(variables, made) {
            Err(error) if !made.is_empty() => error,
            done => return done,
        };
        let objects: Vec<BlobDigest> = made.iter().map(|object| object.digest).collect();
        match self.service.missing(&objects) {
            Ok(missing) if !missing.is_empty() => {
                let note = format!("the remote builder has lost {} objects and compiles everything", missing.len());
                self.build.of.intake.fetcher.progress().note(&note);
                self.compile_once(variables, &[])
            }
            _ => Err(failed),
        }
    }

    fn compile_once(&mut self, variables: &BTreeMap<String, String>, made: &[Object]) -> Result<(Outcome, PathBuf)> {
        let (build, to) = (self.build, self.staging.join("dest"));
        let (of, mut environment) = (build.of, build.environment.clone());
        let jobs = build.jobs_in_action();
        let commands = build::commands(of.recipe, variables, jobs.unwrap_or(1));
        let script = script::to_build(of.recipe.writes_source(), &commands, jobs, of.recipe.memory_per_job());
        let mut tree = None;
        if !made.is_empty() {
            let mut laying = self.inputs.whole(&calls::hip_launcher())?;
            calls::lay_objects(&mut laying, made)?;
            tree = Some(laying.finish(&build.mark())?);
            environment.extend(calls::environment());
        }
        let phase = if made.is_empty() { "compile" } else { "link" };
        let tree = tree.as_ref().unwrap_or(self.whole);
        let (outcome, _) =
            self.run(&Step { phase, script: &script, environment: &environment, tree, output: DEST, to: &to })?;
        Ok((outcome, to))
    }
}

impl Configures for Remote<'_> {
    fn configure(&mut self, round: usize, command: &[String]) -> Result<(Unused, PathBuf)> {
        let build = self.build;
        let tools = if round == 0 { self.tools.as_slice() } else { &[] };
        let targets = build.cuts().then(|| build.of.recipe.project().targets);
        let script = script::to_configure(build.of.recipe.writes_source(), tools, command, targets);
        let (to, environment, tree) = (self.record(round), &build.environment, self.whole);
        let step = Step { phase: "configure", script: &script, environment, tree, output: RECORD, to: &to };
        let (_, unused) = self.run(&step)?;
        self.rounds = round + 1;
        Ok((unused, to))
    }

    fn left_out(&mut self, names: &str) -> Result<()> {
        Ok(writeln!(self.log, "left out, because the source does not use them: {names}")?)
    }
}
