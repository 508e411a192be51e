//! Builds by a remote builder: a service of the Remote Execution API v2, whose workers run what the sandbox would run.
//!
//! A build is two actions with one tree: root, sources, ROCm tree and tools at the paths that they have in the sandbox.
//! The first asks the tools for their versions and configures; it is run again without variables that CMake calls
//! unused. The second configures, compiles and installs. Both are found again in the service's cache if nothing has
//! changed. Between them, each compiler call can be an action of its own: see [`calls`].
//!
//! The service is believed in one thing alone, the contents of the installed tree, and only as far as the lock has no
//! seal that they are compared with.

mod actions;
mod calls;
mod inputs;
mod run;
mod script;
mod watch;

pub(super) use inputs::needs_sysroot;
pub(super) use run::RemoteBuild;
