//! The origin of a setting's value.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// A value with its origin.
#[derive(Debug, Clone)]
pub struct Set<T> {
    /// The value.
    pub value: T,
    /// Its origin.
    pub origin: Origin,
}

/// The origin of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Origin {
    /// The program's own value.
    Default,
    /// A line of a configuration file.
    File {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// An option on the command line.
    Option {
        /// The option, with its hyphens.
        option: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Environment { variable } => f.write_str(variable),
            Self::Option { option } => f.write_str(option),
        }
    }
}

/// Returns the name of a setting's environment variable.
#[must_use]
pub fn variable(setting: &str) -> String {
    // Named like RUST_LOG, since before the others were named by a rule.
    let setting = if setting == "log-filter" { "log" } else { setting };
    format!("STRIXLOCK_{}", setting.to_ascii_uppercase().replace('-', "_"))
}
