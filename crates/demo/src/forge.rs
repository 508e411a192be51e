//! A stand-in for a forge: the API of a repository's releases, and their files.
//!
//! * `GET /api/v1/repos/<repository>/releases/tags/<tag>`: the release of a tag, 404 without one
//! * `GET /api/v1/repos/<repository>/releases?per_page=<n>&page=<n>`: all of them, the newest first
//! * `GET /<repository>/releases/download/<tag>/<name>`: 302 to the bytes
//!
//! Answers have the fields of GitHub's, as far as anybody reads them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::http::{Body, Incoming, Response, Server};
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::threads::lock;

/// Path of the API, without the repository.
const API: &str = "/api/v1/repos";
/// Path of the files' bytes.
const BYTES: &str = "/release-assets";
/// Releases on a page, where the caller does not say.
const PER_PAGE: usize = 30;

/// A release as a publisher makes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForgeRelease {
    /// Its tag.
    pub tag: String,
    /// True if nobody is to see it yet.
    pub draft: bool,
    /// True if it is a trial.
    pub prerelease: bool,
    /// True if the API tells no digests, as for releases before June 2025.
    pub without_digests: bool,
    /// The files by name.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl ForgeRelease {
    /// Returns a release with one file.
    #[must_use]
    pub fn new(tag: &str, name: &str, bytes: Vec<u8>) -> Self {
        Self { tag: tag.to_owned(), files: BTreeMap::from([(name.to_owned(), bytes)]), ..Self::default() }
    }
}

/// Makes a release when somebody asks for it.
type Maker = Box<dyn Fn() -> Result<ForgeRelease> + Send>;

#[derive(Default)]
struct Shelf {
    /// Releases, the oldest first.
    releases: Vec<ForgeRelease>,
    /// The tag of a release that is not made yet, and how to make it.
    later: Option<(String, Maker)>,
}

/// The stand-in. It lives as long as the server.
#[derive(Clone)]
pub struct Forge {
    shelf: Arc<Mutex<Shelf>>,
    repository: String,
}

impl Forge {
    /// Serves the releases of a repository such as `ggml-org/llama.cpp`.
    #[must_use]
    pub fn start(server: &Server, repository: &str) -> Self {
        let forge = Self { shelf: Arc::default(), repository: repository.to_owned() };
        for prefix in
            [format!("{API}/{repository}/"), format!("/{repository}/releases/"), format!("{BYTES}/{repository}/")]
        {
            let (forge, origin) = (forge.clone(), server.url(""));
            server.handle(&prefix, move |incoming: &Incoming| forge.answer(origin.trim_end_matches('/'), incoming));
        }
        forge
    }

    /// Publishes a release, replacing one of the same tag in its place.
    pub fn publish(&self, release: ForgeRelease) {
        let mut shelf = lock(&self.shelf);
        shelf.later.take_if(|(tag, _)| *tag == release.tag);
        match shelf.releases.iter_mut().find(|old| old.tag == release.tag) {
            Some(old) => *old = release,
            None => shelf.releases.push(release),
        }
    }

    /// Publishes a release, the oldest, that is made when somebody asks for its tag or for all.
    pub fn publish_later(&self, tag: &str, make: impl Fn() -> Result<ForgeRelease> + Send + 'static) {
        lock(&self.shelf).later = Some((tag.to_owned(), Box::new(make)));
    }

    fn answer(&self, origin: &str, incoming: &Incoming) -> Response {
        let mut shelf = lock(&self.shelf);
        let repository = &self.repository;
        let path = percent_encoding::percent_decode_str(&incoming.path).decode_utf8_lossy().into_owned();
        let path = path.as_str();
        let is_wanted = |tag: &str| path.ends_with("/releases") || path.split('/').any(|part| part == tag);
        if let Some((_, make)) = shelf.later.take_if(|(tag, _)| is_wanted(tag)) {
            match make() {
                Ok(release) => shelf.releases.insert(0, release),
                Err(error) => return Response::text(500, format!("{error}\n")),
            }
        }
        if let Some(place) = path.strip_prefix(&format!("{API}/{repository}/releases")) {
            return self.api(&shelf.releases, origin, place, incoming);
        }
        let find = |prefix: String| {
            let (tag, name) = path.strip_prefix(&prefix)?.split_once('/')?;
            let release = shelf.releases.iter().find(|release| release.tag == tag)?;
            release.files.get(name).map(|bytes| (tag.to_owned(), name.to_owned(), bytes.clone()))
        };
        if let Some((tag, name, _)) = find(format!("/{repository}/releases/download/")) {
            let place = format!("{origin}{BYTES}/{repository}/{tag}/{name}?Signature=demo");
            return Response::text(302, "Found").header("Location", &place);
        }
        match find(format!("{BYTES}/{repository}/")) {
            Some((.., bytes)) => {
                let etag = format!("\"{}\"", &Sha256Digest::of(&bytes).hex()[..32]);
                Response { status: 200, headers: vec![("ETag".to_owned(), etag)], body: Body::Bytes(bytes) }
            }
            None => not_found(),
        }
    }

    fn api(&self, releases: &[ForgeRelease], origin: &str, place: &str, incoming: &Incoming) -> Response {
        if let Some(tag) = place.strip_prefix("/tags/") {
            let found = releases.iter().find(|release| release.tag == tag && !release.draft);
            return found.map_or_else(not_found, |release| json_answer(&self.about(origin, release)));
        }
        if !place.is_empty() {
            return not_found();
        }
        let number = |name: &str| incoming.parameter(name).and_then(|text| text.parse::<usize>().ok());
        let (per_page, page) = (number("per_page").unwrap_or(PER_PAGE), number("page").unwrap_or(1).max(1));
        let newest_first = releases.iter().rev().skip((page - 1) * per_page).take(per_page);
        json_answer(&newest_first.map(|release| self.about(origin, release)).collect())
    }

    fn about(&self, origin: &str, release: &ForgeRelease) -> Value {
        let place = format!("{origin}/{}/releases/download/{}", self.repository, release.tag);
        let assets = release.files.iter().map(|(name, bytes)| {
            let digest = (!release.without_digests).then(|| Sha256Digest::of(bytes).to_string());
            json!({
                "name": name,
                "state": "uploaded",
                "size": bytes.len(),
                "digest": digest,
                "browser_download_url": format!("{place}/{name}"),
            })
        });
        json!({
            "tag_name": release.tag,
            "name": release.tag,
            "draft": release.draft,
            "prerelease": release.prerelease,
            "published_at": "2026-10-05T10:00:00Z",
            "assets": assets.collect::<Vec<_>>(),
        })
    }
}

fn json_answer(value: &Value) -> Response {
    let mut response = Response::text(200, value.to_string());
    response.headers = vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())];
    response
}

fn not_found() -> Response {
    Response::text(404, "{\"message\": \"Not Found\"}")
}
