//! `strixlock export`

mod containerfile;
mod oci;

use super::{GlobalArgs, Ui};
use crate::error::Result;

/// Write what the lock says in a form that other tools take
#[derive(Debug, clap::Subcommand)]
pub enum ExportCommand {
    Oci(oci::OciArgs),
    Containerfile(containerfile::ContainerfileArgs),
}

pub fn export(ui: &Ui, global: &GlobalArgs, command: &ExportCommand) -> Result<u8> {
    match command {
        ExportCommand::Oci(args) => oci::oci(ui, global, args),
        ExportCommand::Containerfile(args) => containerfile::containerfile(ui, global, args),
    }
}
