//! Input kind `rocm`: a nightly tarball of ROCm for one GPU, found on an index page.
//!
//! The index has moved three times, so where to look is data (`sources.toml`, or `sources` in the manifest). The current
//! indexes are asked first and the frozen ones only when those have no answer. Whatever could make us stay on old builds
//! in silence (a page that is no index, an empty one, a renamed family, an index that nobody updates) is an error or a
//! warning.

mod name;
mod page;
mod s3;
mod select;
mod source;
mod version;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::{Error, Kind, Result};
use crate::fetch::{Documents, show_url};
use crate::gfx::GfxTarget;

pub use name::{Platform, TarballName};
pub use page::{Listed, Page, parse};
pub use source::{Channel, Source, built_in};
pub use version::{RocmVersion, VersionRequest};

/// The longest index page that is read, in bytes; a page with 10,000 names has 1 MB.
const MOST: u64 = 64 << 20;
/// The most pages of one S3 listing that are read; the buckets have about 20.
const PAGES: usize = 200;
/// An index whose newest build is older than this is probably not updated any more, in days.
const STALE: i64 = 7;

/// A wanted nightly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RocmRequest {
    /// The stream of builds.
    pub channel: Channel,
    /// The operating system.
    pub platform: Platform,
    /// The GPU.
    pub target: GfxTarget,
    /// Which version.
    pub version: VersionRequest,
    /// Whether the tree may hold names that differ only in case or Unicode normal form.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub colliding_names: bool,
    /// The index pages to ask; the built-in ones where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Url>,
}

/// A build that an index lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its file name.
    pub name: String,
    /// Its version.
    pub version: RocmVersion,
    /// When the index says that it was made, in seconds since 1970.
    pub mtime: Option<i64>,
    /// Where it is.
    pub url: Url,
}

/// What a look-up found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookUp {
    /// The wanted build.
    pub newest: Candidate,
    /// All that fit the request, newest first; the first is [`Self::newest`].
    pub candidates: Vec<Candidate>,
    /// Worth saying, but no failure.
    pub warnings: Vec<String>,
}

/// Asks the indexes. `now`, in seconds since 1970, serves only to tell an index that nobody updates any more.
pub fn look_up(request: &RocmRequest, documents: &dyn Documents, now: i64) -> Result<LookUp> {
    let sources = if request.sources.is_empty() {
        built_in(request.channel)?
    } else {
        request.sources.iter().map(|url| Source { url: url.clone(), frozen: None }).collect()
    };
    let mut sorted = select::Sorted::default();
    let mut failures: Vec<(Url, Error)> = Vec::new();
    let (current, frozen): (Vec<_>, Vec<_>) = sources.into_iter().partition(|source| source.frozen.is_none());
    let mut answered = false;
    for source in current {
        match read_all(&source.url, documents) {
            Ok(listed) => {
                answered = true;
                sorted.add(listed, request);
            }
            Err(error) => failures.push((source.url, error)),
        }
    }
    // Falling back to an index that is known to be frozen must not pass for "nothing new".
    if !answered && select::wants_newest(&request.version) {
        return Err(all_failed(failures));
    }
    for source in frozen {
        if !sorted.wanted(request).is_empty() {
            break;
        }
        match read_all(&source.url, documents) {
            Ok(listed) => sorted.add(listed, request),
            Err(error) => failures.push((source.url, error)),
        }
    }
    let candidates = sorted.wanted(request);
    let Some(newest) = candidates.first().cloned() else {
        let error = sorted.nothing(request);
        return Err(if failures.is_empty() { error } else { all_failed(failures).fact("elsewhere", error.message()) });
    };
    let mut warnings: Vec<String> = failures
        .iter()
        .map(|(url, error)| format!("{} gave no answer and may have newer builds: {}", show_url(url), error.message()))
        .collect();
    warnings.extend(sorted.renamed(request.target.as_str()));
    if request.version == VersionRequest::Latest
        && matches!(request.channel, Channel::Nightly | Channel::Dev)
        && let Some(days) = select::age_in_days(&newest, now).filter(|days| *days > STALE)
    {
        warnings.push(format!(
            "the newest build is {days} days old: the index may be frozen, or builds for {} failing",
            request.target
        ));
    }
    Ok(LookUp { newest, candidates, warnings })
}

/// Reads one index with all its pages.
fn read_all(url: &Url, documents: &dyn Documents) -> Result<Vec<Listed>> {
    let mut all = Vec::new();
    let mut next = url.clone();
    let mut tokens = Vec::new();
    for _ in 0..PAGES {
        let page = parse(&documents.get(&next, MOST)?, &next)?;
        all.extend(page.files);
        let Some(token) = page.next else { return Ok(all) };
        if tokens.contains(&token) {
            return Err(Error::new(Kind::Mismatch, "the S3 listing goes round in circles").fact("url", show_url(url)));
        }
        next = url.clone();
        next.query_pairs_mut().append_pair("continuation-token", &token);
        tokens.push(token);
    }
    Err(Error::new(Kind::Mismatch, format!("the S3 listing has more than {PAGES} pages")).fact("url", show_url(url)))
}

fn all_failed(mut failures: Vec<(Url, Error)>) -> Error {
    if failures.len() == 1
        && let Some((_, error)) = failures.pop()
    {
        return error;
    }
    let kind = failures.first().map_or(Kind::NotFound, |(_, error)| error.kind());
    let error = failures.iter().fold(Error::new(kind, "no index gave an answer"), |error, (url, why)| {
        error.fact("index", format!("{}: {}", show_url(url), why.message()))
    });
    error.hint("check the network; if the index moved again, name its new address under `sources` in the manifest")
}

#[cfg(test)]
mod tests;
