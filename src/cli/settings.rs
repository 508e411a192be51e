//! Where things are and how to behave: command line over environment over project over user configuration.

use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use etcetera::BaseStrategy;
use serde::Deserialize;
use url::Url;

use super::Ui;
use super::paths::{address, expand, path};
use super::profile::tell_migrated;
use crate::error::{Error, Kind, Result};
use crate::fetch::{Fetcher, HUB, HubSettings, Mirror, Settings};
use crate::sandbox::Limits;
use crate::store::{ProfileName, Store, Waiting};

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// The manifest [default: manifests/strix.toml here or in a directory above]
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), env = "STRIXLOCK_MANIFEST")]
    pub manifest: Option<PathBuf>,
    /// The lock [default: lock/<name of the manifest>.lock beside manifests/]
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), env = "STRIXLOCK_LOCK")]
    pub lock: Option<PathBuf>,
    /// Where downloads, trees and outputs live [default: $XDG_DATA_HOME/strixlock/store]
    #[arg(long, global = true, value_name = "DIR", value_parser = path(), env = "STRIXLOCK_STORE")]
    pub store: Option<PathBuf>,
    /// Whose generations are meant, by name [default: those of this project; `generations --all` lists the profiles]
    #[arg(long, global = true, value_name = "NAME", env = "STRIXLOCK_PROFILE")]
    pub profile: Option<ProfileName>,
    /// A configuration file instead of $XDG_CONFIG_HOME/strixlock/config.toml
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), env = "STRIXLOCK_CONFIG")]
    pub config: Option<PathBuf>,
    /// Use no network
    #[arg(long, global = true)]
    pub offline: bool,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Show no progress and no notes
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// A configuration file; see the README.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Config {
    store: Option<PathBuf>,
    profile: Option<ProfileName>,
    #[serde(default)]
    insecure_hosts: Vec<String>,
    #[serde(default)]
    mirrors: Vec<MirrorConfig>,
    rounds: Option<u32>,
    window_seconds: Option<u64>,
    floor_bytes: Option<u64>,
    largest_bytes: Option<u64>,
    silence_seconds: Option<u64>,
    log_bytes: Option<u64>,
    busy_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MirrorConfig {
    of: Url,
    /// An address, or a path.
    at: String,
}

impl MirrorConfig {
    /// The address, once paths are resolved.
    fn at(&self) -> Result<Url> {
        address(&self.at, Path::new("/")).map_err(|why| Error::new(Kind::Invalid, why).fact("mirror", &self.at))
    }
}

