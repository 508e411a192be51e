//! Input kind `release`: one file of a release that a forge publishes, such as llama.cpp's archive for a series of ROCm.
//!
//! The git protocol says which commit a tag names and which other tags the commit has. Only the forge's API says which
//! files lie on a tag, and what their digests are: one request for each release that is asked for. This module builds
//! those requests, parses the answers, and chooses the file.

mod answer;
mod forges;
mod pattern;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::fetch::Documents;
use crate::urls::{escape_part, show_url};

pub use answer::is_asset;
pub use pattern::{AssetPattern, Fit, Series};

/// Greatest length of an answer of the API, in bytes. A release with fifty files takes 100 kB.
const LONGEST: u64 = 16 << 20;
/// Number of releases on a page of the list.
const PER_PAGE: usize = 10;
/// Number of pages that are read to find the newest release with a fitting file.
const PAGES: usize = 3;
/// Number of names that an error lists.
const LISTED: usize = 40;

/// A wanted file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// The repository, as a git input has it.
    pub url: String,
    /// The wanted release.
    #[serde(rename = "ref")]
    pub wanted: ReleaseRef,
    /// The pattern of the file's name.
    pub asset: AssetPattern,
    /// The API of the repository, if it is not where forges of its host have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<Url>,
}

/// A wanted release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseRef {
    /// The newest that was published and has a fitting file.
    Newest,
    /// That of a tag, or of another tag of the same commit.
    Tag(String),
    /// That of the newest tag `v...`: `latest`, or a range of versions.
    Range(String),
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its tag.
    pub tag: String,
    /// True if nobody is to see it yet.
    pub draft: bool,
    /// True if it is a trial.
    pub prerelease: bool,
    /// The time at which it was published, in seconds since 1970.
    pub published: Option<i64>,
    /// Its files.
    pub assets: Vec<Asset>,
    /// Number of files with an invalid name.
    pub nameless: usize,
}

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: Option<Url>,
    /// Its size in bytes, if the forge gives it.
    pub size: Option<u64>,
    /// Its digest, if the forge gives a SHA-256.
    pub sha256: Option<Sha256Digest>,
    /// The fault of the forge's entry, if any. It matters only if the file is chosen.
    pub fault: Option<&'static str>,
}

/// The file that a request means today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The tag of the release.
    pub tag: String,
    /// The time at which it was published, in seconds since 1970.
    pub published: Option<i64>,
    /// Name of the file.
    pub file: String,
    /// Its address.
    pub url: Url,
    /// Its size in bytes, if the forge gives it.
    pub size: Option<u64>,
    /// Its digest, if the forge gives one.
    pub sha256: Option<Sha256Digest>,
    /// The series of ROCm in its name.
    pub rocm: Option<Series>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

impl ReleaseRequest {
    /// Returns the base of the repository's API. Fails if no forge is known to have one for such an address.
    pub fn api_base(&self) -> Result<Url> {
        if let Some(api) = &self.api {
            return Ok(api.clone());
        }
        forges::api_of(&self.url).ok_or_else(|| {
            Error::new(Kind::Invalid, "unknown API of the repository's releases").fact("url", &self.url).hint(
                "name it with `api = \"https://...\"`: the address to which the forge's API appends `/releases/tags/TAG`",
            )
        })
    }
}

/// Returns the build number in a tag: llama.cpp tags each build `b<number>`.
#[must_use]
pub fn number_of(tag: &str) -> Option<u64> {
    let digits = tag.strip_prefix('b')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    // The number is compiled into programs as an `int`.
    plain.then(|| digits.parse::<i32>().ok()?.try_into().ok())?
}

