//! Git inputs: what is read of a repository, what is refused, and where submodules come from.

mod bombs;
mod configuration;
mod hostile;
mod local;
mod patches;
mod refused;
pub mod repository;
mod ssh;
mod submodules;
mod wanted;
