//! Filters of the log: `info`, `fetch=debug,run=info`, `off`.

use std::collections::BTreeMap;
use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::log::TOPICS;
use crate::suggest::nearest;

/// Log level of each topic. Events of other libraries are never logged, since they may contain headers with logins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(BTreeMap<&'static str, LevelFilter>);

impl Filter {
    /// Sets one level for all topics.
    pub fn all(level: LevelFilter) -> Self {
        Self(TOPICS.map(|topic| (topic, level)).into())
    }

    /// Converts to `tracing`'s filter.
    pub fn targets(&self) -> Targets {
        Targets::new().with_targets(self.0.iter().map(|(topic, level)| (*topic, *level)))
    }
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        // A bare level, wherever it stands, applies to the topics that are not named.
        let all = parts.iter().rev().find_map(|part| level(part));
        let mut filter = Self::all(all.unwrap_or(LevelFilter::OFF));
        for part in parts.into_iter().filter(|part| level(part).is_none()) {
            let (name, said) = part.split_once('=').unwrap_or((part, "trace"));
            let level = level(said.trim())
                .ok_or_else(|| format!("unknown level `{said}`: expected off, error, warn, info, debug or trace"))?;
            let topic = TOPICS.into_iter().find(|topic| *topic == name.trim()).ok_or_else(|| unknown(name.trim()))?;
            filter.0.insert(topic, level);
        }
        Ok(filter)
    }
}

fn level(word: &str) -> Option<LevelFilter> {
    word.parse().ok().filter(|_| !word.is_empty())
}

fn unknown(name: &str) -> String {
    let near = nearest(name, TOPICS.into_iter()).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    format!("unknown topic `{name}`: expected a level, or {} with or without `=LEVEL`{near}", TOPICS.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{CACHE, FETCH, LISTS, RUN};

    #[test]
    fn a_filter_names_a_level_for_all_topics_or_for_each() {
        let levels = |text: &str| {
            let filter: Filter = text.parse().unwrap();
            [FETCH, CACHE, RUN, LISTS].map(|topic| filter.0[topic].to_string()).join(" ")
        };
        assert_eq!(levels(""), "off off off off");
        assert_eq!(levels("info"), "info info info info");
        assert_eq!(levels("OFF"), "off off off off");
        assert_eq!(levels("run"), "off off trace off");
        assert_eq!(levels("fetch=debug, info"), "debug info info info");
        assert_eq!(levels("warn,cache=off,"), "warn off warn warn");
    }

    #[test]
    fn a_filter_with_unknown_words_is_refused() {
        for (text, said) in [
            ("loud", "unknown topic `loud`"),
            ("fetsh=debug", "did you mean `fetch`?"),
            ("fetch=loud", "unknown level `loud`"),
            ("fetch=", "unknown level ``"),
            ("=info", "unknown topic ``"),
            ("h2=trace", "unknown topic `h2`"),
            ("fetch=info=debug", "unknown level `info=debug`"),
        ] {
            let error = text.parse::<Filter>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
