//! Configuration files. The project's takes precedence over the user's.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::Deserialize;
use url::Url;

use super::{Session, lazily};
use crate::cli::paths::{address, expand};
use crate::error::{Error, Kind, Result};
use crate::store::ProfileName;

/// Configuration file, described in docs/reference/configuration.md.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Config {
    pub(super) store: Option<PathBuf>,
    pub(super) profile: Option<ProfileName>,
    #[serde(default)]
    pub(super) insecure_hosts: Vec<String>,
    #[serde(default)]
    pub(super) mirrors: Vec<MirrorConfig>,
    pub(super) rounds: Option<u32>,
    pub(super) window_seconds: Option<u64>,
    pub(super) floor_bytes: Option<u64>,
    pub(super) largest_bytes: Option<u64>,
    pub(super) silence_seconds: Option<u64>,
    pub(super) log_bytes: Option<u64>,
    pub(super) busy_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MirrorConfig {
    pub(super) of: Url,
    /// URL or path.
    at: String,
}

impl MirrorConfig {
    /// Returns the URL. Paths must have been resolved before.
    pub(super) fn at(&self) -> Result<Url> {
        address(&self.at, Path::new("/")).map_err(|why| Error::new(Kind::Invalid, why).fact("mirror", &self.at))
    }
}

impl Config {
    /// Reads a configuration file, if it exists.
    fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs_err::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::new(Kind::Invalid, "cannot read the configuration").because(&error)),
        };
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            Error::new(Kind::Invalid, "invalid configuration")
                .about(path.display().to_string())
                .excerpt(error.to_string())
        })?;
        let directory = std::path::absolute(path)?.parent().map(Path::to_path_buf).unwrap_or_default();
        config.resolve(&directory).map_err(|error| error.about(path.display().to_string()))?;
        Ok(Some(config))
    }

    /// Makes paths absolute. They are relative to the file, whatever the current directory.
    fn resolve(&mut self, directory: &Path) -> Result<()> {
        let wrong = |what, written: String, why: String| {
            Error::new(Kind::Invalid, format!("invalid configuration: {why}")).fact(what, written)
        };
        if let Some(store) = &mut self.store {
            let place = expand(store).map_err(|why| wrong("store", store.display().to_string(), why))?;
            *store = directory.join(place);
        }
        for mirror in &mut self.mirrors {
            let at = address(&mirror.at, directory).map_err(|why| wrong("mirror", mirror.at.clone(), why))?;
            mirror.at = at.into();
        }
        Ok(())
    }

    /// Fills the settings that `self` lacks from `below`.
    fn over(mut self, below: Self) -> Self {
        self.insecure_hosts.extend(below.insecure_hosts);
        self.mirrors.extend(below.mirrors);
        Self {
            store: self.store.or(below.store),
            profile: self.profile.or(below.profile),
            rounds: self.rounds.or(below.rounds),
            window_seconds: self.window_seconds.or(below.window_seconds),
            floor_bytes: self.floor_bytes.or(below.floor_bytes),
            largest_bytes: self.largest_bytes.or(below.largest_bytes),
            silence_seconds: self.silence_seconds.or(below.silence_seconds),
            log_bytes: self.log_bytes.or(below.log_bytes),
            busy_seconds: self.busy_seconds.or(below.busy_seconds),
            ..self
        }
    }
}

impl Session {
    /// Returns the configuration, in which the project's file takes precedence over the user's.
    pub(super) fn config(&self) -> Result<&Config> {
        lazily(&self.config, || {
            let user = match &self.args.config {
                Some(path) => Some(Config::read(path)?.ok_or_else(|| {
                    Error::new(Kind::NotFound, "missing configuration file").fact("path", path.display())
                })?),
                None => match etcetera::choose_base_strategy() {
                    Ok(base) => Config::read(&base.config_dir().join("strixlock/config.toml"))?,
                    Err(_) => None,
                },
            };
            let project = Config::read(&self.project.directory().join("strixlock.toml"))?;
            Ok(project.unwrap_or_default().over(user.unwrap_or_default()))
        })
    }
}
