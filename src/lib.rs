//! strixlock: lock files and a verified fetcher for llama.cpp on AMD Strix Halo with ROCm nightlies.
//!
//! The map of the house. Data flows downwards, and no module knows those below it:
//!
//! * [`error`], [`text`], [`progress`]: how things are told
//! * [`digest`], [`gfx`]: the words that everything else is said in
//! * [`tree`]: canonical trees: listing, writer, archives, NAR
//! * [`oci`]: images: their documents, layers and layout
//! * [`elf`], [`gguf`]: what an ELF file needs; what a model file says of itself
//! * [`compare`]: what differs between two trees, and why
//! * [`deb`]: distribution packages to the tree of a root file system
//! * [`store`]: where verified downloads, trees and outputs live
//! * [`fetch`]: HTTP with resume, retries and mirrors
//! * [`upstream`]: the languages of upstreams: index pages, apt's archives, git's protocol, answers of hubs and registries
//! * [`intake`]: downloads into the store, in one pass
//! * [`inputs`]: kinds of inputs, a folder each: the wish, the pin, the look-up, the way into the store
//! * [`recipe`], [`manifest`], [`lock`]: how outputs are made, what a person asks for, what that was pinned to
//! * [`update`]: from manifest to lock
//! * [`sandbox`], [`trim`], [`proof`]: where builds run; which files a build needs at run time; whether it runs with them
//! * [`realize`]: from lock to trees
//! * [`host`], [`doctor`], [`validate`]: what this machine is; what keeps it from doing the job; whether what was realized runs on it
//! * [`export`]: ways out of the store: snapshots, images, what container engines are told
//! * [`report`]: the page REPRODUCIBLE.md
//! * [`demo`]: an upstream of our own, for the demo and the tests
//! * [`cli`]: the commands

pub mod canonical;
pub mod cli;
pub mod compare;
pub mod deb;
pub mod demo;
pub mod digest;
pub mod doctor;
pub mod elf;
pub mod error;
pub mod export;
pub mod fetch;
pub mod fields;
pub mod gfx;
pub mod gguf;
pub mod host;
pub mod inputs;
pub mod intake;
pub mod lock;
pub mod manifest;
pub mod oci;
pub mod page;
pub mod progress;
pub mod proof;
pub mod realize;
pub mod recipe;
pub mod report;
pub mod sandbox;
pub mod store;
pub mod suggest;
pub mod text;
pub mod threads;
pub mod toolbox_env;
pub mod tree;
pub mod trim;
pub mod update;
pub mod upstream;
pub mod urls;
pub mod validate;
