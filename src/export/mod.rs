//! Exports from the store: snapshots, image archives, and configurations for container engines.
//!
//! For engines: [`container`] describes the container, one file per engine translates it, and [`engine`] lists them.

mod compose;
pub mod container;
pub mod containerfile;
mod devcontainer;
mod distrobox;
mod docker;
pub mod engine;
mod flags;
pub mod image_ref;
pub mod image_source;
pub mod inside;
mod llama_swap;
pub mod oci;
mod podman;
mod quadlet;
pub mod run;
mod runtime;
pub mod snapshot;
mod start;
mod toolbox;
mod wanted;

pub use container::{Container, Mount, Server};
pub use engine::{ContainerEngine, NewFile, Steps};
pub use image_ref::ImageRef;
pub use image_source::ImageSource;
pub use runtime::Runtime;
pub use wanted::{Machine, Wanted};

#[cfg(test)]
mod tests;
