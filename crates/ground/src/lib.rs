//! The ground floor: modules that every part of strixlock uses, and that use no other part.
//!
//! * [`error`]: the one error type, with its exit codes
//! * [`text`], [`urls`], [`suggest`]: numbers, times, URLs and names as people read them
//! * [`progress`]: progress reporting
//! * [`digest`]: SHA-256 values, and the readers and writers that compute them
//! * [`gfx`]: names of GPUs
//! * [`threads`]: work on several threads

pub mod digest;
pub mod error;
pub mod gfx;
pub mod progress;
pub mod suggest;
pub mod text;
pub mod threads;
pub mod urls;
