//! strixlock: lock files and a verified fetcher for llama.cpp on AMD Strix Halo with ROCm nightlies.
//!
//! The program. Below it lie three crates, which know nothing of it: the ground floor (`strixlock_ground`: errors, digests,
//! progress), the formats (`strixlock_formats`: trees, ELF, GGUF, packages, images) and the embedded upstream
//! (`strixlock_demo`). The modules here, from the bottom up; each uses
//! only those before it (`tests/map.rs` sees to it):
//!
//! * [`log`]: what is logged, by topic, and where it goes
//! * [`canonical`], [`fields`], [`page`]: JSON with one form; fields of TOML tables; Markdown whose text comes from outside
//! * [`compare`]: what differs between two trees, and why
//! * [`host`], [`sandbox`]: what this machine is; where builds and proofs run
//! * [`store`]: verified downloads, trees and outputs on disk
//! * [`llama_source`]: what the sources of a pinned llama.cpp know
//! * [`fetch`]: HTTP with resume, retries and mirrors
//! * [`intake`]: downloads into the store, in one pass
//! * [`upstream`]: the languages of upstreams: index pages, apt's archives, git's protocol, answers of hubs and registries
//! * [`inputs`]: kinds of inputs, a folder each: the wish, the pin, the look-up, the way into the store
//! * [`recipe`], [`manifest`], [`lock`]: how outputs are made, what a person asks for, what that was pinned to
//! * [`update`]: from manifest to lock
//! * [`trim`], [`proof`]: which files a build needs at run time; whether it runs with them
//! * [`realize`]: from lock to trees
//! * [`launch`]: programs of a generation, and the environment that they run in
//! * [`doctor`], [`validate`]: what keeps this machine from doing the job; whether what was realized runs on it
//! * [`export`], [`toolbox_env`]: ways out of the store: snapshots, images, what container engines are told; settings of the
//!   plan's scripts
//! * [`report`]: the page REPRODUCIBLE.md
//! * [`outputs`]: kinds of outputs: how each is made and described
//! * [`cli`]: the commands
//!
//! The interface of this crate is the command, [`cli::run`]. What tests put together without it is in [`parts`]; all else is
//! private, so that the compiler finds what nobody uses any more.

mod canonical;
pub mod cli;
mod compare;
mod doctor;
mod export;
mod fetch;
mod fields;
mod host;
mod inputs;
mod intake;
mod launch;
mod llama_source;
mod lock;
mod log;
mod manifest;
mod outputs;
mod page;
mod proof;
mod realize;
mod recipe;
mod report;
mod sandbox;
mod store;
mod toolbox_env;
mod trim;
mod update;
mod upstream;
mod validate;

use strixlock_demo as demo;
use strixlock_formats::{deb, elf, gguf, oci, tree};
use strixlock_ground::{digest, error, gfx, progress, suggest, text, threads, urls};

/// Parts of the program that tests put together without the command line.
pub mod parts {
    pub use crate::fetch::{Documents, Fetcher, Settings as FetchSettings};
    pub use crate::inputs::debs::{DebsPin, debs};
    pub use crate::inputs::{Block, LockedInput};
    pub use crate::intake::Intake;
    pub use crate::lock::Lock;
    pub use crate::manifest::{TemplateSettings, template};
    pub use crate::realize::{Realizer, Settings as RealizeSettings};
    pub use crate::recipe::revisions;
    pub use crate::report::TREE_DIGEST_SCRIPT;
    pub use crate::sandbox::Sandbox;
    pub use crate::store::Store;
    pub use crate::trim::Processor;
    pub use crate::upstream::rocm::parse as parse_index;
}
