//! Which index pages a channel has.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::{Error, Result};
use crate::suggest::one_of;

/// A stream of ROCm builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Made every day, kept for 120 days.
    Nightly,
    /// Releases.
    Stable,
    /// Release candidates.
    Rc,
    /// Developers' builds.
    Dev,
}

impl FromStr for Channel {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        one_of(
            "channel",
            text,
            &[("nightly", Self::Nightly), ("stable", Self::Stable), ("rc", Self::Rc), ("dev", Self::Dev)],
        )
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nightly => "nightly",
            Self::Stable => "stable",
            Self::Rc => "rc",
            Self::Dev => "dev",
        })
    }
}

/// One index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Source {
    /// Its page.
    pub url: Url,
    /// Whether a newer generation has taken its place, so that nothing new appears there.
    #[serde(default)]
    pub frozen: bool,
    /// The day since when, as `YYYY-MM-DD`, where it is known.
    pub frozen_since: Option<String>,
}

impl Source {
    /// An index that a person named. Whoever names it wants it asked, so it counts as current.
    #[must_use]
    pub fn named(url: Url) -> Self {
        Self { url, frozen: false, frozen_since: None }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sources {
    nightly: Vec<Source>,
    stable: Vec<Source>,
    rc: Vec<Source>,
    dev: Vec<Source>,
}

/// The built-in indexes of a channel, current ones first.
pub fn built_in(channel: Channel) -> Result<Vec<Source>> {
    let all: Sources = toml::from_str(include_str!("sources.toml"))
        .map_err(|error| Error::failure("the built-in list of indexes is broken").because(&error))?;
    Ok(match channel {
        Channel::Nightly => all.nightly,
        Channel::Stable => all.stable,
        Channel::Rc => all.rc,
        Channel::Dev => all.dev,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_has_its_current_index_first() {
        for channel in [Channel::Nightly, Channel::Stable, Channel::Rc, Channel::Dev] {
            let sources = built_in(channel).unwrap();
            let name = channel.to_string();
            assert_eq!(name.parse::<Channel>().unwrap(), channel);
            assert_eq!(serde_json::to_string(&channel).unwrap(), format!("\"{name}\""));
            assert_eq!(sources[0].url.as_str(), format!("https://{name}.repo.amd.com/rocm/core/tarball/"));
            assert!(!sources[0].frozen && sources[1..].iter().all(|source| source.frozen), "{channel}");
        }
    }

    #[test]
    fn the_days_are_days_of_frozen_indexes() {
        for source in [Channel::Nightly, Channel::Stable].into_iter().flat_map(|channel| built_in(channel).unwrap()) {
            if let Some(day) = &source.frozen_since {
                assert!(source.frozen && day.parse::<jiff::civil::Date>().is_ok(), "{}", source.url);
            }
        }
    }
}
