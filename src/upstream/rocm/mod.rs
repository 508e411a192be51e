//! Input kind `rocm`: a nightly tarball of ROCm for one GPU, found on an index page.
//!
//! The index has moved three times, so its addresses are data (`sources.toml`, or `sources` in the manifest). Anything
//! that could silently keep users on old builds (a page that is not an index, an empty index, a renamed family, a
//! version in a new format, an index that is no longer updated) is an error or a warning:
//!
//! * The current indexes are asked first, and the frozen ones only if those have no matching build.
//! * A current index that answers with something other than an index is an error. One that does not answer is a
//!   warning, as long as another current index has the build. If none answers, a frozen index may still supply an exact
//!   version, but never the newest.
//! * A frozen index that fails is a warning, as long as the build is found.
//! * A build from a frozen index comes with a warning if the newest was wanted.
//!
//! The files, in the order in which data flows: `version` and `name` parse versions and file names; `request` and
//! `range` say which build is wanted, and `restrictions` which are not; `source` has the channels and their indexes; `read` asks an index; `page` parses
//! it, with `markup`, `script`, `links` and `s3`; `select` sorts the files for a request, with `family`; `unread`
//! reports skipped files that may have been meant; `no_match` explains an empty result; `series` finds newer builds of
//! one series; `policy` knows how long AMD keeps builds; `by_url` is for a tarball that the user names by its URL, and
//! `everything` for a search among all builds.

mod by_url;
mod everything;
mod family;
mod links;
mod markup;
mod name;
mod no_match;
mod page;
mod policy;
mod range;
mod read;
mod request;
mod restrictions;
mod s3;
mod script;
mod select;
mod series;
mod source;
mod unread;
mod version;

use jiff::civil::Date;
use url::Url;

use crate::error::{Error, Kind, Result};
use crate::fetch::Documents;
use crate::gfx::GfxTarget;
use crate::text;
use crate::urls::show_url;

pub use everything::{everything, sort_by_age};
pub use family::{Family, families_with, known_targets};
pub use name::{Platform, TarballName};
pub use page::{Listed, Page, parse};
pub use policy::{Retention, homes, if_gone, listing, made, retention};
pub use request::{RocmRequest, VersionRequest};
pub use restrictions::{Denied, MinAge};
pub use series::{Series, newest_of_series};
pub use source::{Channel, Index, built_in};
pub use version::RocmVersion;

use read::Trouble;
use select::Sorted;

/// A build that an index lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its file name.
    pub name: String,
    /// Its version.
    pub version: RocmVersion,
    /// Its day: from its version, else from its time in the index.
    pub date: Option<Date>,
    /// Its GPU.
    pub target: GfxTarget,
    /// Its time in the index, in seconds since 1970.
    pub mtime: Option<i64>,
    /// Its size in bytes, if the index gives one.
    pub size: Option<u64>,
    /// Its address.
    pub url: Url,
    /// The index that lists it there.
    pub source: Url,
    /// Addresses of files of the same name. They need not be the same build: only a digest can tell.
    pub elsewhere: Vec<Url>,
    /// The address of a file with its digest, if the index lists one. AMD has published none so far.
    pub sidecar: Option<Url>,
}

/// The result of a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookUp {
    /// The wanted build.
    pub newest: Candidate,
    /// All matching builds, newest first; the first is [`Self::newest`].
    pub candidates: Vec<Candidate>,
    /// Doubts that the user should know of.
    pub warnings: Vec<String>,
}

/// Asks the indexes. `now`, in seconds since 1970, is used only to recognize an index that is no longer updated.
pub fn look_up(request: &RocmRequest, documents: &dyn Documents, now: i64) -> Result<LookUp> {
    let sources = if request.sources.is_empty() {
        built_in(&request.channel)?
    } else {
        request.sources.iter().cloned().map(Index::named).collect()
    };
    let (current, frozen): (Vec<_>, Vec<_>) = sources.into_iter().partition(|source| !source.frozen);
    let mut sorted = Sorted::default();
    let mut failures = Vec::new();
    let mut answered = false;
    for (source, read) in read::all(current, documents)? {
        match read {
            Ok(page) => {
                answered = true;
                sorted.add(page, request, &source.url);
            }
            Err(Trouble::NoIndex(error)) => return Err(error),
            Err(Trouble::NoAnswer(error)) => failures.push((source.url, error)),
        }
    }
    if !answered && request.version.wants_newest() {
        return Err(all_failed(failures));
    }
    let mut from_frozen = Vec::new();
    let frozen = if sorted.wanted(request).is_empty() { read::all(frozen, documents)? } else { Vec::new() };
    for (source, read) in frozen {
        if !sorted.wanted(request).is_empty() {
            break;
        }
        match read {
            Ok(page) => {
                answered = true;
                sorted.add(page, request, &source.url);
                from_frozen.push(source);
            }
            Err(trouble) => failures.push((source.url, trouble.into_error())),
        }
    }
    let mut candidates = sorted.wanted(request);
    let future = if request.version.wants_newest() { select::pass_over_future(&mut candidates, now) } else { None };
    let Some(newest) = candidates.first().cloned() else {
        return Err(if answered { nowhere(&sorted, request, failures) } else { all_failed(failures) });
    };
    let mut warnings: Vec<String> = failures.iter().map(|(url, error)| unanswered(url, error)).collect();
    warnings.extend(future);
    warnings.extend(doubts(&sorted, request, &newest));
    if request.version.wants_newest() {
        match from_frozen.iter().find(|source| source.url == newest.source) {
            Some(source) => warnings.push(frozen_instead(source, request)),
            None if request.version == VersionRequest::Latest => {
                warnings.extend(too_old(&sorted, request, &newest, now));
            }
            None => {}
        }
    }
    Ok(LookUp { newest, candidates, warnings })
}

