//! `strixlock remote`

mod edit;
mod gc;
mod list;
mod ls;
pub(super) mod take;
mod trusted;
mod verify;

use super::Session;
use super::session::RemoteSetting;
use crate::error::{Error, Kind, Result};
use crate::fetch::Access;
use crate::remote::{Address, Repository};

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
    let opened = open_one(session, &remote, access)?;
    Ok((remote.name, opened))
}

/// Opens a remote. Fails for one on the network if that is forbidden.
fn open_one<'s>(session: &'s Session, remote: &RemoteSetting, access: Access) -> Result<Box<dyn Repository + 's>> {
    if session.is_offline() && !matches!(remote.address, Address::Directory(_)) {
        return Err(Error::new(Kind::Unreachable, "the remote is on the network, and --offline forbids that")
            .fact("remote", &remote.address)
            .hint("run again without --offline, or name a remote in a directory"));
    }
    remote.address.open(session.fetcher()?, access)
}
