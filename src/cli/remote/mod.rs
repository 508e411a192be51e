//! `strixlock remote`

mod edit;
mod gc;
mod list;
mod ls;
pub(super) mod take;
mod trusted;
mod verify;

use super::Session;
use crate::error::Result;
use crate::fetch::Access;
use crate::remote::Repository;

pub(super) use trusted::judge;

/// The step that only the operator of a registry can take: it keeps bytes that it has under a digest, whatever they are.
pub(super) const COLLECT: &str =
    "let the registry collect its garbage: for docker-registry, `registry garbage-collect CONFIG`, then restart it";

/// Share realized outputs between machines, on a registry
#[derive(Debug, clap::Subcommand)]
pub enum RemoteCommand {
    Add(edit::AddArgs),
    /// List the remotes of the configuration, in the order in which they are asked
    List,
    Remove(edit::RemoveArgs),
    Ls(ls::LsArgs),
    Verify(verify::VerifyArgs),
    Gc(gc::GcArgs),
}

pub fn run(command: &RemoteCommand, session: &Session) -> Result<u8> {
    match command {
        RemoteCommand::Add(args) => edit::add(args, session),
        RemoteCommand::List => list::run(session),
        RemoteCommand::Remove(args) => edit::remove(args, session),
        RemoteCommand::Ls(args) => ls::run(args, session),
        RemoteCommand::Verify(args) => verify::run(args, session),
        RemoteCommand::Gc(args) => gc::run(args, session),
    }
}

/// Opens the remote with this name or address, or the first one. Returns it with its name.
pub(super) fn open<'s>(
    session: &'s Session,
    name: Option<&str>,
    access: Access,
) -> Result<(String, Box<dyn Repository + 's>)> {
    let remote = session.remote(name)?;
    let opened = remote.address.open(session.fetcher()?, access)?;
    Ok((remote.name, opened))
}
