//! `strixlock export`

mod containerfile;
mod oci;

use super::Session;
use crate::error::Result;

/// Write what the lock says in a form that other tools take
#[derive(Debug, clap::Subcommand)]
pub enum ExportCommand {
    Oci(oci::OciArgs),
    Containerfile(containerfile::ContainerfileArgs),
}

pub fn run(command: &ExportCommand, session: &Session) -> Result<u8> {
    match command {
        ExportCommand::Oci(args) => oci::run(args, session),
        ExportCommand::Containerfile(args) => containerfile::run(args, session),
    }
}
