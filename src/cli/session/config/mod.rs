//! Settings. An option takes precedence over an environment variable, that over the project's file, that over the
//! user's file. Lists are joined in this order.
//!
//! The variable of each setting is `STRIXLOCK_` and its name in capitals, with `_` for `-`.

mod builder;
mod file;
mod number;
mod origin;
mod switch;
mod variables;

use std::collections::BTreeMap;
use std::path::PathBuf;

use etcetera::BaseStrategy;
use url::Url;

use super::{Session, lazily};
use crate::error::{Error, Kind, Result};
use crate::remote::Address;
use crate::store::ProfileName;

use builder::BuilderConfig;
pub use builder::{Builder, BuilderFile};
pub use number::Number;
pub use origin::{Origin, Set, variable};
pub use switch::Switch;

/// Settings of a file, of the environment, or of all of them.
#[derive(Debug, Default)]
pub(super) struct Config {
    pub(super) store: Option<Set<PathBuf>>,
    pub(super) archive: Option<Set<PathBuf>>,
    pub(super) profile: Option<Set<ProfileName>>,
    pub(super) insecure_hosts: Vec<Set<String>>,
    pub(super) mirrors: Vec<Set<MirrorSetting>>,
    pub(super) remotes: Vec<Set<RemoteSetting>>,
    pub(super) switches: BTreeMap<Switch, Set<bool>>,
    pub(super) builder: BuilderConfig,
    pub(super) numbers: BTreeMap<Number, Set<u64>>,
}

/// A mirror.
#[derive(Debug, Clone)]
pub(super) struct MirrorSetting {
    /// Beginning of the URLs that it has.
    pub(super) of: Url,
    /// The directory or URL in its place.
    pub(super) at: Url,
}

/// A remote.
#[derive(Debug, Clone)]
pub struct RemoteSetting {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Address,
}

impl Config {
    /// Fills the settings that `self` lacks from `below`.
    fn over(mut self, mut below: Self) -> Self {
        self.insecure_hosts.append(&mut below.insecure_hosts);
        self.mirrors.append(&mut below.mirrors);
        // A name means the first remote that has it.
        below.remotes.retain(|set| self.remotes.iter().all(|known| known.value.name != set.value.name));
        self.remotes.append(&mut below.remotes);
        below.numbers.append(&mut self.numbers);
        below.switches.append(&mut self.switches);
        Self {
            store: self.store.or(below.store),
            archive: self.archive.or(below.archive),
            profile: self.profile.or(below.profile),
            switches: below.switches,
            builder: self.builder.over(below.builder),
            numbers: below.numbers,
            ..self
        }
    }

    /// Returns the value of a setting that is a number.
    pub(super) fn number(&self, number: Number) -> u64 {
        self.numbers.get(&number).map_or_else(|| number.usual(), |set| set.value)
    }
}

impl Session {
    /// Returns the settings of the environment and of the files.
    pub(super) fn config(&self) -> Result<&Config> {
        lazily(&self.config, || {
            let user = match &self.args.config {
                Some(path) => Some(file::read(path)?.ok_or_else(|| {
                    Error::new(Kind::NotFound, "missing configuration file").fact("path", path.display())
                })?),
                None => user_file().map(|path| file::read(&path)).transpose()?.flatten(),
            };
            let project = file::read(&self.project_file())?.unwrap_or_default();
            let environment = variables::read(|name| std::env::var_os(name))?;
            Ok(environment.over(project).over(user.unwrap_or_default()))
        })
    }

    /// Returns the paths of the configuration files, the project's first. They need not exist.
    pub fn config_files(&self) -> Vec<PathBuf> {
        std::iter::once(self.project_file()).chain(self.args.config.clone().or_else(user_file)).collect()
    }

    pub(in crate::cli) fn project_file(&self) -> PathBuf {
        self.project.directory().join("strixlock.toml")
    }
}

/// Fails unless this can be the name of a remote.
pub fn remote_name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = text.bytes().all(plain) && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if fits { Ok(text.to_owned()) } else { Err("expected a name of letters, digits, `.`, `_` and `-`".to_owned()) }
}

/// Returns the usual path of the user's configuration file. `None` without a home directory.
pub(super) fn user_file() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.config_dir().join("strixlock/config.toml"))
}
