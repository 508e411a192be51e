use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use reqwest::header::HeaderValue;

use super::*;
use crate::demo::http::{Body, Incoming, Response, Server};
use crate::digest::Sha256Digest;
use crate::fetch::Settings;
use crate::progress::Silent;

/// A registry with one repository, and what it should do wrong.
#[derive(Default)]
struct Registry {
    /// The bytes of the upload that is open.
    received: Vec<u8>,
    /// Number of uploads that were opened.
    opened: u32,
    /// True if it forgot the upload.
    is_forgotten: bool,
    /// Requests by method, each with the status of a fault that it gets, once.
    faults: Vec<(&'static str, u16)>,
    /// The greatest chunk that is accepted.
    largest: Option<usize>,
    /// The address that it names in place of its own.
    elsewhere: Option<String>,
    /// The digest that it says it stored.
    stored: Option<String>,
}

impl Registry {
    fn range(&self) -> String {
        format!("0-{}", self.received.len().saturating_sub(1))
    }

    fn answer(&mut self, incoming: &Incoming) -> Response {
        if let Some(place) = self.faults.iter().position(|(method, _)| *method == incoming.method) {
            let (_, status) = self.faults.remove(place);
            // Half of it arrived.
            if incoming.method == "PATCH" && status == 500 {
                self.received.extend_from_slice(&incoming.body[..incoming.body.len() / 2]);
            }
            self.is_forgotten |= status == 404;
            return Response::text(status, "").header("Retry-After", "0");
        }
        if self.is_forgotten && incoming.method != "POST" {
            return Response::text(404, "");
        }
        match incoming.method.as_str() {
            "POST" => {
                self.received.clear();
                (self.opened, self.is_forgotten) = (self.opened + 1, false);
                let place = format!("/v2/team/strix/blobs/uploads/{}", self.opened);
                Response::text(202, "").header("Location", self.elsewhere.as_ref().unwrap_or(&place))
            }
            "PATCH" | "PUT" if self.largest.is_some_and(|largest| incoming.body.len() > largest) => {
                Response::text(413, "")
            }
            "PATCH" => {
                let begin = format!("{}-", self.received.len());
                assert!(incoming.header("content-range").is_some_and(|range| range.starts_with(&begin)));
                self.received.extend_from_slice(&incoming.body);
                Response::text(202, "").header("Location", &incoming.path).header("Range", &self.range())
            }
            "GET" => Response::text(204, "").header("Range", &self.range()),
            _ => {
                self.received.extend_from_slice(&incoming.body);
                let digest = Sha256Digest::of(&self.received).to_string();
                let status = if incoming.parameter("digest").as_ref() == Some(&digest) { 201 } else { 400 };
                let body = Body::Bytes(Vec::new());
                let stored = self.stored.clone().unwrap_or(digest);
                Response { status, headers: Vec::new(), body }.header("Docker-Content-Digest", &stored)
            }
        }
    }
}

/// Sends a blob of this size to a registry. Returns what it got, the result, and the bytes that were told as sent.
fn send(size: usize, registry: Registry) -> (Arc<Mutex<Registry>>, Result<()>, u64) {
    let server = Server::start().unwrap();
    let registry = Arc::new(Mutex::new(registry));
    let shared = Arc::clone(&registry);
    server.handle("/v2/team/strix/blobs/uploads/", move |incoming: &Incoming| shared.lock().unwrap().answer(incoming));
    let settings = Settings { pause: Duration::ZERO, rounds: 3, ..Settings::default() };
    let fetcher = Fetcher::new(settings, Arc::new(Silent)).unwrap();
    let base = fetcher.registry(&server.address().to_string(), "team/strix").unwrap();
    fetcher.logins.put(base.as_str(), Some(HeaderValue::from_static("Bearer secret")));
    let bytes: Vec<u8> = (0..size).map(|number| (number / 1000) as u8).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let blob = Promise { size: size as u64, digest: Sha256Digest::of(&bytes) };
    let sent = AtomicU64::new(0);
    let told = |now: u64| sent.store(now, Ordering::Relaxed);
    let result = fetcher.upload(&Upload { base: &base, blob, file: &file, sent: &told, task: &Silent });
    if result.is_ok() && registry.lock().unwrap().elsewhere.is_none() {
        assert!(registry.lock().unwrap().received == bytes);
    }
    (registry, result, sent.load(Ordering::Relaxed))
}

const LARGE: usize = 40 << 20;

#[test]
fn small_and_large_blobs_arrive() {
    for size in [0, 1, 1 << 20, LARGE] {
        let (registry, result, sent) = send(size, Registry::default());
        result.unwrap();
        assert_eq!((sent, registry.lock().unwrap().opened), (size as u64, 1));
    }
}

#[test]
fn an_upload_goes_on_where_the_registry_stands() {
    for faults in [
        vec![("PATCH", 500)],
        vec![("PATCH", 429), ("PATCH", 503), ("PUT", 500)],
        vec![("POST", 429), ("POST", 500)],
        vec![("PATCH", 500), ("GET", 500)],
    ] {
        let told = format!("{faults:?}");
        let (registry, result, sent) = send(LARGE, Registry { faults, ..Registry::default() });
        result.unwrap_or_else(|error| panic!("{told}: {error}"));
        assert_eq!((sent, registry.lock().unwrap().opened), (LARGE as u64, 1), "{told}");
    }
}

#[test]
fn an_upload_that_is_forgotten_begins_again() {
    for faults in [
        vec![("PATCH", 404)],
        vec![("PATCH", 500), ("GET", 404)],
        vec![("PUT", 404)],
        vec![("PATCH", 416), ("GET", 404)],
    ] {
        let told = format!("{faults:?}");
        let (registry, result, _) = send(LARGE, Registry { faults, ..Registry::default() });
        result.unwrap_or_else(|error| panic!("{told}: {error}"));
        assert_eq!(registry.lock().unwrap().opened, 2, "{told}");
    }
}

#[test]
fn smaller_chunks_are_sent_to_a_registry_that_wants_them() {
    let (_, result, _) = send(LARGE, Registry { largest: Some(5 << 20), ..Registry::default() });
    result.unwrap();
    let (_, result, _) = send(LARGE, Registry { largest: Some(1), ..Registry::default() });
    assert_eq!(result.unwrap_err().message(), TOO_LARGE);
}

#[test]
fn a_registry_that_never_takes_it_is_told() {
    let (_, result, _) = send(1000, Registry { faults: vec![("PUT", 500); 9], ..Registry::default() });
    assert_eq!(result.unwrap_err().kind(), Kind::Unreachable);
    let (_, result, _) = send(1000, Registry { faults: vec![("POST", 403)], ..Registry::default() });
    assert!(result.unwrap_err().message().contains("denies access"));
    let other = Some(Sha256Digest::of(b"other").to_string());
    let (_, result, _) = send(1000, Registry { stored: other, ..Registry::default() });
    assert_eq!(result.unwrap_err().kind(), Kind::Mismatch);
}

#[test]
fn another_host_gets_no_login_and_some_none_at_all() {
    let other = Server::start().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&seen);
    other.handle("/upload/", move |incoming: &Incoming| {
        shared.lock().unwrap().push(incoming.header("authorization").map(str::to_owned));
        Response::text(201, "")
    });
    let (_, result, _) =
        send(1000, Registry { elsewhere: Some(other.url("/upload/x?state=1")), ..Registry::default() });
    result.unwrap();
    assert_eq!(*seen.lock().unwrap(), [None]);
    for wrong in ["http://registry.example/upload/", "file:///tmp/x", "http://[", "ftp://localhost/"] {
        let (_, result, _) = send(1000, Registry { elsewhere: Some(wrong.to_owned()), ..Registry::default() });
        assert_eq!(result.unwrap_err().kind(), Kind::Mismatch, "{wrong}");
    }
}
