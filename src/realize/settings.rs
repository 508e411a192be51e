//! Settings for carrying out a plan.

use std::num::NonZeroUsize;

use crate::sandbox::Limits;

/// Settings for carrying out a plan.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealizeSettings {
    /// Number of compilers that run at once. Default: as many as there are processors and as fit into free memory.
    pub jobs: Option<NonZeroUsize>,
    /// Limits of time, memory and output for each command of a build.
    pub limits: Limits,
}
