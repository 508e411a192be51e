//! Settings of a run of `realize`.

use std::num::NonZeroUsize;

use crate::sandbox::Limits;

/// The settings by which plans are carried out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// Compilers at a time; as many as there are processors and memory for without it.
    pub jobs: Option<NonZeroUsize>,
    /// How far each command of a build may go.
    pub limits: Limits,
}
