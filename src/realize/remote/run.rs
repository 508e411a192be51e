//! Carries out a remote build.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use strixlock_reapi::{Cache, Caller, Job, Outcome, Service};

use super::super::build::Build;
use super::super::build_record::{ABOUT, BuildRecord, LOG, RemoteRecord, tools_of};
use super::super::configure::{Configures, configure};
use super::super::configured::Unused;
use super::super::installed::installed;
use super::super::last_build::last_build;
use super::super::settings::BuilderSettings;
use super::inputs::{Inputs, needs_sysroot};
use super::script::{self, RECORD};
use super::watch::{Watcher, first_line};
use crate::digest::DerivationId;
use crate::error::{Error, Kind, Result};
use crate::llama_source::CMakeFiles;
use crate::progress::Task;
use crate::recipe::build::{self, DEST};
use crate::sandbox::{Root, Sandbox};
use crate::store::{Staging, normalise};
use crate::tree::{Listing, confined};

/// Bytes that are read of a tool's version at most.
const MOST: u64 = 64 << 10;

/// A build by a remote builder.
pub(in crate::realize) struct RemoteBuild<'b> {
    of: &'b Build<'b>,
    builder: &'b BuilderSettings,
    derivation: DerivationId,
    cache: Cache,
    environment: BTreeMap<String, String>,
}

impl<'b> RemoteBuild<'b> {
    /// Prepares a build. With `anew`, results in the service's cache are not used.
    pub fn new(of: &'b Build<'b>, builder: &'b BuilderSettings, derivation: DerivationId, anew: bool) -> Result<Self> {
        if of.intake.fetcher.is_offline() {
            return Err(Error::new(Kind::Unreachable, "the builder is remote, and --offline forbids the network")
                .fact("builder", &builder.service.address)
                .hint("build here: `--builder local`"));
        }
        let root = of.sysroot.as_ref().ok_or_else(needs_sysroot)?;
        let sandbox = Sandbox { root: Root::Tree(root.path.clone()), ..Sandbox::default() };
        sandbox.demand_programs(&of.recipe.programs())?;
        let cache = if anew || of.settings.sealing { Cache::Ignore } else { Cache::Use };
        let environment = build::environment(of.recipe, &of.source, of.hip());
        Ok(Self { of, builder, derivation, cache, environment })
    }

    /// Builds the project. Returns what a build in the sandbox returns.
    pub fn run(&self, task: &dyn Task) -> Result<(Staging, Listing)> {
        let store = self.of.intake.store;
        let staging = store.stage()?;
        staging.makes(self.derivation)?;
        let log_path = staging.path().join(LOG);
        let mut log = fs_err::File::create(&log_path)?;
        let made = self.make(&staging, &mut log, task);
        // The staging directory is deleted; the log of a failure is kept.
        let listing = made.map_err(|failed| match store.keep_failed_log(self.derivation, &log_path) {
            Ok(place) => failed.fact("log", place.display()),
            Err(error) => error,
        })?;
        Ok((staging, listing))
    }

    fn make(&self, staging: &Staging, log: &mut fs_err::File, task: &dyn Task) -> Result<Listing> {
        let begun = Instant::now();
        let files = CMakeFiles::read(&self.of.tree)?;
        let mut variables = self.of.variables(&files);
        if let Some(time) = last_build(self.of.intake.store, &variables) {
            task.expect(time);
        }
        task.phase("connect");
        let service = Service::connect(self.builder.service.clone(), &self.caller())?;
        let inputs = Inputs::new(self.of, self.derivation, staging.path(), service.takes_absolute_links())?;
        self.describe(log, &inputs)?;
        let mut remote = Remote {
            build: self,
            service: &service,
            inputs: &inputs,
            staging: staging.path(),
            log,
            task,
            tools: Vec::new(),
        };
        let tools = tools_of(&variables);
        remote.tools.clone_from(&tools);
        let configured = configure(self.of, &files, &mut variables, &mut remote)?;
        let tools = remote.versions(&tools)?;
        let (outcome, dest) = remote.compile(&variables)?;
        let mut record = BuildRecord::of_remote(tools, self.remote_record(&outcome));
        record.set_configured(configured, build::left_field(self.of.recipe), &variables);
        let tree = staging.path().join("tree");
        let listing = installed(&dest, self.of.prefix(), &tree)?;
        normalise(&tree, &listing)?;
        record.read_needed(&tree, &listing);
        record.set_time(begun.elapsed());
        fs_err::write(staging.path().join(ABOUT), record.to_json())?;
        Ok(listing)
    }

    fn caller(&self) -> Caller {
        Caller {
            tool: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            action: self.derivation.hex(),
            target: self.of.version.clone(),
        }
    }