impl Config {
    fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs_err::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::new(Kind::Invalid, "the configuration cannot be read").because(&error)),
        };
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            Error::new(Kind::Invalid, "the configuration is not valid")
                .about(path.display().to_string())
                .excerpt(error.to_string())
        })?;
        let directory = std::path::absolute(path)?.parent().map(Path::to_path_buf).unwrap_or_default();
        config.resolve(&directory).map_err(|error| error.about(path.display().to_string()))?;
        Ok(Some(config))
    }

    /// Makes paths absolute: those in a file are relative to it, so that it means the same wherever somebody stands.
    fn resolve(&mut self, directory: &Path) -> Result<()> {
        let wrong = |what, written: String, why: String| {
            Error::new(Kind::Invalid, format!("the configuration is not valid: {why}")).fact(what, written)
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

    /// What `self` does not say, `below` says.
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

impl GlobalArgs {
    /// The manifest's path.
    #[must_use]
    pub fn manifest_path(&self) -> PathBuf {
        self.manifest.clone().unwrap_or_else(|| {
            let usual = Path::new("manifests/strix.toml");
            let here = std::env::current_dir().unwrap_or_default();
            let above = here.ancestors().skip(1).map(|directory| directory.join(usual)).find(|path| path.is_file());
            if usual.is_file() { usual.to_path_buf() } else { above.unwrap_or_else(|| usual.to_path_buf()) }
        })
    }

    /// The directory of the manifest, which paths in it are relative to.
    #[must_use]
    pub fn manifest_directory(&self) -> PathBuf {
        self.manifest_path().parent().unwrap_or(Path::new("")).to_path_buf()
    }

    /// The directory that holds `manifests/` and `lock/`.
    pub fn project(&self) -> PathBuf {
        let manifest = self.manifest_path();
        let directory = manifest.parent().unwrap_or(Path::new("")).to_path_buf();
        if directory.file_name().is_some_and(|name| name == "manifests") {
            directory.parent().map_or_else(PathBuf::new, Path::to_path_buf)
        } else {
            directory
        }
    }

    /// The lock's path.
    #[must_use]
    pub fn lock_path(&self) -> PathBuf {
        self.lock.clone().unwrap_or_else(|| {
            let manifest = self.manifest_path();
            // Appended, since a name may have a dot of its own.
            let mut name = manifest.file_stem().unwrap_or("strix".as_ref()).to_owned();
            name.push(".lock");
            self.project().join("lock").join(name)
        })
    }

    /// The profile that was chosen by name, if one was.
    pub fn chosen_profile(&self) -> Result<Option<ProfileName>> {
        Ok(self.profile.clone().or(self.configuration()?.profile))
    }

    fn configuration(&self) -> Result<Config> {
        let user = match &self.config {
            Some(path) => Some(Config::read(path)?.ok_or_else(|| {
                Error::new(Kind::NotFound, "there is no configuration at the path that was given")
                    .fact("path", path.display())
            })?),
            None => match etcetera::choose_base_strategy() {
                Ok(base) => Config::read(&base.config_dir().join("strixlock/config.toml"))?,
                Err(_) => None,
            },
        };
        let project = Config::read(&self.project().join("strixlock.toml"))?;
        Ok(project.unwrap_or_default().over(user.unwrap_or_default()))
    }

    /// Where the store is, or would be.
    pub fn store_path(&self) -> Result<PathBuf> {
        Ok(match self.store.clone().or(self.configuration()?.store) {
            // Links that last are made to it: they must not lead by way of where we happen to stand.
            Some(path) if path.components().any(|part| part == Component::ParentDir) => {
                std::fs::canonicalize(&path).unwrap_or(path)
            }
            Some(path) => path,
            None => etcetera::choose_base_strategy()
                .map_err(|error| {
                    Error::failure("cannot tell where the store should be").because(&error).hint("name it with --store")
                })?
                .data_dir()
                .join("strixlock/store"),
        })
    }

    /// Opens the store, and makes it if it is not there.
    pub fn open_store(&self) -> Result<Store> {
        let store = Store::open_waiting(&self.store_path()?, self.waiting()?)?;
        if !self.quiet {
            tell_migrated(&store);
        }
        Ok(store)
    }

    /// Opens the store for reading alone; one that is not there is empty, and stays away.
    pub fn read_store(&self) -> Result<Store> {
        let store = Store::open_for_reading(&self.store_path()?, self.waiting()?)?;
        if !self.quiet {
            tell_migrated(&store);
        }
        Ok(store)
    }

    fn waiting(&self) -> Result<Waiting> {
        let usual = Waiting::default();
        let limit = self.configuration()?.busy_seconds.map_or(usual.limit, Duration::from_secs);
        let tell: Arc<dyn Fn(&str) + Send + Sync> = if self.quiet {
            usual.tell
        } else {
            Arc::new(|text: &str| {
                let _ = writeln!(anstream::stderr(), "{text}");
            })
        };
        Ok(Waiting { limit, tell })
    }

    /// How far the commands of a build may go.
    pub fn limits(&self) -> Result<Limits> {
        let (config, usual) = (self.configuration()?, Limits::default());
        Ok(Limits {
            silence: config.silence_seconds.map_or(usual.silence, |seconds| Duration::from_secs(seconds.max(1))),
            log: config.log_bytes.unwrap_or(usual.log),
        })
    }

    /// Makes the fetcher.
    pub fn fetcher(&self, ui: &Ui) -> Result<Fetcher> {
        Fetcher::new(self.fetch_settings()?, std::sync::Arc::clone(&ui.progress))
    }

    /// Settings of the fetcher, mirrors included.
    pub fn fetch_settings(&self) -> Result<Settings> {
        let config = self.configuration()?;
        let usual = Settings::default();
        let hub = HubSettings::read(|name| std::env::var(name).ok());
        let mut mirrors: Vec<_> =
            config.mirrors.iter().map(|mirror| Mirror::new(mirror.of.clone(), mirror.at()?)).collect::<Result<_>>()?;
        if let (Some(at), Ok(of)) = (hub.endpoint, Url::parse(HUB)) {
            mirrors.push(Mirror::new(of, at)?);
        }
        Ok(Settings {
            offline: self.offline,
            insecure_hosts: config.insecure_hosts,
            mirrors,
            hub_token: hub.token,
            rounds: config.rounds.unwrap_or(usual.rounds).max(1),
            window: config.window_seconds.map_or(usual.window, |seconds| Duration::from_secs(seconds.max(1))),
            floor: config.floor_bytes.unwrap_or(usual.floor),
            largest: config.largest_bytes.unwrap_or(usual.largest),
            ..usual
        })
    }
}

/// The time, in seconds since 1970.
pub fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}
