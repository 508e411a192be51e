//! apt.conf, as `apt-config` prints it, so that `APT_CONFIG` and the files in `apt.conf.d` apply as they do for apt.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use crate::log::running;
use crate::upstream::debs::stanza::flag;

/// apt's default paths.
const DEFAULTS: [(&str, &str); 10] = [
    ("dir", "/"),
    ("dir::etc", "etc/apt"),
    ("dir::etc::sourcelist", "sources.list"),
    ("dir::etc::sourceparts", "sources.list.d"),
    ("dir::etc::preferences", "preferences"),
    ("dir::etc::preferencesparts", "preferences.d"),
    ("dir::etc::netrc", "auth.conf"),
    ("dir::etc::netrcparts", "auth.conf.d"),
    ("dir::etc::trusted", "trusted.gpg"),
    ("dir::etc::trustedparts", "trusted.gpg.d"),
];

/// Settings that affect which packages apt accepts and that are not applied here.
const NOT_FOLLOWED: [&str; 3] = ["acquire::max-validtime", "acquire::min-validtime", "acquire::inrelease-path"];

/// The settings of apt. Their names are case-insensitive.
#[derive(Debug, Clone)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Asks the apt of this machine. Returns the defaults if there is none.
    #[must_use]
    pub fn ask() -> Self {
        let asked = running(Command::new("apt-config").arg("dump").env("LC_ALL", "C")).output();
        let told = asked.ok().filter(|answer| answer.status.success());
        Self::parse(&told.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default())
    }

    /// Parses lines of the form `Name "value";`.
    #[must_use]
    pub fn parse(dump: &str) -> Self {
        let mut values: BTreeMap<String, String> =
            DEFAULTS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        for line in dump.lines() {
            if let Some((name, value)) = line.trim_end().split_once(' ')
                && let Some(value) = value.strip_prefix('"').and_then(|value| value.strip_suffix("\";"))
            {
                values.insert(name.to_ascii_lowercase(), value.to_owned());
            }
        }
        Self(values)
    }

    /// Returns a value; an empty one counts as unset.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_ascii_lowercase()).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns a boolean value.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        flag(self.get(name)?)
    }

    /// Returns the path of a file or directory. A relative path is below that of the parent setting.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        let mut path = self.get(name)?.to_owned();
        let mut above = name;
        while !path.starts_with('/') {
            above = above.rsplit_once("::")?.0;
            if let Some(directory) = self.get(above) {
                path = format!("{}/{path}", directory.trim_end_matches('/'));
            }
        }
        Some(PathBuf::from(format!("{}{path}", self.get("RootDir").unwrap_or_default().trim_end_matches('/'))))
    }

    /// Reports the settings that are set and not applied.
    pub(super) fn not_followed(&self) -> Vec<String> {
        let set = |name: &&str| {
            self.0.iter().any(|(key, value)| {
                (key == *name || key.starts_with(&format!("{name}::"))) && !["", "0"].contains(&value.as_str())
            })
        };
        let told = |name: &str| format!("apt's setting `{name}` is not followed");
        NOT_FOLLOWED.iter().filter(|name| set(name)).map(|name| told(name)).collect()
    }
}