    fn remote_record(&self, outcome: &Outcome) -> RemoteRecord {
        RemoteRecord {
            service: self.service_name(),
            worker: outcome.worker.clone(),
            action: outcome.action.sha256.to_string(),
            cached: outcome.cached,
        }
    }

    fn service_name(&self) -> String {
        self.builder.service.address.to_string()
    }

    /// Writes into the log where it is built.
    fn describe(&self, log: &mut fs_err::File, inputs: &Inputs) -> Result<()> {
        writeln!(log, "remote builder: {}", self.service_name())?;
        writeln!(log, "  {:20} {}", "tree", inputs.root)?;
        for (name, value) in &self.builder.platform {
            writeln!(log, "  {:20} {name}={value}", "platform")?;
        }
        for (name, value) in &self.environment {
            writeln!(log, "  {name}={value}")?;
        }
        Ok(())
    }
}

/// A connection that builds.
struct Remote<'r> {
    build: &'r RemoteBuild<'r>,
    service: &'r Service,
    inputs: &'r Inputs,
    staging: &'r Path,
    log: &'r mut fs_err::File,
    task: &'r dyn Task,
    /// The tools whose versions are asked for.
    tools: Vec<String>,
}

impl Remote<'_> {
    /// Runs a script, and takes the directory `output` that it wrote to `to`.
    fn run(&mut self, phase: &'static str, script: &str, output: &str, to: &Path) -> Result<(Outcome, Unused)> {
        let RemoteBuild { of, builder, .. } = self.build;
        let output = output.trim_start_matches('/');
        let environment = &self.build.environment;
        let job = Job {
            arguments: script::command(&self.build.derivation.hex(), script, environment.iter()),
            environment: environment.clone(),
            outputs: vec![output.to_owned()],
            platform: builder.platform.clone(),
            timeout: builder.timeout,
            input_root: self.inputs.root,
        };
        let mut cache = self.build.cache;
        loop {
            let progress = of.intake.fetcher.progress();
            let mut watcher = Watcher::new(self.log, self.task, progress, phase, of.settings.limits.log);
            let outcome = self.service.run(&job, &self.inputs.blobs, cache, &mut watcher)?;
            let unused = watcher.finish(&outcome, &self.build.service_name())?;
            let worker = if outcome.worker.is_empty() { "not named" } else { &outcome.worker };
            let from = if outcome.cached { ", from the cache" } else { "" };
            writeln!(self.log, "action {}, worker {worker}{from}", outcome.action.sha256)?;
            self.task.phase("download");
            let taken = self.service.output(&outcome, output).and_then(|tree| self.service.download(&tree, to));
            match taken {
                Ok(()) => return Ok((outcome, unused)),
                // A result in a cache may outlive its files, or never have had them.
                Err(error) if outcome.cached && cache == Cache::Use => {
                    progress
                        .note(&format!("the result in the remote builder's cache is not whole: {}", error.message()));
                    if to.exists() {
                        fs_err::remove_dir_all(to)?;
                    }
                    cache = Cache::Ignore;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the directory with the results of a round of configuring.
    fn record(&self, round: usize) -> PathBuf {
        self.staging.join(format!("record-{round}"))
    }

    /// Returns the versions of the tools, as the first round found them.
    fn versions(&self, tools: &[String]) -> Result<BTreeMap<String, String>> {
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

    /// Compiles and installs. Returns the directory below which the project was installed.
    fn compile(&mut self, variables: &BTreeMap<String, String>) -> Result<(Outcome, PathBuf)> {
        let (of, dest) = (self.build.of, self.staging.join("dest"));
        let jobs = of.settings.jobs.map(usize::from);
        let commands = build::commands(of.recipe, variables, jobs.unwrap_or(1));
        let script = script::to_build(of.recipe.writes_source(), &commands, jobs, of.recipe.memory_per_job());
        let (outcome, _) = self.run("compile", &script, DEST, &dest)?;
        Ok((outcome, dest))
    }
}

impl Configures for Remote<'_> {
    fn configure(&mut self, round: usize, command: &[String]) -> Result<(Unused, PathBuf)> {
        let tools = if round == 0 { self.tools.as_slice() } else { &[] };
        let script = script::to_configure(self.build.of.recipe.writes_source(), tools, command);
        let record = self.record(round);
        let (_, unused) = self.run("configure", &script, RECORD, &record)?;
        Ok((unused, record))
    }

    fn left_out(&mut self, names: &str) -> Result<()> {
        Ok(writeln!(self.log, "left out, because the source does not use them: {names}")?)
    }
}
