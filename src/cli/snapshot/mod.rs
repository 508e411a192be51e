//! `strixlock snapshot`

mod restore;
mod save;

use super::Session;
use crate::error::Result;

/// Put realized outputs into one file, and bring them back
///
/// The same outputs give the same file on every machine: for a cache, key it with `strixlock lock digest OUTPUT`.
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
