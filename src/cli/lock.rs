//! `strixlock lock`

use super::{GlobalArgs, Ui};
use crate::digest::Sha256Digest;
use crate::error::Result;

/// Look at the lock
#[derive(Debug, clap::Subcommand)]
pub enum LockCommand {
    /// Print the digest of the whole lock, or the derivation id of one output: keys for caches
    Digest {
        /// An output
        output: Option<String>,
    },
}

pub fn lock(ui: &Ui, global: &GlobalArgs, command: &LockCommand) -> Result<u8> {
    let LockCommand::Digest { output } = command;
    let lock = global.read_lock()?;
    let digest = match output {
        None => Sha256Digest::of(lock.to_text()?.as_bytes()),
        Some(name) => lock.output(name)?.derivation.0,
    };
    if ui.is_json() {
        ui.json(serde_json::json!({ "digest": digest }));
    } else {
        ui.line(digest.to_string());
    }
    Ok(0)
}
