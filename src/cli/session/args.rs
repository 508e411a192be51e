//! Options of every command.

use std::path::PathBuf;

use crate::cli::palette::Color;
use crate::cli::paths::path;
use crate::store::ProfileName;

/// Options of every command, except the paths of a project.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct GlobalArgs {
    /// Directory for downloads, trees and outputs [default: $XDG_DATA_HOME/strixlock/store]
    #[arg(long, global = true, value_name = "DIR", value_parser = path(), env = "STRIXLOCK_STORE")]
    pub(super) store: Option<PathBuf>,
    /// Profile whose generations to use [default: that of this project; `generations --all` lists profiles]
    #[arg(long, global = true, value_name = "NAME", env = "STRIXLOCK_PROFILE")]
    pub(super) profile: Option<ProfileName>,
    /// Configuration file [default: $XDG_CONFIG_HOME/strixlock/config.toml]
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), env = "STRIXLOCK_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Do not use the network
    #[arg(long, global = true)]
    pub(super) offline: bool,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Hide progress and notes
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Hide progress, but not notes
    #[arg(long, global = true, env = "STRIXLOCK_NO_PROGRESS", value_parser = clap::builder::FalseyValueParser::new())]
    pub no_progress: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}
