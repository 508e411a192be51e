//! `strixlock lock`

mod merge;
mod show;

use super::Session;
use crate::digest::Sha256Digest;
use crate::error::Result;

/// Inspect and merge the lock
#[derive(Debug, clap::Subcommand)]
pub enum LockCommand {
    /// Print the digest of the lock, or the derivation id of one output, as a key for caches
    Digest {
        /// Output whose derivation id to print
        output: Option<String>,
    },
    Show(show::ShowArgs),
    Merge(merge::MergeArgs),
}

pub fn run(command: &LockCommand, session: &Session) -> Result<u8> {
    match command {
        LockCommand::Digest { output } => digest(session, output.as_deref()),
        LockCommand::Show(args) => show::run(args, session),
        LockCommand::Merge(args) => merge::run(args, session),
    }
}

fn digest(session: &Session, output: Option<&str>) -> Result<u8> {
    let lock = session.lock()?;
    let digest = match output {
        None => Sha256Digest::of(lock.to_text()?.as_bytes()),
        Some(name) => lock.output(name)?.derivation.0,
    };
    session.ui.result(serde_json::json!({ "digest": digest }), || session.ui.line(digest.to_string()));
    Ok(0)
}
