//! The topics of the log, which tells what the program does to those who look into a failure.
//!
//! Events are those of `tracing`: `info` for each step, `debug` for its details. Nothing secret is logged: addresses stand
//! without user, password and query, commands without their environment, and headers never.

use std::process::Command;

use crate::text::command_line;

/// Requests over the network: status, size and time of each, redirects, and what is asked again and why.
pub const FETCH: &str = "fetch";
/// Decisions about what is here and what is to be fetched, unpacked or built, and why.
pub const CACHE: &str = "cache";
/// Commands, in a sandbox or outside.
pub const RUN: &str = "run";
/// Entries of lists, and files, that are passed over, and why.
pub const LISTS: &str = "lists";

/// All topics.
pub const TOPICS: [&str; 4] = [FETCH, CACHE, RUN, LISTS];

/// Logs a command that is about to be run outside of any sandbox, and gives it back.
pub fn running(command: &mut Command) -> &mut Command {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    tracing::info!(target: RUN, "on this machine: {}", command_line(&words));
    command
}
