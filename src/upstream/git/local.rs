//! Repositories on this machine, read through git itself.
//!
//! libgit2 would read them without limits, and copy object by object. `git upload-pack` answers like any git server, so
//! one reader and one set of limits are enough; and it applies git's own rules on which owners to trust.

use std::path::PathBuf;

use tokio::process::Command;

use super::program::{LastWords, Server};
use super::session::Session;
use crate::error::{Error, Kind, Result};
use crate::host::on_path;
use crate::text::shell_word;

/// A repository in a directory.
pub(super) struct Local(pub PathBuf);

/// Variables that would make git read another repository, or speak another protocol.
const FOREIGN: [&str; 10] = [
    "GIT_DIR",
    "GIT_COMMON_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_SHALLOW_FILE",
    "GIT_CONFIG",
    "GIT_PROTOCOL",
];

impl Server for Local {
    fn command(&self, _: &Session) -> Result<Command> {
        let git = on_path("git").find(|path| path.is_absolute()).ok_or_else(|| {
            Error::new(Kind::Unreachable, "git is not installed; it is needed to read a repository on this machine")
                .fact("path", self.0.display())
                .hint("install git (`apt install git`, `dnf install git`)")
        })?;
        let mut command = Command::new(git);
        // Any commit may be pinned, even one that is no longer on any branch.
        command.args(["-c", "uploadpack.allowAnySHA1InWant=true", "upload-pack"]).arg(&self.0);
        command.env("LC_ALL", "C");
        for name in FOREIGN {
            command.env_remove(name);
        }
        Ok(command)
    }

    fn name(&self) -> &'static str {
        "git"
    }

    fn explain(&self, _: &Session, words: &LastWords) -> Error {
        let path = self.0.display();
        if words.said.contains("dubious ownership") {
            let trust = shell_word(&format!("safe.directory={path}"));
            let (name, value) = trust.split_once('=').unwrap_or((&trust, ""));
            return Error::new(Kind::Unreachable, "the repository belongs to another user, so git does not read it")
                .fact("path", path)
                .hint(format!("if you trust its owner: `git config --global --add {name} {value}`"));
        }
        if words.said.contains("not appear to be a git repository") || words.said.contains("not a git repository") {
            return Error::new(Kind::NotFound, "there is no git repository at this address")
                .fact("path", path)
                .hint("check the address");
        }
        words.add_to(Error::new(Kind::Unreachable, "git cannot read the repository").fact("path", path))
    }
}
