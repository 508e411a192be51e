//! `strixlock snapshot`

mod restore;
mod save;

use super::Session;
use crate::error::Result;

/// Save realized outputs to a file, and restore them
///
/// Equal outputs give an equal file on every machine. Use `strixlock lock digest OUTPUT` as its key in a cache.
#[derive(Debug, clap::Subcommand)]
pub enum SnapshotCommand {
    Save(save::SaveArgs),
    Restore(restore::RestoreArgs),
}

pub fn run(command: &SnapshotCommand, session: &Session) -> Result<u8> {
    match command {
        SnapshotCommand::Save(args) => save::run(args, session),
        SnapshotCommand::Restore(args) => restore::run(args, session),
    }
}
