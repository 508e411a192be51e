//! Checks, and the figures that they are judged by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The name of the check.
    pub name: String,
    /// The outcome.
    pub outcome: Outcome,
    /// A version, a device, or the reason of a failure.
    pub found: String,
    /// The figures that the outcome follows from, by name. None of them is a time or a speed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, Value>,
}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The check passed.
    Passed,
    /// The check failed.
    Failed,
    /// The check does not apply here. This is no failure.
    NotRun,
}

impl Outcome {
    /// Returns the words for it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotRun => "not run",
        }
    }
}

impl Check {
    fn new(name: &str, outcome: Outcome, found: impl Into<String>) -> Self {
        // Output of programs goes onto a page: one line, without control characters.
        let found: String = found.into();
        let found = text::visible(found.lines().next().unwrap_or_default()).chars().take(300).collect();
        Self { name: name.to_owned(), outcome, found, figures: BTreeMap::new() }
    }

    pub(super) fn passed(name: &str, found: impl Into<String>) -> Self {
        Self::new(name, Outcome::Passed, found)
    }

    pub(super) fn failed(name: &str, found: impl Into<String>) -> Self {
        Self::new(name, Outcome::Failed, found)
    }

    pub(super) fn not_run(name: &str, found: impl Into<String>) -> Self {
        Self::new(name, Outcome::NotRun, found)
    }

    /// Returns a passed or a failed check.
    pub(super) fn judged(name: &str, passed: bool, found: impl Into<String>) -> Self {
        Self::new(name, if passed { Outcome::Passed } else { Outcome::Failed }, found)
    }

    /// Adds a figure.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.figures.insert(name.to_owned(), value.into());
        self
    }
}
