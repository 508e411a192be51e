//! Options of every command.

use std::path::PathBuf;

use super::settings::Given;
use crate::cli::palette::Color;
use crate::cli::paths::path;
use crate::store::ProfileName;

/// Options of every command, except the paths of a project.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct GlobalArgs {
    /// Run as if started in this directory
    #[arg(short = 'C', global = true, value_name = "DIR", value_parser = path())]
    pub(in crate::cli) directory: Vec<PathBuf>,
    /// Directory for downloads, trees and outputs [default: $XDG_DATA_HOME/strixlock/store]
    #[arg(long, global = true, value_name = "DIR", value_parser = path(), env = "STRIXLOCK_STORE")]
    pub(super) store: Option<PathBuf>,
    /// Profile whose generations to use [default: that of this project; `generations --all` lists profiles]
    #[arg(long, global = true, value_name = "PROFILE", env = "STRIXLOCK_PROFILE")]
    pub(super) profile: Option<ProfileName>,
    /// Configuration file [default: $XDG_CONFIG_HOME/strixlock/config.toml]
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), env = "STRIXLOCK_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Do not use the network
    #[arg(long, global = true, value_parser = switch, env = "STRIXLOCK_OFFLINE")]
    pub(super) offline: bool,
    /// Print the result as JSON
    #[arg(long, global = true, value_parser = switch, env = "STRIXLOCK_JSON")]
    pub json: bool,
    /// Hide progress and notes
    #[arg(short, long, global = true, value_parser = switch, env = "STRIXLOCK_QUIET")]
    pub quiet: bool,
    /// Hide progress, but not notes
    #[arg(long, global = true, value_parser = switch, env = "STRIXLOCK_NO_PROGRESS")]
    pub no_progress: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto", env = "STRIXLOCK_COLOR")]
    pub color: Color,
    /// Values that options and their environment variables gave, for `strixlock config show`.
    #[arg(skip)]
    pub(in crate::cli) given: Vec<Given>,
}

/// Parses the environment variable of a flag.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("expected `true` or `false`".to_owned()),
    }
}
