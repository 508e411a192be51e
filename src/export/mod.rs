//! Ways out of the store: forms in which realized outputs travel, and what container engines are told.
//!
//! For engines: [`container`] says what is wanted, one file an engine says it in that engine's words, and [`engine`] has
//! the list of them.

mod compose;
pub mod container;
pub mod containerfile;
mod devcontainer;
mod distrobox;
mod docker;
pub mod engine;
mod flags;
pub mod image_ref;
pub mod inside;
mod llama_swap;
pub mod oci;
mod podman;
mod quadlet;
pub mod run;
mod runtime;
pub mod snapshot;
pub mod source;
pub mod start;
mod toolbox;
mod wanted;

pub use container::{Container, Mount, Server};
pub use engine::{Engine, NewFile, Steps};
pub use image_ref::ImageRef;
pub use runtime::Runtime;
pub use source::Source;
pub use wanted::{Machine, Wanted};

#[cfg(test)]
mod tests;
