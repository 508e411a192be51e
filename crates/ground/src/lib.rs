//! The ground floor: what every part of strixlock stands on, and knows nothing of any of them.
//!
//! * [`error`]: the one error type, with its exit codes
//! * [`text`], [`urls`], [`suggest`]: numbers, times, URLs and names as people read them
//! * [`progress`]: long work, reported to whoever draws it
//! * [`digest`]: the values that everything else is known by
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
