//! The files of a layout in a bucket of an object store that speaks S3's protocol.
//!
//! Addresses are signed by `rusty_s3`; requests are the fetcher's. The index is replaced only if nobody else has
//! replaced it since it was read (conditional writes), so that of two pushes at a time none is lost.

mod answer;
mod listing;
mod settings;

pub use settings::Settings;

use std::fs::File;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, RANGE};
use rusty_s3::{Bucket, Credentials, S3Action};
use url::Url;

use super::{Change, Files, MARKER};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::fetch::{Fetcher, ObjectAnswer, ObjectBody, ObjectRequest};
use answer::{has_changed, knows_no_conditions, refused};

/// Time for which a signature is valid: long enough for a large blob over a slow connection.
const VALID: Duration = Duration::from_secs(3600);
/// Greatest size of an error document, in bytes.
const LARGEST_ERROR: u64 = 64 << 10;
/// Greatest size of one page of a listing, in bytes: a thousand keys.
const LARGEST_PAGE: u64 = 4 << 20;
/// Greatest number of pages of a listing.
const MOST_PAGES: usize = 10_000;
/// Number of times that a change of the index is tried, while others change it too.
const TRIES: u32 = 30;
/// Age in seconds after which a blob that nothing refers to may be removed: no push takes so long.
const SETTLED: i64 = 24 * 3600;

/// A layout in a bucket.
pub struct ObjectStore<'a> {
    fetcher: &'a Fetcher,
    bucket: Bucket,
    credentials: Option<Credentials>,
    /// The beginning of all keys: empty, or ends with `/`.
    prefix: String,
    /// The address in the configuration.
    shown: String,
    prepared: OnceLock<()>,
}

/// The purpose of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Head,
    Get,
    Put,
    Delete,
}

impl<'a> ObjectStore<'a> {
    /// Returns the layout below `prefix` in a bucket.
    pub fn open(fetcher: &'a Fetcher, bucket: &str, prefix: &str, settings: &Settings) -> Result<Self> {
        let shown = format!("s3://{bucket}/{prefix}");
        let opened = settings.bucket(bucket).map_err(|error| {
            Error::new(Kind::Invalid, "invalid address of a remote").fact("remote", &shown).because(&error)
        })?;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{}/", prefix.trim_matches('/')) };
        let credentials = settings.credentials.clone();
        Ok(Self { fetcher, bucket: opened, credentials, prefix, shown, prepared: OnceLock::new() })
    }

    fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// Signs a request for a key; for the empty one, for the bucket.
    fn sign(&self, action: Action, key: &str, query: &[(&str, String)]) -> Url {
        fn signed<'q>(mut action: impl S3Action<'q>, query: &'q [(&str, String)]) -> Url {
            for (name, value) in query {
                action.query_mut().insert(*name, value.as_str());
            }
            action.sign(VALID)
        }
        let (bucket, credentials) = (&self.bucket, self.credentials.as_ref());
        match action {
            Action::Head => signed(bucket.head_object(credentials, key), query),
            Action::Get => signed(bucket.get_object(credentials, key), query),
            Action::Put => signed(bucket.put_object(credentials, key), query),
            Action::Delete => signed(bucket.delete_object(credentials, key), query),
        }
    }

    fn ask(
        &self,
        action: Action,
        key: &str,
        headers: Vec<(HeaderName, String)>,
        body: ObjectBody,
        limit: u64,
    ) -> Result<ObjectAnswer> {
        let method = match action {
            Action::Head => Method::HEAD,
            Action::Get => Method::GET,
            Action::Put => Method::PUT,
            Action::Delete => Method::DELETE,
        };
        let shown = self.bucket.object_url(key);
        let sign = || self.sign(action, key, &[]);
        let limit = limit.max(LARGEST_ERROR);
        self.fetcher.object(&ObjectRequest { method, shown: &shown, sign: &sign, headers, body, limit })
    }

    /// Returns a small object with its ETag, if it is there.
    fn get(&self, path: &str, limit: u64) -> Result<Option<(Vec<u8>, Option<String>)>> {
        let key = self.key(path);
        let answer = self.ask(Action::Get, &key, Vec::new(), nothing(), limit)?;
        match answer.status.as_u16() {
            200 => {}
            404 if !answer::is_without_bucket(&answer.body) => return Ok(None),
            _ => return Err(refused(&self.bucket.object_url(&key), &answer)),
        }
        if answer.body.len() as u64 > limit {
            return Err(Error::new(Kind::Mismatch, "a document of the remote is too long")
                .fact("url", self.bucket.object_url(&key))
                .fact("limit", format!("{limit} bytes")));
        }
        let etag = text(&answer, &ETAG);
        Ok(Some((answer.body, etag)))
    }

    fn put(&self, path: &str, headers: Vec<(HeaderName, String)>, body: ObjectBody) -> Result<ObjectAnswer> {
        self.ask(Action::Put, &self.key(path), headers, body, 0)
    }

    fn demand(&self, path: &str, answer: &ObjectAnswer) -> Result<()> {
        if answer.status.is_success() {
            return Ok(());
        }
        Err(refused(&self.bucket.object_url(&self.key(path)), answer))
    }
}

