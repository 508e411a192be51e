//! Settings that are on or off.

use super::{Config, Set};

/// A setting that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Switch {
    /// `realize` asks the remotes before it builds.
    AskRemotes,
    /// Builds use a compiler cache.
    CompileCache,
    /// A remote builder runs each compiler call as an action of its own.
    BuilderCalls,
}

impl Switch {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AskRemotes, Self::CompileCache, Self::BuilderCalls];

    /// Returns the name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AskRemotes => "ask-remotes",
            Self::CompileCache => "compile-cache",
            Self::BuilderCalls => "builder-calls",
        }
    }

    /// Returns the value without a setting.
    #[must_use]
    pub fn usual(self) -> bool {
        match self {
            Self::AskRemotes | Self::CompileCache | Self::BuilderCalls => true,
        }
    }
}

impl Config {
    /// Returns whether a setting is on.
    pub(in crate::cli::session) fn is_on(&self, switch: Switch) -> bool {
        self.switches.get(&switch).map_or_else(|| switch.usual(), |set: &Set<bool>| set.value)
    }
}
