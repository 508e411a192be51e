//! Each compiler call of a build as an action of its own, so that many machines compile one project, and what has not
//! changed since an earlier build is not compiled again.
//!
//! Three steps come before the last action of the build:
//!
//! 1. The action that configures also lists the calls, as Ninja has them ([`command`]).
//! 2. An action makes what is generated, and lets the compilers note which files each call reads ([`scan`]).
//! 3. Each call is an action with root, ROCm tree, and those files of the project that it reads ([`sight`]). It knows
//!    neither the commit nor the derivation, so the service has its result until something changes that it reads.
//!
//! The last action is that of a build in one piece. Its compilers have a launcher that takes the object of an equal
//! command on equal files where there is one ([`launcher`]). So whatever was left out or failed is compiled there, and an error of the
//! source is told as ever.

mod command;
mod compile;
mod depfile;
mod facts;
mod launcher;
mod make;
mod scan;
mod sight;
#[cfg(test)]
mod tests;

pub(super) use compile::Object;
pub(super) use launcher::{environment, hip_launcher, lay_objects};
pub(super) use make::make;
