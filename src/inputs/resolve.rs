//! From a wish to its pin.

use std::path::Path;

use url::Url;

use super::{Block, LockedInput, Request};
use crate::error::Result;
use crate::intake::Intake;

/// A wish that upstream can be asked about.
pub trait Resolve: Request {
    /// Asks what the wish means today. Nothing large is downloaded yet: what is new comes with a closure that takes it in.
    fn resolve(&self, locked: Option<&Block<Self>>, question: Question) -> Result<Answer>;
}

/// The circumstances of a look-up.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The input's name.
    pub name: &'a str,
    /// Store and fetcher.
    pub intake: Intake<'a>,
    /// True if the input was named on the command line, so that it is looked at closely.
    pub named: bool,
    /// Accept that upstream put other bytes under a name that is locked.
    pub accept_replaced: bool,
    /// Take this file, whatever the indexes list.
    pub url: Option<&'a Url>,
    /// The time, in seconds since 1970: to tell an index that nobody updates any more.
    pub now: i64,
    /// Say nothing of builds that leave AMD's host soon: the caller says it of what is locked.
    pub without_leaving: bool,
    /// The directory that paths in the manifest are relative to.
    pub directory: &'a Path,
}

/// The meaning of a wish today, with warnings.
pub type Answer = (Resolution, Vec<String>);

/// The meaning of a wish today, compared with what is locked.
pub enum Resolution {
    /// Nothing else: the block stays.
    Same(Box<LockedInput>),
    /// Something else, to be taken in.
    New {
        /// The new thing's version, as far as that is known before.
        to: String,
        /// Facts about it that are known before, a line each.
        details: Vec<String>,
        /// Takes it in.
        take_in: TakeIn,
    },
}

impl Resolution {
    /// Keeps what is locked.
    pub fn same(block: impl Into<LockedInput>) -> Self {
        Self::Same(Box::new(block.into()))
    }
}

/// Takes the new thing in and gives its block.
pub type TakeIn = Box<dyn FnOnce(Intake) -> Result<Taken> + Send>;

/// A new thing that was taken in.
pub struct Taken {
    /// Its block.
    pub block: LockedInput,
    /// Lines worth telling.
    pub details: Vec<String>,
    /// Worth saying, but no failure.
    pub warnings: Vec<String>,
}