/// Returns the file of the release of one of these tags of a commit: the first that has a fitting one.
pub fn of_tags(
    request: &ReleaseRequest,
    tags: &[String],
    number: Option<u64>,
    documents: &dyn Documents,
) -> Result<Found> {
    let base = request.api_base()?;
    let mut failure: Option<Error> = None;
    for tag in tags {
        let url = below(&base, &format!("releases/tags/{}", escape_part(tag)))?;
        let found = match documents.get(&url, LONGEST) {
            Ok(found) => found,
            Err(error) if error.kind() == Kind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let release = answer::release(&found.body, &url)?;
        if release.tag != *tag {
            return Err(answer::broken(&url, "it is about another tag")
                .fact("asked for", tag)
                .fact("tag", &release.tag));
        }
        match choose(request, &release, number) {
            Err(error) if error.kind() == Kind::NotFound => failure = failure.or(Some(error)),
            other => return other,
        }
    }
    Err(failure.unwrap_or_else(|| {
        Error::new(Kind::NotFound, "the forge has no release of this tag")
            .fact("asked", show_url(&base))
            .fact("tags", tags.join(", "))
            .hint(
                "not every tag is a release: name one that has files, or leave `tag` and `release` away for the newest",
            )
    }))
}

/// Returns the file of the newest release that has a fitting one. Drafts and trials do not count, and neither does a
/// release whose files are not there yet.
pub fn newest(request: &ReleaseRequest, documents: &dyn Documents) -> Result<Found> {
    let base = request.api_base()?;
    let (mut failure, mut seen) = (None, 0);
    for page in 1..=PAGES {
        let mut url = below(&base, "releases")?;
        url.set_query(Some(&format!("per_page={PER_PAGE}&page={page}")));
        let found = documents.get(&url, LONGEST)?;
        let (all, nameless) = answer::releases(&found.body, &url)?;
        let is_last = all.len() + nameless == 0;
        seen += all.len();
        for release in all.iter().filter(|release| !release.draft && !release.prerelease) {
            match choose(request, release, number_of(&release.tag)) {
                Err(error) if error.kind() == Kind::NotFound => failure = failure.or(Some(error)),
                other => return other,
            }
        }
        if is_last {
            break;
        }
    }
    let error = failure.unwrap_or_else(|| {
        Error::new(Kind::NotFound, "the repository has no published release").fact("asked", show_url(&base))
    });
    Err(error.fact("looked at", format!("{seen} releases, the newest first")))
}

/// Chooses the file that fits the pattern: the only one.
fn choose(request: &ReleaseRequest, release: &Release, number: Option<u64>) -> Result<Found> {
    let number = number.or_else(|| number_of(&release.tag));
    let fits = |asset: &Asset| request.asset.fits(&asset.name, &release.tag, number);
    let mut fitting = release.assets.iter().filter_map(|asset| Some((asset, fits(asset)?)));
    let wrong = |message: &str| {
        Error::new(Kind::NotFound, message).fact("tag", &release.tag).fact("pattern", request.asset.as_str())
    };
    let (asset, Fit { rocm }) = match (fitting.next(), fitting.next()) {
        (Some(one), None) => one,
        (None, _) => {
            let error = wrong("the release has no file of this name").fact("it has", listed(&request.asset, release));
            let error = if number.is_none() && request.asset.wants_number() {
                error.fact("no number", "the commit has no tag `b<number>`, and the pattern wants it")
            } else {
                error
            };
            return Err(error.hint("the files may still be on their way to a new release; else correct `asset`"));
        }
        (Some((first, _)), Some((second, _))) => {
            let more = fitting.map(|(asset, _)| asset);
            let names: Vec<&str> = [first, second].into_iter().chain(more).map(|asset| asset.name.as_str()).collect();
            // Not `NotFound`: another release must not stand in for this one.
            return Err(Error::new(Kind::Invalid, "several files of the release fit the pattern")
                .fact("tag", &release.tag)
                .fact("pattern", request.asset.as_str())
                .fact("these fit", names.join(", "))
                .hint("write more of the name into `asset`, such as the series in place of `{rocm}`"));
        }
    };
    let url = match (asset.fault, &asset.url) {
        (None, Some(url)) => url.clone(),
        (fault, _) => {
            return Err(Error::new(Kind::Mismatch, "the forge's entry for a file is invalid")
                .fact("file", &asset.name)
                .fact("fault", fault.unwrap_or("it has no address")));
        }
    };
    let mut notes = Vec::new();
    if release.nameless > 0 {
        notes
            .push(format!("{} files of release {} have invalid names and were skipped", release.nameless, release.tag));
    }
    Ok(Found {
        tag: release.tag.clone(),
        published: release.published,
        file: asset.name.clone(),
        url,
        size: asset.size,
        sha256: asset.sha256,
        rocm,
        notes,
    })
}

/// Lists the files of a release, those most similar to the pattern first.
fn listed(pattern: &AssetPattern, release: &Release) -> String {
    let mut names: Vec<&str> = release.assets.iter().map(|asset| asset.name.as_str()).collect();
    names.sort_by_cached_key(|name| strsim::damerau_levenshtein(name, pattern.as_str()));
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    match (names.is_empty(), more) {
        (true, _) => "no files".to_owned(),
        (false, 0) => names.join(", "),
        (false, more) => format!("{} and {more} more", names.join(", ")),
    }
}

fn below(base: &Url, path: &str) -> Result<Url> {
    let mut url = base.clone();
    url.set_query(None);
    let text = format!("{}/{path}", url.as_str().trim_end_matches('/'));
    Url::parse(&text).map_err(|error| Error::new(Kind::Invalid, "invalid address of an API").because(&error))
}

#[cfg(test)]
mod tests;
