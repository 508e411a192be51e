//! Command tests: what a user types, and everything that the user sees, against the embedded upstream.
//!
//! One file a capability, or a folder of several; `support` holds the project and the upstream that they share, and
//! `sshd` a server. One
//! crate, so that it is linked once.

mod sshd;
mod support;

mod advisories;
mod archive;
mod audit;
mod bisect;
mod book;
mod check;
mod ci;
mod cmake;
mod command;
mod compile_cache;
mod completions;
mod config;
mod debs;
mod deploy;
mod diff;
mod docs;
mod doctor;
mod fetch;
mod git;
mod golden;
mod hash;
mod hints;
mod holding;
mod image;
mod init;
mod llama;
mod lock;
mod log;
mod man;
mod manifest;
mod map;
mod merge;
mod models;
mod oci;
mod overlay;
mod past;
mod prebuilt;
mod progress;
mod provision;
mod realize;
mod rebuild;
mod release;
mod remote;
mod remote_build;
mod report;
mod run;
mod runtime;
mod schema;
mod scripts;
mod seals;
mod snapshot;
mod status;
mod store;
mod sysroot;
mod targets;
mod trust;
mod ui;
mod up;
mod update;
mod validate;
mod verify;
mod vulkan;
