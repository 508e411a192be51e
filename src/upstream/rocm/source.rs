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
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its page.
    pub url: Url,
    /// The day since when nothing new appears there.
    pub frozen: Option<String>,
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
    fn every_channel_has_a_current_index_first() {
        for channel in [Channel::Nightly, Channel::Stable, Channel::Rc, Channel::Dev] {
            let sources = built_in(channel).unwrap();
            assert_eq!(sources[0].frozen, None, "{channel}");
            assert_eq!(channel.to_string().parse::<Channel>().unwrap(), channel);
        }
    }
}
