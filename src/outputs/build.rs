//! The parts of making that all builds with CMake share.

use std::process::ExitStatus;

use crate::error::Result;
use crate::lock::LockedOutput;
use crate::manifest::known_edges;
use crate::realize::{Made, Making, Realizer};
use crate::recipe::Edge;
use crate::recipe::build::CMakeBuild;

/// Builds an output.
pub(super) fn make(
    recipe: &dyn CMakeBuild,
    realizer: &Realizer,
    locked: &LockedOutput,
    making: Making,
) -> Result<Made> {
    let (staging, listing) = realizer.cmake_build(recipe)?.run(locked.derivation, making.anew, making.task)?;
    Ok(Made::Staged(staging, listing))
}

/// Returns the known edges, unless a runtime is trimmed from that tree, which has edges of its own.
pub(super) fn edges(recipe: &dyn CMakeBuild, realizer: &Realizer, rocm: &str) -> Result<Option<Vec<Edge>>> {
    let runs = recipe.project().rocm == Some(rocm) && !realizer.is_trimmed(rocm);
    Ok(if runs { Some(known_edges()?.to_vec()) } else { None })
}

/// Opens a shell in the sandbox of a build.
pub(super) fn shell(recipe: &dyn CMakeBuild, realizer: &Realizer) -> Result<ExitStatus> {
    realizer.cmake_build(recipe).and_then(|build| build.shell())
}
