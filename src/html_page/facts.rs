//! The facts that the page shows, gathered by the command from lock, store and records.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::runtime::RuntimeFacts;
use crate::digest::Sha256Digest;
use crate::lock::Lock;
use crate::report::Known;
use crate::validate::{Device, History};

/// A part of the facts, or the reason for which it is missing: a sentence, with the command that makes it.
pub type Part<T> = Result<T, String>;

/// Everything that the page shows.
pub struct Facts<'f> {
    /// The name of the project's directory.
    pub project: String,
    /// The day from which ages are counted.
    pub today: Date,
    /// The lock, and what is known of it.
    pub locked: Part<Locked<'f>>,
    /// The generations, the oldest first.
    pub generations: Part<Vec<GenerationFacts>>,
    /// Generations whose records cannot be read, with the reason.
    pub unreadable: Vec<String>,
    /// The history of validations.
    pub history: Part<History>,
    /// The runtimes of the lock, each by its name.
    pub runtimes: Part<Vec<(String, Part<RuntimeFacts>)>>,
}

/// A lock with what is known of it.
pub struct Locked<'f> {
    /// The lock.
    pub lock: &'f Lock,
    /// The digest of its text.
    pub digest: Sha256Digest,
    /// The facts about realized outputs.
    pub known: &'f Known,
    /// The ends of pins at their upstream, by input.
    pub deadlines: BTreeMap<String, Deadline>,
    /// Sentences about pins that are known to be bad, by input.
    pub advice: BTreeMap<String, Vec<String>>,
}

/// The day on which upstream deletes a pin, by its own policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    /// The days that are left; 0 if it may be gone any day.
    pub days: i64,
    /// The day and the policy, as the end of a sentence in Markdown.
    pub because: String,
}

/// A generation.
#[derive(Debug, Clone)]
pub struct GenerationFacts {
    /// The number.
    pub number: u64,
    /// The time at which it was made, in seconds since 1970.
    pub made: i64,
    /// True for the one in use.
    pub current: bool,
    /// The size of its trees in bytes.
    pub size: u64,
    /// The versions of its outputs, in one line.
    pub versions: String,
    /// The differences from the generation before, one line each.
    pub changes: Vec<String>,
    /// The verdict of its newest validation, if it was validated.
    pub verdict: Option<Verdict>,
}

/// The verdict of a validation.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The device that computed.
    pub device: Device,
    /// The checks that failed.
    pub failed: Vec<FailedCheck>,
    /// The number of checks that passed.
    pub passed: usize,
    /// The number of checks that were not run.
    pub not_run: usize,
}

/// A check that failed.
#[derive(Debug, Clone)]
pub struct FailedCheck {
    /// The name.
    pub name: String,
    /// The finding.
    pub found: String,
}

impl Verdict {
    /// Returns true if no check failed.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.failed.is_empty()
    }
}
