//! Carries out a remote build.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Instant;

use strixlock_reapi::{Cache, Caller, Outcome, Service};

use super::super::build::Build;
use super::super::build_record::{ABOUT, BuildRecord, LOG, RemoteRecord, tools_of};
use super::super::configure::configure;
use super::super::installed::installed;
use super::super::last_build::last_build;
use super::super::settings::BuilderSettings;
use super::actions::Remote;
use super::calls;
use super::inputs::{ActionTree, Inputs, needs_sysroot};
use crate::digest::DerivationId;
use crate::error::{Error, Kind, Result};
use crate::llama_source::CMakeFiles;
use crate::progress::Task;
use crate::recipe::build::{self, HIP_LAUNCHER};
use crate::sandbox::{Root, Sandbox};
use crate::store::{Staging, normalise};
use crate::tree::Listing;

/// A build by a remote builder.
pub(in crate::realize) struct RemoteBuild<'b> {
    pub(super) of: &'b Build<'b>,
    pub(super) builder: &'b BuilderSettings,
    derivation: DerivationId,
    pub(super) cache: Cache,
    pub(super) environment: BTreeMap<String, String>,
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
        let listing = made.map_err(|failed| store.with_failed_log(failed, self.derivation, &log_path))?;
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
        let inputs = Inputs::new(self.of, staging.path(), service.takes_absolute_links())?;
        let whole = inputs.whole(HIP_LAUNCHER)?.finish(&self.mark())?;
        self.describe(log, &whole)?;
        let tools = tools_of(&variables);
        let mut remote = Remote {
            build: self,
            service: &service,
            inputs: &inputs,
            whole: &whole,
            staging: staging.path(),
            log,
            task,
            tools: tools.clone(),
            rounds: 0,
        };
        let configured = configure(self.of, &files, &mut variables, &mut remote)?;
        let tools = remote.versions(&tools)?;
        let (objects, used) = calls::make(&mut remote, &variables)?;
        let (outcome, dest) = remote.compile(&variables, &objects)?;
        let mut record = BuildRecord::of_remote(tools, self.remote_record(&outcome));
        record.set_configured(configured, build::left_field(self.of.recipe), &variables);
        let tree = staging.path().join("tree");
        let listing = installed(&dest, self.of.prefix(), &tree)?;
        normalise(&tree, &listing)?;
        record.read_needed(&tree, &listing);
        if let Some(used) = used {
            record.set_compile_cache(used);
        }
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

    /// Returns true if each compiler call is an action of its own. A build that writes into its sources has other files
    /// than are known here, and one with launchers of its own has no place for ours.
    pub(super) fn cuts(&self) -> bool {
        let recipe = self.of.recipe;
        let given = recipe.project().cmake;
        let has_launcher = |name: &String| given.contains_key(name) || self.environment.contains_key(name);
        self.builder.calls && !recipe.writes_source() && !calls::environment().any(|(name, _)| has_launcher(&name))
    }

    /// Returns the number of compilers in an action; the worker decides without it. With calls as actions, the setting is
    /// the number of calls at a time, and no action shows it: its result would not be found by others.
    pub(super) fn jobs_in_action(&self) -> Option<usize> {
        self.of.settings.jobs.filter(|_| !self.cuts()).map(usize::from)
    }

    /// Returns the mark of trees that belong to this build alone.
    pub(super) fn mark(&self) -> String {
        self.derivation.hex()
    }

    pub(super) fn service_name(&self) -> String {
        self.builder.service.address.to_string()
    }

    /// Writes into the log where it is built.
    fn describe(&self, log: &mut fs_err::File, tree: &ActionTree) -> Result<()> {
        writeln!(log, "remote builder: {}", self.service_name())?;
        writeln!(log, "  {:20} {}", "tree", tree.root)?;
        for (name, value) in &self.builder.platform {
            writeln!(log, "  {:20} {name}={value}", "platform")?;
        }
        for (name, value) in &self.environment {
            writeln!(log, "  {name}={value}")?;
        }
        Ok(())
    }
}
