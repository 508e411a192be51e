//! Settings for carrying out a plan.

use std::num::NonZeroUsize;

use crate::sandbox::Limits;
use crate::store::ProfileName;

/// Settings for carrying out a plan.
#[derive(Debug, Clone, Default)]
pub struct RealizeSettings {
    /// Number of compilers that run at once. Default: as many as there are processors and as fit into free memory.
    pub jobs: Option<NonZeroUsize>,
    /// Limits of time, memory and output for each command of a build.
    pub limits: Limits,
    /// The compiler cache; none is used without it.
    pub compile_cache: Option<CacheSettings>,
    /// True if results are to be sealed: what was made with a compiler cache is made again.
    pub sealing: bool,
}

/// Settings for the compiler cache.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// The profile of the project: projects share no cache.
    pub profile: ProfileName,
    /// The most bytes of all caches in the store.
    pub most: u64,
}
