//! Input kind `git`: a repository at a ref, pinned to a commit.
//!
//! Objects are fetched into a bare repository in the store, a cache that can always be thrown away. What is pinned is
//! the commit, and beside it the digest of the raw blobs as a tree: no filters, no line-end conversion, no
//! export-subst, so that the digest means the same everywhere. Server-made archives are never used: their bytes change.
//!
//! libgit2 believes servers. So it never speaks to one itself: over [`http`], [`ssh`] and to a repository of this machine
//! ([`local`]) every byte that comes is looked at on its way, sizes of objects are asked for before the objects, and a tree
//! is counted and judged whole before any of it is written ([`measure`]).

mod address;
mod advertisement;
mod bounds;
mod config;
mod content;
mod history;
mod http;
mod library;
mod local;
mod measure;
mod names;
mod pack;
mod packets;
mod program;
mod remote;
mod session;
mod ssh;
mod ssh_refusal;
mod submodules;
mod watch;

use serde::{Deserialize, Serialize};

pub use address::{is_commit, is_git_url};
pub use content::{Content, write_content};
pub use history::log_between;
pub use remote::{Repository, Resolved};

/// A wanted commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitRequest {
    /// The repository: https, ssh, file, or http on loopback.
    pub url: String,
    /// Which commit of it.
    #[serde(rename = "ref")]
    pub reference: GitRef,
}

/// Which commit is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GitRef {
    /// What the repository's HEAD points to.
    Head,
    /// The tip of a branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// One commit, by all 40 digits.
    Commit(String),
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
