//! Settings for carrying out a plan.

use std::num::NonZeroUsize;
use std::time::Duration;

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
    /// The remote builder that builds with CMake are left to; they are done here without it.
    pub builder: Option<BuilderSettings>,
}

/// Settings for a remote builder.
#[derive(Debug, Clone)]
pub struct BuilderSettings {
    /// The service, and how to reach it.
    pub service: strixlock_reapi::Settings,
    /// The properties that a worker must have: names and values.
    pub platform: Vec<(String, String)>,
    /// True if each compiler call is an action of its own.
    pub calls: bool,
    /// The time that a build may take; the service's own limit without it.
    pub timeout: Option<Duration>,
}

/// Settings for the compiler cache.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// The profile of the project: projects share no cache.
    pub profile: ProfileName,
    /// The most bytes of all caches in the store.
    pub most: u64,
}