fn unanswered(url: &Url, error: &Error) -> String {
    format!("{} did not answer and may have newer builds: {}", show_url(url), error.message())
}

/// Lists the signs in the index that upstream has something newer than the chosen build.
fn doubts(sorted: &Sorted, request: &RocmRequest, newest: &Candidate) -> Vec<String> {
    let mut doubts = Vec::new();
    let near = sorted.near(request.target.as_str());
    let near: Vec<&str> = near.into_iter().filter(|family| *family != request.wanted()).collect();
    if !near.is_empty() && request.family.is_none() {
        doubts.push(format!("the index also has {}: families have been renamed before", near.join(", ")));
    }
    if request.version.wants_newest() {
        let by_day = request.channel.about().is_ok_and(|about| about.by_day);
        doubts.extend(unread::newer(&sorted.unread, newest, by_day));
    }
    if let Some((name, first, later)) = sorted.repeated.first() {
        let more = match sorted.repeated.len() {
            1 => String::new(),
            count => format!(", and does the like {} more times", count - 1),
        };
        let (first, later) = (text::date(*first), text::date(*later));
        doubts.push(format!("the index lists {name} twice, made {first} and {later}: the first counts{more}"));
    }
    if sorted.odd > 0 {
        doubts.push(format!("{} entries of the index have invalid names and were skipped", sorted.odd));
    }
    if newest.url.path_segments().into_iter().flatten().any(|part| part.to_ascii_lowercase().contains("asan")) {
        doubts.push(format!(
            "{} is in a directory of builds with AddressSanitizer, which have the names of the plain ones",
            show_url(&newest.url)
        ));
    }
    doubts
}

fn frozen_instead(source: &Index, request: &RocmRequest) -> String {
    let since = source.frozen_since.as_ref().map(|day| format!(" since {day}")).unwrap_or_default();
    format!(
        "no current index has {}; this one is from {}, where nothing new has appeared{since}",
        match request.version {
            VersionRequest::Latest => format!("a {} build", request.wanted()),
            _ => format!("a {} build in {}", request.wanted(), request.version),
        },
        show_url(&source.url)
    )
}

/// Warns if the newest build is too old for a channel that has builds about once a day.
fn too_old(sorted: &Sorted, request: &RocmRequest, newest: &Candidate, now: i64) -> Option<String> {
    let stale = request.channel.about().ok()?.stale_days?;
    let days = select::age(newest.date?, now).filter(|days| *days > stale)?;
    let target = request.wanted();
    Some(match sorted.age(now).filter(|others| *others <= stale) {
        Some(others) => format!(
            "the newest {target} build is {days} days old, and that of another GPU {others}: builds for {target} may \
             be failing, or its family be renamed"
        ),
        None => match sorted.newest_file.and_then(|file| Some((file, select::age(file, now)?))) {
            Some((file, age)) if age < days && age <= stale => format!(
                "the newest {target} build is {days} days old, and the index goes on: its newest file is of {file}"
            ),
            _ => format!("the newest build is {days} days old: the index is probably not updated any more"),
        },
    })
}

/// Returns the error for indexes that answered and have no match. It also names those that did not answer, which may
/// have one.
fn nowhere(sorted: &Sorted, request: &RocmRequest, failures: Vec<(Url, Error)>) -> Error {
    let kind = failures.first().map_or(Kind::NotFound, |(_, error)| error.kind());
    failures.into_iter().fold(no_match::no_match(sorted, request, kind), |error, (url, why)| {
        error.fact("no answer", format!("{}: {}", show_url(&url), why.message()))
    })
}

fn all_failed(mut failures: Vec<(Url, Error)>) -> Error {
    if failures.len() == 1
        && let Some((_, error)) = failures.pop()
    {
        return error;
    }
    let kind = failures.first().map_or(Kind::NotFound, |(_, error)| error.kind());
    let error = failures.iter().fold(Error::new(kind, "no index answered"), |error, (url, why)| {
        let tried = why.facts().find(|(label, _)| *label == "tried").map(|(_, tried)| format!(", tried {tried}"));
        error.fact("index", format!("{}: {}{}", show_url(url), why.message(), tried.unwrap_or_default()))
    });
    error.hint("check the network; if the index moved again, name its new address under `sources` in the manifest")
}

#[cfg(test)]
mod tests;
