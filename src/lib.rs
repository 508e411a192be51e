//! strixlock: lock files and a verified fetcher for llama.cpp on AMD Strix Halo with ROCm nightlies.
//!
//! This crate is the program. It uses four crates, which do not depend on it: the ground floor (`strixlock_ground`:
//! errors, digests, progress), the formats (`strixlock_formats`: trees, ELF, GGUF, packages, images), the client of
//! remote builders (`strixlock_reapi`) and the embedded upstream (`strixlock_demo`). The modules of this crate, listed
//! bottom-up: a module uses only modules listed before it (`tests/map.rs` checks this):
//!
//! * [`log`]: log topics and where the log is written
//! * [`canonical`], [`fields`], [`page`]: canonical JSON; fields of TOML tables; Markdown with text from outside
//! * [`compare`]: differences between two trees, and their causes
//! * [`host`], [`sandbox`]: facts about this machine; the sandbox of builds and proofs
//! * [`store`]: verified downloads, trees and outputs on disk
//! * [`overlay`]: trees laid over a tree: which file of which layer counts
//! * [`llama_source`]: models, options, programs and CMake variables of a pinned llama.cpp
//! * [`fetch`]: HTTP with resume, retries and mirrors
//! * [`intake`]: downloads into the store, in one pass
//! * [`upstream`]: protocols of upstreams: index pages, apt archives, git, model hubs, registries
//! * [`trust`]: signed statements that a derivation gave a tree; whose word counts
//! * [`advisories`]: versions that are known to be bad
//! * [`inputs`]: kinds of inputs, a folder each: request, pin, resolving, and taking into the store
//! * [`recipe`], [`manifest`], [`lock`]: how outputs are made; requests of the user; pins of the requests
//! * [`remote`]: realized outputs shared between machines, on registries
//! * [`archive`], [`serve`]: every byte that locks need, in a directory or registry; the server of such a directory
//! * [`update`]: from manifest to lock
//! * [`trim`], [`drivers`], [`proof`]: the files of ROCm that a build needs at run time; those of Vulkan drivers; the
//!   proof that it runs with them
//! * [`realize`]: from lock to trees
//! * [`changes`]: changes between two locks or generations: inputs, outputs, files
//! * [`launch`]: programs of a generation, and the environment that they run in
//! * [`bisect`]: the version that brought a fault
//! * [`doctor`], [`validate`]: problems of this machine; tests of realized outputs on it
//! * [`export`], [`toolbox_env`]: snapshots, images and files for container engines; settings of the plan's scripts
//! * [`report`]: the page REPRODUCIBLE.md, and rebuild.sh
//! * [`outputs`]: kinds of outputs: how each is made and described
//! * [`html_page`]: the page of `strixlock report`: one HTML file
//! * [`deploy`]: the outputs of a lock on other machines, by ssh
//! * [`cli`]: the commands
//!
//! The interface of this crate is the command, [`cli::run`]. [`parts`] has the parts that tests use directly. All else
//! is private, so that the compiler reports unused code.

mod advisories;
mod archive;
mod bisect;
mod canonical;
mod changes;
pub mod cli;
mod compare;
mod deploy;
mod doctor;
mod drivers;
mod export;
mod fetch;
mod fields;
mod host;
mod html_page;
mod inputs;
mod intake;
mod launch;
mod llama_source;
mod lock;
mod log;
mod manifest;
mod outputs;
mod overlay;
mod page;
mod proof;
mod realize;
mod recipe;
mod remote;
mod report;
mod sandbox;
mod serve;
mod store;
mod toolbox_env;
mod trim;
mod trust;
mod update;
mod upstream;
mod validate;

use strixlock_demo as demo;
use strixlock_formats::{deb, elf, gguf, oci, tree};
use strixlock_ground::{digest, error, gfx, progress, suggest, text, threads, urls};

/// Parts of the program that tests use without the command line.
pub mod parts {
    pub use crate::fetch::{Documents, Fetcher, Settings as FetchSettings};
    pub use crate::inputs::debs::{DebsPin, debs};
    pub use crate::inputs::{Block, LockedInput};
    pub use crate::intake::Intake;
    pub use crate::llama_source::read_as_any;
    pub use crate::lock::Lock;
    pub use crate::manifest::{TemplateSettings, template};
    pub use crate::realize::{RealizeSettings, Realizer};
    pub use crate::recipe::revisions;
    pub use crate::report::TREE_DIGEST_SCRIPT;
    pub use crate::sandbox::Sandbox;
    pub use crate::store::Store;
    pub use crate::trim::Processor;
    pub use crate::trust::{SigningKey, Statement, Trusted, Vouched};
    pub use crate::upstream::git::is_patch;
    pub use crate::upstream::rocm::parse as parse_index;
}
