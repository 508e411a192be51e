//! Settings of the remote builder.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use strixlock_reapi::{Address, Settings};

use super::{Config, Number, Set, Switch};
use crate::error::{Error, Kind, Result};
use crate::realize::BuilderSettings;

/// The word for building on this machine.
const LOCAL: &str = "local";
/// The properties of a worker, if none are configured.
const USUAL: [(&str, &str); 1] = [("OSFamily", "linux")];

/// The place where outputs are built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Builder {
    /// On this machine.
    Local,
    /// By a service.
    Remote(Address),
}

impl FromStr for Builder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            LOCAL => Ok(Self::Local),
            _ => text.parse().map(Self::Remote).map_err(|fault| format!("{fault}, or `{LOCAL}`")),
        }
    }
}

impl std::fmt::Display for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local => f.write_str(LOCAL),
            Self::Remote(address) => address.fmt(f),
        }
    }
}

/// A setting that is the path of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuilderFile {
    /// Certificates of authorities.
    Authorities,
    /// The client's certificate.
    Certificate,
    /// Its key.
    Key,
    /// A bearer token.
    Token,
}

impl BuilderFile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Authorities, Self::Certificate, Self::Key, Self::Token];

    /// Returns the name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorities => "builder-authorities",
            Self::Certificate => "builder-certificate",
            Self::Key => "builder-key",
            Self::Token => "builder-token",
        }
    }
}

/// The settings of the remote builder.
#[derive(Debug, Default)]
pub(in crate::cli::session) struct BuilderConfig {
    pub builder: Option<Set<Builder>>,
    pub files: BTreeMap<BuilderFile, Set<PathBuf>>,
    pub platform: Vec<Set<(String, String)>>,
}

impl BuilderConfig {
    /// Fills the settings that `self` lacks from `below`.
    pub(super) fn over(mut self, mut below: Self) -> Self {
        below.files.append(&mut self.files);
        self.platform.append(&mut below.platform);
        Self { builder: self.builder.or(below.builder), files: below.files, ..self }
    }
}

impl Config {
    /// Returns the remote builder of the settings; `None` if outputs are built here. `named` is that of the command
    /// line.
    pub fn remote_builder(&self, named: Option<&Builder>) -> Result<Option<BuilderSettings>> {
        let config = &self.builder;
        let Some(Builder::Remote(address)) = named.or(config.builder.as_ref().map(|set| &set.value)) else {
            return Ok(None);
        };
        let file = |file| config.files.get(&file).map(|set| set.value.clone());
        let identity = match (file(BuilderFile::Certificate), file(BuilderFile::Key)) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => {
                let both = format!("{} and {}", BuilderFile::Certificate.name(), BuilderFile::Key.name());
                return Err(Error::new(Kind::Invalid, format!("the settings {both} belong together")));
            }
        };
        let mut platform: Vec<_> = config.platform.iter().map(|set| set.value.clone()).collect();
        if platform.is_empty() {
            platform = USUAL.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        }
        let seconds = self.number(Number::BuilderSeconds);
        Ok(Some(BuilderSettings {
            service: Settings {
                authorities: file(BuilderFile::Authorities),
                identity,
                token: file(BuilderFile::Token),
                attempts: u32::try_from(self.number(Number::Rounds)).unwrap_or(u32::MAX),
                ..Settings::new(address.clone())
            },
            platform,
            calls: self.is_on(Switch::BuilderCalls),
            timeout: (seconds > 0).then(|| Duration::from_secs(seconds)),
        }))
    }
}

/// Parses a property of a worker: `NAME=VALUE`.
pub(super) fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as OSFamily=linux".to_owned()),
    }
}
