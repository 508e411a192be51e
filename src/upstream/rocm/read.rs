//! Reads indexes, each with all its pages.

use std::collections::HashSet;

use url::Url;

use super::page::{ENTRIES, Page, parse};
use super::source::Index;
use crate::error::{Error, Kind, Result};
use crate::fetch::{Document, Documents, is_refusal};
use crate::threads::on_threads;
use crate::urls::show_url;

/// Greatest number of bytes read of one page; a page with 10,000 names has 1 MB.
const LONGEST: u64 = 16 << 20;
/// Greatest number of bytes read of one index, all its pages together.
const MOST: u64 = 64 << 20;
/// Greatest number of pages read of one S3 listing; the buckets have about 20.
const PAGES: usize = 200;

/// The reason why an index could not be read.
pub(super) enum Trouble {
    /// The server returned no document: it is down, or there is nothing at this address.
    NoAnswer(Error),
    /// The server returned a document that is not an index.
    NoIndex(Error),
}

impl Trouble {
    /// Returns the inner error.
    pub fn into_error(self) -> Error {
        match self {
            Self::NoAnswer(error) | Self::NoIndex(error) => error,
        }
    }
}

/// Adds the hint that the index may have moved, if the server refused to return it.
fn moved(error: Error) -> Error {
    if !is_refusal(&error) {
        return error;
    }
    error.hint("the index may have moved again: look for its new address and name it under `sources` in the manifest")
}

/// Asks indexes side by side. Returns their answers in the order of the indexes.
pub(super) fn all(indexes: Vec<Index>, documents: &dyn Documents) -> Result<Vec<(Index, Result<Page, Trouble>)>> {
    let count = indexes.len();
    let pages = on_threads(count, "a thread that asks an index", |number| {
        Ok(read(&indexes[number].url, documents, (number + 1, count)))
    })?;
    Ok(indexes.into_iter().zip(pages).collect())
}

/// Returns everything that the index at `url` lists.
fn read(url: &Url, documents: &dyn Documents, place: (usize, usize)) -> Result<Page, Trouble> {
    let endless = |why: String| Trouble::NoIndex(Error::new(Kind::Mismatch, why).fact("url", show_url(url)));
    let mut all = Page::default();
    let mut next = url.clone();
    let mut seen = HashSet::new();
    let mut left = MOST;
    for _ in 0..PAGES {
        let Document { url: found, body } =
            documents.get_one_of(&next, left.min(LONGEST), place).map_err(|error| Trouble::NoAnswer(moved(error)))?;
        left = left.saturating_sub(body.len() as u64);
        // Links are relative to the address that answered.
        let page = parse(&body, &found).map_err(Trouble::NoIndex)?;
        all.files.extend(page.files);
        all.odd += page.odd;
        if all.files.len() > ENTRIES {
            return Err(endless(format!("the S3 listing has more than {ENTRIES} files")));
        }
        let Some(after) = page.next else { return Ok(all) };
        seen.insert(std::mem::replace(&mut next, after));
        if seen.contains(&next) {
            return Err(endless("the S3 listing's pages form a loop".to_owned()));
        }
    }
    Err(endless(format!("the S3 listing has more than {PAGES} pages")))
}
