//! The answer to a request.

use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use tracing::info;

use super::body::Answered;
use super::clients::Client;
use super::range::{About, Part, part};
use super::s3;
use crate::archive::{Archive, Piece, tarballs};
use crate::log::FETCH;
use crate::text::visible;

type Reply = Response<Answered>;

/// Answers a request. The body of a request is not read: nothing here takes one.
pub(super) fn answer(archive: &Archive, client: &Client, request: &Request<Incoming>) -> Reply {
    let path = percent_encoding::percent_decode_str(request.uri().path()).decode_utf8();
    // What is not UTF-8 is the path of nothing.
    let path = path.as_deref().unwrap_or("invalid");
    let mut reply = match *request.method() {
        Method::GET | Method::HEAD => found(archive, client, request, path),
        _ => {
            let mut reply = plain(StatusCode::METHOD_NOT_ALLOWED, "this server is read-only\n");
            set(&mut reply, ALLOW, "GET, HEAD");
            reply
        }
    };
    set(&mut reply, X_CONTENT_TYPE_OPTIONS, "nosniff");
    let (address, method, status) = (client.address(), request.method(), reply.status().as_u16());
    info!(target: FETCH, "{address}: {method} {}: {status}", visible(path));
    client.asked(&visible(path));
    if request.method() == Method::HEAD {
        let length = hyper::body::Body::size_hint(reply.body()).exact().unwrap_or(0);
        set(&mut reply, CONTENT_LENGTH, &length.to_string());
        *reply.body_mut() = Answered::Bytes(None);
    }
    reply
}

fn found(archive: &Archive, client: &Client, request: &Request<Incoming>, path: &str) -> Reply {
    if path == "/" {
        let query = request.uri().query().unwrap_or_default();
        let xml = tarballs(archive).ok().and_then(|all| s3::listing(query, &all));
        if let Some(xml) = xml {
            return with_type(Response::new(Answered::Bytes(Some(xml.into()))), "application/xml");
        }
    }
    let piece = if path == "/" { Some(Piece::Page) } else { path.strip_prefix('/').and_then(Piece::parse) };
    let Some(piece) = piece else { return plain(StatusCode::NOT_FOUND, "not found\n") };
    let (from, time) = match &piece {
        Piece::Tarball(name) => {
            let time = std::fs::symlink_metadata(archive.path().join(name)).map(|found| found.mtime());
            (archive.linked(name).map(Piece::Blob), time.ok())
        }
        _ => (Some(piece.clone()), None),
    };
    let opened = from.as_ref().and_then(|from| archive.open_piece(from).ok());
    let Some((file, metadata)) = opened.and_then(|file| file.metadata().map(|found| (file, found)).ok()) else {
        return plain(StatusCode::NOT_FOUND, "not found\n");
    };
    let time = u64::try_from(time.unwrap_or_else(|| metadata.mtime())).unwrap_or(0);
    let (etag, lasts) = match &from {
        Some(Piece::Blob(digest) | Piece::Lock(digest)) => (digest.hex(), true),
        Some(Piece::Listing(tree)) => (tree.hex(), true),
        // Such a file is replaced by another one, never written to.
        _ => (format!("{:x}-{:x}-{:x}", metadata.ino(), metadata.ctime_nsec(), metadata.len()), false),
    };
    let about = About {
        size: metadata.len(),
        etag: format!("\"{etag}\""),
        modified: httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(time)),
    };
    let (status, at, size) = match part(request.headers(), &about) {
        Part::Whole => (StatusCode::OK, 0, about.size),
        Part::Range(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Part::Nothing => {
            let mut reply = plain(StatusCode::RANGE_NOT_SATISFIABLE, "the file is shorter\n");
            set(&mut reply, CONTENT_RANGE, &format!("bytes */{}", about.size));
            return reply;
        }
        Part::NotModified => (StatusCode::NOT_MODIFIED, 0, 0),
    };
    let body = if size == 0 { Answered::Bytes(None) } else { Answered::part(file, at, size, client.clone()) };
    let mut reply = with_type(Response::new(body), media_type(&piece));
    *reply.status_mut() = status;
    if status == StatusCode::PARTIAL_CONTENT {
        set(&mut reply, CONTENT_RANGE, &format!("bytes {at}-{}/{}", at + size - 1, about.size));
    }
    set(&mut reply, ACCEPT_RANGES, "bytes");
    set(&mut reply, ETAG, &about.etag);
    set(&mut reply, LAST_MODIFIED, &about.modified);
    // The name of a tarball may lead to another file one day.
    let lasts = lasts && !matches!(piece, Piece::Tarball(_));
    set(&mut reply, CACHE_CONTROL, if lasts { "public, max-age=31536000, immutable" } else { "no-cache" });
    if piece == Piece::Page {
        set(
            &mut reply,
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
        );
    }
    reply
}

fn media_type(piece: &Piece) -> &'static str {
    match piece {
        Piece::Page => "text/html; charset=utf-8",
        Piece::Newest | Piece::Lock(_) | Piece::OciLayout | Piece::OciIndex => "application/json",
        Piece::Marker | Piece::Sums | Piece::Commit(_) | Piece::Directory(_) | Piece::Listing(_) => {
            "text/plain; charset=utf-8"
        }
        Piece::Tarball(name) if std::path::Path::new(name).extension().is_some_and(|ending| ending == "gz") => {
            "application/gzip"
        }
        Piece::Tarball(_) | Piece::Cold(_) | Piece::Chunk(_) => "application/zstd",
        Piece::Blob(_) => "application/octet-stream",
    }
}

fn plain(status: StatusCode, text: &'static str) -> Reply {
    let mut reply = Response::new(Answered::Bytes(Some(Bytes::from_static(text.as_bytes()))));
    *reply.status_mut() = status;
    with_type(reply, "text/plain; charset=utf-8")
}

fn with_type(mut reply: Reply, media_type: &'static str) -> Reply {
    set(&mut reply, CONTENT_TYPE, media_type);
    reply
}

fn set(reply: &mut Reply, name: HeaderName, value: &str) {
    // All values are ours, and plain.
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
}
