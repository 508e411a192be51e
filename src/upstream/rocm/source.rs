//! The channels and their index pages.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::Deserialize;
use url::Url;

use crate::error::{Error, Kind, Result};
use crate::suggest::suggest;

/// A stream of ROCm builds, by its name in `sources.toml`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Channel(String);

/// Known facts about a channel; see `sources.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct About {
    /// True if builds are ordered by their day, then by version.
    pub by_day: bool,
    /// True if only final versions are meant.
    pub final_only: bool,
    /// Greatest age of an index's newest build, in days, before a warning says that the index may be stale.
    pub stale_days: Option<i64>,
    /// The builds that AMD keeps by its policy, in words.
    pub kept: Option<String>,
    /// Number of days for which AMD keeps a build by that policy, for a warning.
    pub kept_days: Option<i64>,
    /// True if there is no such channel yet.
    pub announced: bool,
    /// Its indexes, current ones first.
    index: Vec<Index>,
}

impl About {
    /// Returns its indexes, current ones first.
    pub(super) fn indexes(&self) -> &[Index] {
        &self.index
    }
}

static CHANNELS: LazyLock<Result<BTreeMap<String, About>, toml::de::Error>> =
    LazyLock::new(|| toml::from_str(include_str!("sources.toml")));

pub(super) fn channels() -> Result<&'static BTreeMap<String, About>> {
    CHANNELS.as_ref().map_err(|error| Error::failure("the built-in list of indexes is broken").because(error))
}

impl Channel {
    /// Returns the channel of nightlies, the default.
    #[must_use]
    pub fn nightly() -> Self {
        Self("nightly".to_owned())
    }

    /// Returns the known facts about the channel.
    pub fn about(&self) -> Result<&'static About> {
        channels()?.get(&self.0).ok_or_else(|| unknown(&self.0, channels().into_iter().flat_map(BTreeMap::keys)))
    }
}

fn unknown<'n>(text: &str, names: impl Iterator<Item = &'n String> + Clone) -> Error {
    Error::new(Kind::Invalid, format!("unknown channel `{text}`")).hint(suggest(text, names.map(String::as_str)))
}

impl FromStr for Channel {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let channel = Self(text.to_owned());
        channel.about().map(|_| channel)
    }
}

strixlock_ground::serde_by_text!(Channel);

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Index {
    /// Its page.
    pub url: Url,
    /// True if a newer generation has taken its place, so that nothing new appears there.
    #[serde(default)]
    pub frozen: bool,
    /// The day since when it is frozen, as `YYYY-MM-DD`, if known.
    pub frozen_since: Option<String>,
}

impl Index {
    /// Returns an index that the user named. It counts as current, since the user wants it to be asked.
    #[must_use]
    pub fn named(url: Url) -> Self {
        Self { url, frozen: false, frozen_since: None }
    }
}

/// Returns the built-in indexes of a channel, current ones first.
pub fn built_in(channel: &Channel) -> Result<Vec<Index>> {
    let about = channel.about()?;
    if about.announced && about.index.is_empty() {
        return Err(Error::new(
            Kind::NotFound,
            format!("the channel `{channel}` is announced, but its address is not known yet"),
        )
        .fact("there are", with_an_index().join(", "))
        .hint("if it exists now, name its index under `sources` in the manifest (`--source` of `list`)"));
    }
    Ok(about.index.clone())
}

/// Returns the names of the channels that have an index.
pub(super) fn with_an_index() -> Vec<&'static str> {
    let all = channels().into_iter().flatten();
    all.filter(|(_, about)| !about.index.is_empty()).map(|(name, _)| name.as_str()).collect()
}

/// Returns the directories that contain the files of a channel's indexes.
pub(super) fn directories(about: &About) -> Vec<Url> {
    about.index.iter().filter_map(directory).collect()
}

/// Returns the directory that contains the files of an index.
pub(super) fn directory(source: &Index) -> Option<Url> {
    let mut url = source.url.clone();
    let prefix = url.query_pairs().find(|(name, _)| name == "prefix").map(|(_, value)| value.into_owned());
    url.set_query(None);
    // Only the directories in a bucket's prefix count.
    let below = prefix.as_deref().and_then(|prefix| prefix.rsplit_once('/')).map(|(below, _)| format!("{below}/"));
    url.join(below.as_deref().unwrap_or(".")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> Channel {
        name.parse().unwrap()
    }

    #[test]
    fn every_channel_has_its_current_index_first() {
        for name in ["nightly", "stable", "rc", "dev", "bkc"] {
            let sources = built_in(&channel(name)).unwrap();
            assert_eq!(serde_json::to_string(&channel(name)).unwrap(), format!("\"{name}\""));
            assert_eq!(sources[0].url.as_str(), format!("https://{name}.repo.amd.com/rocm/core/tarball/"));
            assert!(!sources[0].frozen && sources[1..].iter().all(|source| source.frozen), "{name}");
        }
        assert_eq!(Channel::nightly(), channel("nightly"));
    }

    #[test]
    fn a_channel_that_is_announced_is_refused_with_those_that_are_there() {
        insta::assert_snapshot!(built_in(&channel("weekly")).unwrap_err(), @r"
        the channel `weekly` is announced, but its address is not known yet
          there are  bkc, dev, nightly, rc, stable
        hint: if it exists now, name its index under `sources` in the manifest (`--source` of `list`)
        ");
        insta::assert_snapshot!("bkcc".parse::<Channel>().unwrap_err(), @r"
        unknown channel `bkcc`
        hint: did you mean `bkc`?
        ");
        let error = "daily-driver".parse::<Channel>().unwrap_err().to_string();
        assert!(error.ends_with("expected one of `bkc`, `dev`, `nightly`, `rc`, `stable`, `weekly`"), "{error}");
    }

    #[test]
    fn the_days_are_days_of_frozen_indexes() {
        for about in channels().unwrap().values() {
            for source in &about.index {
                if let Some(day) = &source.frozen_since {
                    assert!(source.frozen && day.parse::<jiff::civil::Date>().is_ok(), "{}", source.url);
                }
            }
        }
    }
}
