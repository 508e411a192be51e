//! The versions that may be tested: what the indexes list, what locks of this store pin, the commits of a branch,
//! and the builds that a forge has released.
//!
//! For git these are the commits by first parents of the bad end, which the branch itself pointed to. Those of a merged
//! branch were often never built together with what else there was at the time; a merge that brought the fault is
//! told as one commit.

mod git;
mod release;
mod rocm;

use crate::advisories::Pinned;
use crate::error::{Error, Kind, Result};
use crate::inputs::LockedInput;
use crate::intake::Intake;

use super::journal::Line;

/// An end of a line.
#[derive(Debug, Clone)]
pub enum End {
    /// A version that a person named.
    Named(String),
    /// A pin of a lock.
    Pin(Box<LockedInput>),
}

/// Pins of the locks of this store, which can be realized with no look-up.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The pins.
    pub pins: Vec<LockedInput>,
}

/// A line, and what was noticed on the way.
#[derive(Debug)]
pub struct Looked {
    /// The line.
    pub line: Line,
    /// Warnings and notes.
    pub said: Vec<String>,
}

/// A search for the versions of one input between two ends.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// Store and fetcher.
    pub intake: Intake<'a>,
    /// The name of the input.
    pub name: &'a str,
    /// The end that works.
    pub good: &'a End,
    /// The end that fails.
    pub bad: &'a End,
    /// Versions that need no look-up.
    pub known: &'a Known,
    /// Returns the advisory about a version.
    pub judge: &'a dyn Fn(Pinned) -> Option<String>,
}

impl Search<'_> {
    /// Returns the versions. `like` is the pin of the lock.
    pub fn line(&self, like: &LockedInput) -> Result<Looked> {
        match like {
            LockedInput::Rocm(block) => rocm::line(self, block),
            LockedInput::Git(block) => git::line(self, block),
            LockedInput::Release(block) => release::line(self, block),
            other => {
                Err(Error::new(Kind::Usage, format!("an input of type {} cannot be bisected", other.kind().name()))
                    .about(self.name)
                    .hint("inputs of the types rocm, git and release can"))
            }
        }
    }
}

/// Fails if the ends are the same, or in the wrong order.
fn demand_order(name: &str, good: (usize, &str), bad: (usize, &str)) -> Result<()> {
    let error = |message: &str| Error::new(Kind::Usage, message).about(name).fact("good", good.1).fact("bad", bad.1);
    match good.0.cmp(&bad.0) {
        std::cmp::Ordering::Less => Ok(()),
        std::cmp::Ordering::Equal => {
            Err(error("the good version and the bad one are the same").hint("name others with --good and --bad"))
        }
        std::cmp::Ordering::Greater => Err(error("the good version is newer than the bad one").hint(
            "to find what mended something, swap them, and let the command fail where it works: \
             `sh -c '! COMMAND'`",
        )),
    }
}
