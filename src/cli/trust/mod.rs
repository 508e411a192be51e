//! `strixlock trust`

mod add;
mod list;

use serde_json::{Value, json};

use super::{Session, Ui};
use crate::error::Result;
use crate::text::{date, visible};
use crate::trust::{PublicKey, Signer, remove};

/// Trust somebody's word on what a derivation gives
#[derive(Debug, clap::Subcommand)]
pub enum TrustCommand {
    /// Trust somebody's key
    ///
    /// Adds a line to allowed_signers beside your configuration file. That is a file as ssh-keygen(1) describes it, and
    /// you may edit it. Compare the fingerprint that is printed with the owner of the key.
    Add(add::AddArgs),
    /// List the keys that are trusted
    List,
    /// Trust a key no longer
    ///
    /// Removes the key from allowed_signers. What was signed with it does not count from then on.
    Remove(RemoveArgs),
}

#[derive(Debug, clap::Args)]
pub struct RemoveArgs {
    /// Name whose keys to remove, or the fingerprint of one key
    #[arg(value_name = "NAME|FINGERPRINT")]
    who: String,
}

pub fn run(command: &TrustCommand, session: &Session) -> Result<u8> {
    match command {
        TrustCommand::Add(args) => add::run(args, session)?,
        TrustCommand::List => list::run(session)?,
        TrustCommand::Remove(args) => {
            let file = session.trusted_file()?;
            let removed = remove(&file, &args.who)?;
            let keys: Vec<_> = removed.iter().map(|(name, key)| key_json(name, key)).collect();
            session.ui.result(json!({ "file": file.display().to_string(), "removed": keys }), || {
                for (name, key) in &removed {
                    told(&session.ui, "no longer trusted", name, key);
                }
            });
        }
    }
    Ok(0)
}

/// Prints a line about a key.
fn told(ui: &Ui, what: &str, name: &str, key: &PublicKey) {
    let comment = visible(key.comment());
    ui.line(format!("{what}: {name}  {}  {}  {comment}", key.fingerprint(), key.kind()).trim_end());
}

fn key_json(name: &str, key: &PublicKey) -> Value {
    json!({ "name": name, "fingerprint": key.fingerprint(), "type": key.kind(), "comment": visible(key.comment()) })
}

/// Returns the times between which a key counts, in words.
fn validity(signer: &Signer) -> String {
    let after = signer.valid_after().map(|time| format!("from {}", date(time)));
    let before = signer.valid_before().map(|time| format!("until {}", date(time)));
    after.into_iter().chain(before).collect::<Vec<_>>().join(" ")
}
