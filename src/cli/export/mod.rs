//! `strixlock export`

mod containerfile;
mod oci;

use super::Session;
use crate::error::Result;

/// Write locked outputs in formats of other tools
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
