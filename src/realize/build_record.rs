//! The record that is kept of a build besides its log: the versions of its tools, its CMake variables, its time, and
//! the libraries that its files need.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::compile_cache::CacheUse;
use super::configured::Configured;
use crate::elf::Elf;
use crate::error::Result;
use crate::sandbox::Sandbox;
use crate::text::visible;
use crate::tree::{Listing, Node};

/// Name of a build's log in its staging directory.
pub(super) const LOG: &str = "log";
/// Name of the file beside the log that holds an [`BuildRecord`].
pub(super) const ABOUT: &str = "about.json";

/// The record of a build, kept as `about.json` beside the log.
#[derive(Debug, Default, Serialize)]
pub(super) struct BuildRecord {
    /// The first line of each tool's `--version`.
    tools: BTreeMap<String, String>,
    /// The CMake variables of the recipe and of the manifest.
    variables: BTreeMap<String, String>,
    /// Variables of the recipe that were left out, because the source does not use them. Those of the manifest are an
    /// error.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    unknown_variables: BTreeSet<String>,
    /// Options of the source that are ON although neither recipe nor manifest decided them, in a field that says who
    /// decided.
    #[serde(flatten)]
    left: BTreeMap<String, BTreeSet<String>>,
    /// Compilations, and those whose object came from the compiler cache or from that of a remote builder; absent if there
    /// was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    compile_cache: Option<CacheUse>,
    /// Who built it; absent if it was built here.
    #[serde(skip_serializing_if = "Option::is_none")]
    builder: Option<RemoteRecord>,
    /// Time that the build took, in seconds.
    seconds: u64,
    /// Programs and libraries, and the libraries that each needs (`DT_NEEDED`).
    needed: BTreeMap<String, Vec<String>>,
}

/// Who built an output on another machine.
#[derive(Debug, Clone, Serialize)]
pub struct RemoteRecord {
    /// The address of the service.
    pub service: String,
    /// The worker, as the service names it; empty if it does not.
    pub worker: String,
    /// The digest of the action, under which the service keeps the result.
    pub action: String,
    /// True if the result was in the service's cache.
    pub cached: bool,
}

/// Returns the commands of the tools that a build with these variables uses.
pub(super) fn tools_of(variables: &BTreeMap<String, String>) -> Vec<String> {
    let compiler = |variable: &str, usual: &str| variables.get(variable).map_or(usual, String::as_str).to_owned();
    let mut all = vec!["cmake".to_owned(), "ninja".to_owned()];
    all.push(compiler("CMAKE_C_COMPILER", "cc"));
    all.push(compiler("CMAKE_CXX_COMPILER", "c++"));
    all.extend(variables.get("CMAKE_HIP_COMPILER").cloned());
    all
}

impl BuildRecord {
    /// Asks the tools of a build for their versions. Their output goes to the log too.
    pub fn new(sandbox: &Sandbox, variables: &BTreeMap<String, String>, log: &mut dyn Write) -> Result<Self> {
        let mut tools = BTreeMap::new();
        for tool in tools_of(variables) {
            let mut first = None;
            let status = sandbox.run(&[tool.clone(), "--version".to_owned()], log, &mut |line| {
                first.get_or_insert_with(|| visible(line));
            })?;
            if let Some(line) = first.filter(|_| status.success()) {
                tools.insert(tool, line);
            }
        }
        Ok(Self { tools, variables: variables.clone(), ..Self::default() })
    }

    /// Returns the record of a build by a remote builder, with these versions of tools.
    pub fn of_remote(tools: BTreeMap<String, String>, builder: RemoteRecord) -> Self {
        Self { tools, builder: Some(builder), ..Self::default() }
    }

    /// Records what CMake made of the variables, and those that it was given in the end; options that were left to the
    /// project stand in the field `left`.
    pub fn set_configured(&mut self, configured: Configured, left: String, variables: &BTreeMap<String, String>) {
        self.variables.clone_from(variables);
        self.unknown_variables = configured.unknown;
        if !configured.left.is_empty() {
            self.left.insert(left, configured.left);
        }
    }

    /// Records the use of a cache of compiled objects.
    pub fn set_compile_cache(&mut self, used: CacheUse) {
        self.compile_cache = Some(used);
    }

    /// Records the time that the build took, rounded up.
    pub fn set_time(&mut self, time: Duration) {
        self.seconds = time.as_secs() + 1;
    }

    /// Records the libraries that the files of a tree need.
    pub fn read_needed(&mut self, tree: &Path, listing: &Listing) {
        self.needed = needed(tree, listing);
    }

    /// Returns the record as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        // Maps of strings always serialize.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}

/// Returns the libraries that each file of a tree needs. Skips files that cannot be read as ELF.
pub(super) fn needed(tree: &Path, listing: &Listing) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for entry in listing.entries().iter().filter(|entry| matches!(entry.node, Node::File { .. })) {
        let path = tree.join(OsStr::from_bytes(&entry.path));
        if let Ok(Some(Elf::Native(file))) = Elf::open(&path)
            && !file.needed.is_empty()
        {
            let names = file.needed.iter().map(|name| String::from_utf8_lossy(name).into_owned());
            all.insert(entry.display(), names.collect());
        }
    }
    all
}
