//! Turns a request into an answer on the wire: ranges, framing, and the faults that concern them.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::content::{Opened, Resource};
use super::fault::Fault;
use super::log::LogLine;
use super::message::Incoming;
use super::wire::{Chunks, Stop, Wire};
use crate::error::Result;

/// A function that writes a body of unknown length.
pub type BodyWriter = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

/// The body of an answer.
pub enum Body {
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// This many bytes from a reader, which stand at `start` of the whole content.
    Part {
        /// The reader.
        source: Box<dyn Read + Send>,
        /// The offset of the bytes in the whole content.
        start: u64,
        /// The number of bytes.
        length: u64,
    },
    /// The output of a function, sent in chunks.
    Stream(BodyWriter),
}

/// An answer before it is put on the wire.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers, except those that concern framing.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

impl Response {
    /// Creates a short answer in plain text.
    #[must_use]
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        let body = Body::Bytes(text.into().into_bytes());
        Self { status, headers: Vec::new(), body }.header("Content-Type", "text/plain; charset=utf-8")
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Returns the answer that a fault gives in place of the real one.
pub(super) fn instead(incoming: &Incoming, faults: &[Fault]) -> Option<Response> {
    faults.iter().find_map(|fault| match fault {
        Fault::BasicAuth { user, password } => {
            let wanted = format!("Basic {}", STANDARD.encode(format!("{user}:{password}").as_bytes()));
            let refused = incoming.header("authorization") != Some(wanted.as_str());
            refused.then(|| {
                Response::text(401, "who are you?\n")
                    .header("WWW-Authenticate", "Basic realm=\"demo\", charset=\"UTF-8\"")
            })
        }
        Fault::Status { code, headers, .. } => {
            let mut response = Response::text(*code, format!("{code} {}\n", reason(*code)));
            response.headers.extend(headers.iter().cloned());
            Some(response)
        }
        Fault::Redirect(url) => {
            // 302 would turn a POST into a GET.
            let code = if matches!(incoming.method.as_str(), "GET" | "HEAD") { 302 } else { 307 };
            Some(Response::text(code, "elsewhere\n").header("Location", url))
        }
        _ => None,
    })
}

/// Returns the answer for a resource.
pub(super) fn serve(incoming: &Incoming, resource: &Resource, faults: &[Fault]) -> Result<Response> {
    if !matches!(incoming.method.as_str(), "GET" | "HEAD") {
        return Ok(Response::text(405, "only GET and HEAD\n").header("Allow", "GET, HEAD"));
    }
    let opened = resource.open()?;
    let size = opened.size;
    let mut headers = vec![
        ("Content-Type".to_owned(), resource.content_type.clone()),
        ("ETag".to_owned(), opened.etag.clone()),
        ("Last-Modified".to_owned(), httpdate::fmt_http_date(opened.modified)),
        ("Accept-Ranges".to_owned(), "bytes".to_owned()),
    ];
    let ignored = faults.contains(&Fault::IgnoreRange) || incoming.method == "HEAD";
    let range = incoming.header("range").filter(|_| !ignored && if_range(incoming, &opened));
    let (mut status, mut start, mut length) = (200, 0, size);
    match range.and_then(|range| parse_range(range, size)) {
        None => {}
        Some(None) => {
            return Ok(Response::text(416, "").header("Content-Range", &format!("bytes */{size}")));
        }
        Some(Some((first, last))) => {
            (status, start, length) = (206, first, last + 1 - first);
            if !faults.contains(&Fault::Wrong206) {
                headers.push(("Content-Range".to_owned(), format!("bytes {first}-{last}/{size}")));
            }
        }
    }
    if faults.contains(&Fault::Wrong206) {
        status = 206;
        headers.push(("Content-Range".to_owned(), format!("bytes {}-{}/{}", start + 1, start + length, size + 1)));
    }
    let source = opened.part(start, length)?;
    Ok(Response { status, headers, body: Body::Part { source, start, length } })
}

fn if_range(incoming: &Incoming, opened: &Opened) -> bool {
    incoming.header("if-range").is_none_or(|value| {
        // A weak validator never matches here (RFC 9110).
        value == opened.etag && !value.starts_with("W/") || value == httpdate::fmt_http_date(opened.modified)
    })
}

/// Parses a Range header. `None`: not understood, so ignored. `Some(None)`: cannot be satisfied. Else the first and
/// the last byte.
#[expect(clippy::option_option, reason = "three answers that RFC 9110 tells apart")]
fn parse_range(text: &str, size: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let count: u64 = last.parse().ok()?;
        return Some((count > 0 && size > 0).then(|| (size.saturating_sub(count), size - 1)));
    }
    let first: u64 = first.parse().ok()?;
    let last: u64 = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
    if last < first {
        return None;
    }
    Some((first < size).then(|| (first, last.min(size - 1))))
}

/// Sends a response. Returns whether the connection can be used again.
pub(super) fn send(
    response: Response,
    incoming: &Incoming,
    stream: &TcpStream,
    stop: &Stop,
    log: &LogLine,
    faults: &[Fault],
) -> io::Result<bool> {
    let (start, length) = match &response.body {
        Body::Bytes(bytes) => (0, Some(bytes.len() as u64)),
        Body::Part { start, length, .. } => (*start, Some(*length)),
        Body::Stream(_) => (0, None),
    };
    let claimed =
        faults.iter().find_map(|fault| if let Fault::LieLength(length) = fault { Some(*length) } else { None });
    let unframed = faults.contains(&Fault::NoContentLength);
    let chunked = !unframed && incoming.http11 && (length.is_none() || faults.contains(&Fault::Chunked));
    let keep = incoming.keep_alive && faults.is_empty() && (length.is_some() || chunked);

    let mut head = Vec::new();
    write!(head, "HTTP/1.1 {} {}\r\n", response.status, reason(response.status))?;
    for (name, value) in &response.headers {
        write!(head, "{name}: {value}\r\n")?;
    }
    write!(head, "Date: {}\r\n", httpdate::fmt_http_date(SystemTime::now()))?;
    if chunked {
        head.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    } else if let Some(length) = claimed.or(length).filter(|_| !unframed) {
        write!(head, "Content-Length: {length}\r\n")?;
    }
    write!(head, "Connection: {}\r\n\r\n", if keep { "keep-alive" } else { "close" })?;
    log.status(response.status);
    (&mut &*stream).write_all(&head)?;
    if incoming.method == "HEAD" {
        return Ok(keep);
    }

    let mut wire = Wire::new(stream, stop, log, start, faults);
    if chunked {
        let mut chunks = Chunks::new(wire, stream);
        write_body(response.body, &mut chunks)?;
        chunks.finish()?;
    } else {
        write_body(response.body, &mut wire)?;
    }
    Ok(keep)
}

fn write_body(body: Body, out: &mut dyn Write) -> io::Result<()> {
    match body {
        Body::Bytes(bytes) => out.write_all(&bytes),
        Body::Stream(write) => write(out),
        Body::Part { mut source, length, .. } => {
            // Larger than the buffer of `io::copy`: a demo sends gigabytes.
            let mut buffer = vec![0; 256 << 10];
            let mut left = length;
            while left > 0 {
                let wanted = left.min(buffer.len() as u64) as usize;
                let count = source.read(&mut buffer[..wanted])?;
                if count == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                out.write_all(&buffer[..count])?;
                left -= count as u64;
            }
            Ok(())
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        302 => "Found",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Whatever",
    }
}
