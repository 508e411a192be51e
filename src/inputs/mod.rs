//! Inputs: one folder for each kind, with everything about that kind.
//!
//! The rest of the program does not know the kinds. It uses four traits, which each kind implements:
//!
//! | trait | of | used by | IO |
//! | --- | --- | --- | --- |
//! | [`Request`] | the request | `manifest`: parses its table | none |
//! | [`Pinned`] | the block of the lock | `lock` and `report`: version, tree, faults, commands | none |
//! | [`Resolve`] | the request | `update`: resolves it to a pin | network, store |
//! | [`Supply`] | the block of the lock | `realize` and `gc`: presence, download, roots | network, store |
//!
//! The list below is the one place that names all kinds: it generates the enums over them and the access from a block
//! to its traits. `docs/adding-an-input-kind.md` describes how to add a kind.

mod archive;
mod block;
mod kept;
mod kinds;
mod model;
mod pinned;
mod project;
mod request;
mod resolve;
mod supply;
mod tree_pin;

pub mod advisories;
pub mod debs;
pub mod directory;
pub mod file;
pub mod git;
pub mod huggingface;
pub mod llama_ui;
pub mod oci;
pub mod release;
pub mod rocm;

pub use block::Block;
pub use kept::{Kept, KeptCommit, KeptFile};
pub use model::{ModelFile, restore_model};
pub use pinned::{Pinned, Trust};
pub use request::{OfKind, Request};
pub use resolve::{Answer, Preview, Question, Resolution, Resolve, Taken};
pub use supply::{Presence, Supply};
pub use tree_pin::TreePin;

kinds::kinds! {
    /// A ROCm nightly tarball.
    Rocm("rocm", crate::upstream::rocm::RocmRequest),
    /// A git repository at a ref.
    Git("git", crate::upstream::git::GitRequest),
    /// Any file by its URL.
    File("file", file::FileRequest),
    /// A directory of the project.
    Directory("directory", directory::DirectoryRequest),
    /// A closed set of distribution packages.
    Debs("debs", crate::upstream::debs::DebsRequest),
    /// A model of the Hugging Face hub.
    Huggingface("huggingface", crate::upstream::huggingface::HuggingfaceRequest),
    /// A file of a release that a forge publishes.
    Release("release", crate::upstream::release::ReleaseRequest),
    /// The web UI of a llama.cpp build.
    LlamaUi("llama-ui", llama_ui::LlamaUiRequest),
    /// A base image.
    Oci("oci", crate::upstream::oci::OciRequest),
    /// A document with versions that are known to be bad.
    Advisories("advisories", advisories::AdvisoriesRequest),
}
