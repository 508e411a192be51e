//! Git inputs: what is read of a repository, what is refused, and where submodules come from.

mod bombs;
mod refused;
mod repository;
mod submodules;