impl Files for ObjectStore<'_> {
    fn address(&self) -> String {
        self.shown.clone()
    }

    fn size(&self, path: &str) -> Result<Option<u64>> {
        let key = self.key(path);
        let answer = self.ask(Action::Head, &key, Vec::new(), nothing(), 0)?;
        match answer.status.as_u16() {
            200 => Ok(text(&answer, &CONTENT_LENGTH).and_then(|size| size.parse().ok())),
            404 => Ok(None),
            _ => Err(refused(&self.bucket.object_url(&key), &answer)),
        }
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        Ok(self.get(path, limit)?.map(|(bytes, _)| bytes))
    }

    fn part(&self, path: &str, offset: u64, length: u64, size: u64) -> Result<Bytes> {
        let key = self.key(path);
        let last = offset + length - 1;
        let range = vec![(RANGE, format!("bytes={offset}-{last}"))];
        let answer = self.ask(Action::Get, &key, range, nothing(), length)?;
        let url = self.bucket.object_url(&key);
        let sent = text(&answer, &CONTENT_RANGE).unwrap_or_default();
        let fits = match answer.status.as_u16() {
            206 => sent == format!("bytes {offset}-{last}/{size}"),
            200 => offset == 0,
            _ => return Err(refused(&url, &answer)),
        };
        if !fits || (answer.body.len() as u64) < length {
            return Err(Error::new(Kind::Mismatch, "the server sent another part of the file than it was asked for")
                .fact("url", url)
                .fact("asked", format!("bytes {offset}-{last} of {size}"))
                .fact("sent", format!("{} {sent}, {} bytes", answer.status, answer.body.len())));
        }
        let mut bytes = answer.body;
        bytes.truncate(length as usize);
        Ok(bytes.into())
    }

    fn prepare(&self) -> Result<()> {
        if self.prepared.get().is_some() {
            return Ok(());
        }
        if self.size(MARKER.0)?.is_none() {
            let answer = self.put(MARKER.0, Vec::new(), ObjectBody::Bytes(Bytes::from_static(MARKER.1)))?;
            self.demand(MARKER.0, &answer)?;
        }
        let _ = self.prepared.set(());
        Ok(())
    }

    fn add(&self, path: &str, file: &File, size: u64, sent: &(dyn Fn(u64) + Sync)) -> Result<()> {
        let answer = self.put(path, Vec::new(), ObjectBody::File(file, size, sent))?;
        self.demand(path, &answer)?;
        sent(size);
        Ok(())
    }

    fn add_small(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let answer = self.put(path, Vec::new(), ObjectBody::Bytes(Bytes::copy_from_slice(bytes)))?;
        self.demand(path, &answer)
    }

    fn change(&self, path: &str, limit: u64, change: &mut Change) -> Result<()> {
        for round in 0..TRIES {
            let found = self.get(path, limit)?;
            let new = Bytes::from(change(found.as_ref().map(|(bytes, _)| bytes.as_slice()))?);
            let condition = match &found {
                None => vec![(IF_NONE_MATCH, "*".to_owned())],
                Some((_, etag)) => etag.iter().map(|etag| (IF_MATCH, etag.clone())).collect(),
            };
            let answer = self.put(path, condition, ObjectBody::Bytes(new.clone()))?;
            if has_changed(&answer) {
                // Others are at work too: the later the round, the longer the pause.
                std::thread::sleep(Duration::from_millis(20 * u64::from(round + 1)));
                continue;
            }
            if knows_no_conditions(&answer) {
                self.fetcher.note_once(&format!(
                    "{} has no conditional writes: pushes at the same time may undo each other",
                    self.shown
                ));
                let answer = self.put(path, Vec::new(), ObjectBody::Bytes(new))?;
                return self.demand(path, &answer);
            }
            return self.demand(path, &answer);
        }
        Err(Error::new(Kind::Busy, "others change this remote all the time")
            .fact("remote", &self.shown)
            .hint("run the command again when they are done"))
    }

    fn remove(&self, path: &str) -> Result<()> {
        let answer = self.ask(Action::Delete, &self.key(path), Vec::new(), nothing(), 0)?;
        if answer.status.as_u16() == 404 { Ok(()) } else { self.demand(path, &answer) }
    }

    fn settled_blobs(&self) -> Result<Vec<Sha256Digest>> {
        let (prefix, mut token) = (self.key("blobs/sha256/"), None);
        let before = jiff::Timestamp::now().as_second() - SETTLED;
        let shown = self.bucket.object_url("");
        let mut blobs = Vec::new();
        for _ in 0..MOST_PAGES {
            let mut query = vec![("list-type", "2".to_owned()), ("prefix", prefix.clone())];
            query.extend(token.take().map(|token| ("continuation-token", token)));
            let sign = || self.sign(Action::Get, "", &query);
            let request = ObjectRequest {
                method: Method::GET,
                shown: &shown,
                sign: &sign,
                headers: Vec::new(),
                body: nothing(),
                limit: LARGEST_PAGE,
            };
            let answer = self.fetcher.object(&request)?;
            if !answer.status.is_success() {
                return Err(refused(&shown, &answer));
            }
            let page = listing::parse(&answer.body).map_err(|error| error.fact("url", &shown))?;
            let old = page.objects.into_iter().filter(|object| object.modified < before);
            blobs.extend(old.filter_map(|object| Sha256Digest::from_hex(object.key.strip_prefix(&prefix)?)));
            token = page.next;
            if token.is_none() {
                return Ok(blobs);
            }
        }
        Err(Error::new(Kind::Mismatch, "the list of the remote's objects has no end").fact("url", &shown))
    }
}

fn nothing() -> ObjectBody<'static> {
    ObjectBody::Bytes(Bytes::new())
}

fn text(answer: &ObjectAnswer, name: &HeaderName) -> Option<String> {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
