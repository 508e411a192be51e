//! Commands of strixlock on a host.

use std::fs::File;

use serde_json::Value;

use super::Settings;
use super::answer::documents;
use crate::error::{Error, Kind, Result};
use crate::text::shell_word;

/// Path of the lock before it is accepted, in the project's directory on a host.
pub const NEW_LOCK: &str = "lock/deploy.lock";
/// Path of the lock of a deployment that changes nothing.
pub const TRIAL_LOCK: &str = "lock/deploy.trial.lock";
/// Path of the lock that was accepted.
pub const LOCK: &str = "lock/strix.lock";

/// Path of the directory with snapshots that are on their way, in the project's directory on a host.
pub const PARTS: &str = "lock/deploy.parts";

/// A host.
pub struct Host<'a> {
    pub settings: &'a Settings,
    pub name: &'a str,
}

impl Host<'_> {
    /// Returns a command of strixlock in the project's directory, with one of its locks.
    pub fn command(&self, lock: &str, words: &[&str]) -> String {
        let settings = self.settings;
        // With the manifest named, none in a directory above counts.
        let options = [
            "-C",
            &settings.directory,
            "--manifest",
            "manifests/strix.toml",
            "--lock",
            lock,
            "--no-progress",
            "--json",
        ];
        let offline = if settings.offline { ["--offline"].as_slice() } else { &[] };
        let all = [settings.program.as_str()].into_iter().chain(options).chain(offline.iter().copied());
        all.chain(words.iter().copied()).map(shell_word).collect::<Vec<_>>().join(" ")
    }

    /// Returns the path of a file in the project's directory, as a word for the shell.
    pub fn path(&self, name: &str) -> String {
        shell_word(&format!("{}/{name}", self.settings.directory))
    }

    /// Runs a script and returns the documents that the commands in it print.
    pub fn ask(&self, script: &str, input: Option<File>) -> Result<Vec<Value>> {
        let settings = self.settings;
        let answer = settings.ssh.run(self.name, script, input)?;
        documents(&answer, (&settings.ssh, self.name), &settings.program)
    }

    /// Runs one command, and returns its document.
    pub fn ask_one(&self, script: &str, input: Option<File>) -> Result<Value> {
        self.ask(script, input)?.pop().ok_or_else(|| self.odd("a step printed nothing"))
    }

    /// Returns the error for an answer that strixlock does not give.
    pub fn odd(&self, what: &str) -> Error {
        Error::new(Kind::Invalid, what).about(self.name).fact("program", &self.settings.program)
    }
}
