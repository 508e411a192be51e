//! The options of every command.

use std::path::PathBuf;

use crate::cli::paths::path;
use crate::store::ProfileName;

/// Options of every command, but for the places of a project.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Where downloads, trees and outputs live [default: $XDG_DATA_HOME/strixlock/store]
    #[arg(long, global = true, value_name = "DIR", value_parser = path(), env = "STRIXLOCK_STORE")]
    pub(super) store: Option<PathBuf>,
    /// Whose generations are meant, by name [default: those of this project; `generations --all` lists the profiles]
    #[arg(long, global = true, value_name = "NAME", env = "STRIXLOCK_PROFILE")]
    pub(super) profile: Option<ProfileName>,
    /// A configuration file instead of $XDG_CONFIG_HOME/strixlock/config.toml
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), env = "STRIXLOCK_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Use no network
    #[arg(long, global = true)]
    pub(super) offline: bool,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Show no progress and no notes
    #[arg(short, long, global = true)]
    pub quiet: bool,
}
