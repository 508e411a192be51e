//! The merge driver for locks: git needs its name in the attributes, and its command in each clone.

use super::{Finding, Level, Surroundings};
use crate::lock::merge::{ATTRIBUTE, SET};

/// The name of the check.
const CHECK: &str = "git";

/// The merge driver for locks, as git knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergeDriver {
    /// True if the attributes name it for the lock.
    pub is_named: bool,
    /// True if the configuration has its command.
    pub has_command: bool,
}

/// Judges the merge driver.
pub(super) fn check(surroundings: &Surroundings) -> Option<Finding> {
    let driver = surroundings.merge_driver?;
    let why = "where two branches moved the same input, git finds a conflict; the driver keeps the newer pin";
    Some(match (driver.is_named, driver.has_command) {
        (true, true) => Finding::good(CHECK, "locks of two branches are merged by `strixlock lock merge`"),
        (true, false) => Finding::new(CHECK, Level::Advice, "this clone has no command for the merge driver of locks")
            .why(why)
            .mend(SET),
        (false, _) => Finding::new(CHECK, Level::Advice, "git merges the lock as text")
            .why(why)
            .mend(format!("add the line `{ATTRIBUTE}` to .gitattributes")),
    })
}
