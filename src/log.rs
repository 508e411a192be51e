//! Topics of the log, by which a failure can be investigated.
//!
//! Events are those of `tracing`: `info` for each step, `debug` for its details. Secrets are not logged: URLs lack
//! user, password and query, commands lack their environment, and headers are never logged.

use std::process::Command;

use crate::text::command_line;

/// Network requests with status, size and time, redirects, and retries with their reasons.
pub const FETCH: &str = "fetch";
/// Decisions to use, fetch, unpack or build something, with reasons.
pub const CACHE: &str = "cache";
/// Commands, inside and outside of sandboxes.
pub const RUN: &str = "run";
/// Skipped entries of lists and files, with reasons.
pub const LISTS: &str = "lists";

/// All topics.
pub const TOPICS: [&str; 4] = [FETCH, CACHE, RUN, LISTS];

/// Logs a command that is about to run outside of any sandbox, and returns it.
pub fn running(command: &mut Command) -> &mut Command {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    tracing::info!(target: RUN, "on this machine: {}", command_line(&words));
    command
}
