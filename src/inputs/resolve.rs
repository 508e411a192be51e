//! Resolves a request to its pin.

use std::path::Path;

use jiff::civil::Date;
use url::Url;

use super::{Block, LockedInput, Request};
use crate::advisories::Advisory;
use crate::error::Result;
use crate::intake::Intake;

/// The interface by which requests are resolved.
pub trait Resolve: Request {
    /// Resolves the request today. Nothing large is downloaded yet: a changed result has a closure that takes it in.
    fn resolve(&self, locked: Option<&Block<Self>>, question: Question) -> Result<Answer>;
}

/// The circumstances of a look-up.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent choice of the caller")]
pub struct Question<'a> {
    /// The input's name.
    pub name: &'a str,
    /// The store and the fetcher.
    pub intake: Intake<'a>,
    /// True if the input was named on the command line, so that it is checked thoroughly.
    pub named: bool,
    /// True to accept other bytes under a locked name.
    pub accept_replaced: bool,
    /// The tarball to use, whatever the indexes list.
    pub url: Option<&'a Url>,
    /// The version to take, if the request allows it.
    pub to: Option<&'a str>,
    /// True to accept a version that is older than the newest one that was locked.
    pub allow_downgrade: bool,
    /// The time, in seconds since 1970, to recognize a stale index.
    pub now: i64,
    /// True to omit warnings for builds that AMD removes soon: the caller reports them for locked builds.
    pub without_leaving: bool,
    /// Versions to pass over, where there is a choice.
    pub skipped: &'a [Advisory],
    /// The new pin of the input that this one follows.
    pub followed: Option<&'a LockedInput>,
    /// The directory that paths in the manifest are relative to.
    pub directory: &'a Path,
}

/// The resolution of a request, with warnings.
pub type Answer = (Resolution, Vec<String>);

/// The resolution of a request, compared with the locked block.
pub enum Resolution {
    /// Unchanged: the block stays.
    Same(Box<LockedInput>),
    /// Changed: a new pin to take in.
    New {
        /// The new version, as far as it is known before the download.
        to: String,
        /// Facts that are known before the download, one line each.
        details: Vec<String>,
        /// More of what is known before the download.
        preview: Preview,
        /// Takes it in.
        take_in: TakeIn,
    },
}

/// Facts about a new pin that are known before it is downloaded, as far as upstream tells them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// The version in the words that people use.
    pub short: Option<String>,
    /// The day on which upstream made it.
    pub made: Option<Date>,
    /// The distance from the locked pin, such as `31 builds`.
    pub distance: Option<String>,
    /// The size of the download in bytes.
    pub bytes: Option<u64>,
}

impl Resolution {
    /// Takes the new pin in at once, if there is one, and returns its block too: for inputs that the look-up of others
    /// needs.
    pub fn ahead(self, intake: Intake) -> Result<(Self, LockedInput)> {
        match self {
            Self::Same(block) => {
                let own = (*block).clone();
                Ok((Self::Same(block), own))
            }
            Self::New { to, details, preview, take_in } => {
                let taken = take_in(intake)?;
                let block = taken.block.clone();
                let take_in: TakeIn = Box::new(move |_| Ok(taken));
                Ok((Self::New { to, details, preview, take_in }, block))
            }
        }
    }

    /// Returns an unchanged resolution.
    pub fn same(block: impl Into<LockedInput>) -> Self {
        Self::Same(Box::new(block.into()))
    }
}

/// A closure that takes in the new pin and returns its block.
pub type TakeIn = Box<dyn FnOnce(Intake) -> Result<Taken> + Send>;

/// A new pin that was taken in.
pub struct Taken {
    /// Its block.
    pub block: LockedInput,
    /// Lines for the user.
    pub details: Vec<String>,
    /// Warnings.
    pub warnings: Vec<String>,
}
