//! Inputs: what comes from outside. One folder a kind, with everything about that kind in it.
//!
//! The rest of the program does not know which kinds there are. It asks four traits, each kind answers them:
//!
//! | trait | of | asked by | IO |
//! | --- | --- | --- | --- |
//! | [`Request`] | the wish | `manifest`: to read it from its table | none |
//! | [`Pinned`] | the block of the lock | `lock` and `report`: its version, its tree, its faults, what a stranger runs | none |
//! | [`Resolve`] | the wish | `update`: what does it mean today? | network, store |
//! | [`Supply`] | the block of the lock | `realize` and `gc`: is it here, bring it, keep it | network, store |
//!
//! The list below is the one place that names all kinds: the enums over them and the way from a block to its traits are made from
//! it. `docs/adding-an-input-kind.md` says how a kind is added.

mod block;
mod kinds;
mod model;
mod pinned;
mod request;
mod resolve;
mod supply;
mod tree_pin;

pub mod debs;
pub mod file;
pub mod git;
pub mod huggingface;
pub mod oci;
pub mod rocm;

pub use block::Block;
pub use model::{ModelFile, restore_model};
pub use pinned::Pinned;
pub use request::{OfKind, Request};
pub use resolve::{Answer, Question, Resolution, Resolve, Taken};
pub use supply::{Presence, Supply};
pub use tree_pin::TreePin;

kinds::kinds! {
    /// A ROCm nightly tarball.
    Rocm("rocm", crate::upstream::rocm::RocmRequest),
    /// A git repository at a ref.
    Git("git", crate::upstream::git::GitRequest),
    /// Any file by its URL.
    File("file", file::FileRequest),
    /// A closed set of distribution packages.
    Debs("debs", crate::upstream::debs::DebsRequest),
    /// A model of the Hugging Face hub.
    Huggingface("huggingface", crate::upstream::huggingface::HuggingfaceRequest),
    /// A base image.
    Oci("oci", crate::upstream::oci::OciRequest),
}
