//! Input kind `git`: a repository at a ref, pinned to a commit.
//!
//! Objects are fetched into a bare repository in the store, a cache that can be deleted at any time. The pin has the
//! commit and the tree digest of the raw blobs: no filters, no line-end conversion, no export-subst, so that the digest
//! means the same everywhere. Archives that servers generate are never used: their bytes change.
//!
//! libgit2 trusts servers, so it never talks to one itself. Our transports ([`http`], [`ssh`], and [`local`] for
//! repositories on this machine) check every received byte, object sizes are read before the objects, and a whole tree
//! is measured and validated before any of it is written ([`measure`]).

mod address;
mod advertisement;
mod archived;
mod bounds;
mod config;
mod content;
mod first_parents;
mod history;
mod http;
mod library;
mod local;
mod measure;
mod names;
mod pack;
mod packets;
mod patches;
mod program;
mod ref_list;
mod release;
mod remote;
mod reversed;
mod session;
mod ssh;
mod ssh_refusal;
mod submodules;
mod transfer;
mod watch;
mod worktree;

use serde::{Deserialize, Serialize};

pub use address::{is_commit, is_git_url};
pub use config::user_setting;
pub use content::{Content, write_content};
pub use first_parents::Ancestor;
pub use history::{CachedCommit, CachedHistory, log_between};
pub use patches::{LARGEST as LARGEST_PATCH, Patch, apply, is_patch};
pub use release::{demand_range, release_version};
pub use remote::{Repository, Resolved};
pub use worktree::{Found, Worktree};

/// A wanted commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitRequest {
    /// The repository: https, ssh, file, or http on loopback.
    pub url: String,
    /// The wanted commit.
    #[serde(rename = "ref")]
    pub reference: GitRef,
    /// Patches that are applied to it, in order: paths relative to the manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<String>,
}

/// The ref that names a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GitRef {
    /// The repository's HEAD.
    Head,
    /// The tip of a branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// A commit, by all 40 digits.
    Commit(String),
    /// A ref by its full name, such as `refs/pull/7/head`.
    Ref(String),
    /// The head of a pull request.
    Pull(u64),
    /// The newest release, as a tag `v...`: `latest`, or a range of versions.
    Release(String),
}

impl GitRef {
    /// Returns true for a full name of a ref that a request may have.
    #[must_use]
    pub fn is_full_name(name: &str) -> bool {
        name.starts_with("refs/") && git2::Reference::is_valid_name(name)
    }
}

/// A submodule at the commit that the repository names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submodule {
    /// Its repository.
    pub url: String,
    /// 40 hex digits.
    pub commit: String,
}
