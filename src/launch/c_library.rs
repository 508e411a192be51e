//! Compares the C library of this machine with what a Vulkan runtime and its engine were linked with.
//!
//! The C library is the one part that a Vulkan runtime leaves to the machine (see [`crate::drivers`]). If it is too old,
//! ld.so refuses the engine, or the Vulkan loader passes over a driver in silence and no device is found.

use std::path::Path;

use crate::drivers::lacking;
use crate::error::{Error, Result};

/// Fails if the C library of the system at `root` is older than the one that the runtime or the engine needs.
pub(super) fn demand(runtime: &Path, engine: Option<&Path>, root: &Path) -> Result<()> {
    let trees: Vec<&Path> = engine.into_iter().chain([runtime]).collect();
    let Some(lacking) = lacking(&trees, root) else { return Ok(()) };
    Err(Error::failure("this machine's C library is older than the one that the Vulkan runtime was made with")
        .fact("file", lacking.file.display())
        .fact("needs", lacking.version)
        .fact("library", lacking.library.display())
        .fact("has", lacking.newest)
        .hint("use packages of an older release for the build's root, or run it in an image: `strixlock export oci IMAGE`"))
}
