//! Reads one HTTP/1.1 request from a connection. Total: any bytes are a request or a status to refuse them with.

use std::io::{self, BufRead, Read, Write};

use flate2::read::MultiGzDecoder;

const HEAD_LIMIT: u64 = 64 << 10;
const BODY_LIMIT: u64 = 64 << 20;

/// A request as received.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// `GET`, `HEAD`, `POST`, ...
    pub method: String,
    /// The request target as sent: path and query, still percent-encoded.
    pub target: String,
    /// The path with percent-encoding undone.
    pub path: String,
    /// The query after `?`, still percent-encoded.
    pub query: String,
    /// Headers in order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, with transfer and content coding undone.
    pub body: Vec<u8>,
    pub(super) keep_alive: bool,
    pub(super) http11: bool,
}

impl Incoming {
    /// Returns the first header of this name, which must be in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the decoded value of a parameter of the query.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// The reason why there is no request.
pub(super) enum NoRequest {
    /// The connection ended or broke, so that nobody can be answered.
    Gone,
    /// The request is refused with this status.
    Refused(u16),
}

impl From<io::Error> for NoRequest {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::InvalidData { Self::Refused(400) } else { Self::Gone }
    }
}

/// Reads the next request. `reply` is used for `100 Continue` only.
pub(super) fn read(reader: &mut impl BufRead, reply: &mut impl Write) -> Result<Incoming, NoRequest> {
    let mut head = reader.take(HEAD_LIMIT);
    let mut line = read_line(&mut head)?;
    if line.is_empty() {
        line = read_line(&mut head)?;
    }
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(NoRequest::Refused(400));
    };
    if !matches!(version, "HTTP/1.0" | "HTTP/1.1") {
        return Err(NoRequest::Refused(505));
    }
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut head)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(NoRequest::Refused(400))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if !path.starts_with('/') {
        return Err(NoRequest::Refused(400));
    }
    let http11 = version == "HTTP/1.1";
    let mut incoming = Incoming {
        method: method.to_owned(),
        target: target.to_owned(),
        path: decode_path(path),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
        keep_alive: http11,
        http11,
    };
    incoming.keep_alive &= incoming.header("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close"));
    if incoming.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        reply.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    incoming.body = read_body(&incoming, reader)?;
    Ok(incoming)
}

/// Decodes a path. Like object stores, reads a bare `+` as a space: a client that does not write `%2B` gets a 404.
fn decode_path(path: &str) -> String {
    percent_encoding::percent_decode_str(&path.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn read_body(incoming: &Incoming, reader: &mut impl BufRead) -> Result<Vec<u8>, NoRequest> {
    let mut body = Vec::new();
    if let Some(coding) = incoming.header("transfer-encoding") {
        if !coding.eq_ignore_ascii_case("chunked") {
            return Err(NoRequest::Refused(501));
        }
        read_chunks(reader, &mut body)?;
    } else if let Some(length) = incoming.header("content-length") {
        let length: u64 = length.parse().map_err(|_| NoRequest::Refused(400))?;
        if length > BODY_LIMIT {
            return Err(NoRequest::Refused(413));
        }
        if reader.take(length).read_to_end(&mut body)? as u64 != length {
            return Err(NoRequest::Gone);
        }
    }
    match incoming.header("content-encoding") {
        None | Some("identity") => Ok(body),
        Some("gzip" | "x-gzip") => {
            let mut plain = Vec::new();
            let read = MultiGzDecoder::new(body.as_slice()).take(BODY_LIMIT + 1).read_to_end(&mut plain);
            match read {
                Err(_) => Err(NoRequest::Refused(400)),
                Ok(size) if size as u64 > BODY_LIMIT => Err(NoRequest::Refused(413)),
                Ok(_) => Ok(plain),
            }
        }
        Some(_) => Err(NoRequest::Refused(415)),
    }
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> Result<(), NoRequest> {
    loop {
        let line = read_line(&mut reader.take(HEAD_LIMIT))?;
        let digits = line.split(';').next().unwrap_or("").trim();
        let size = u64::from_str_radix(digits, 16).map_err(|_| NoRequest::Refused(400))?;
        if size.saturating_add(body.len() as u64) > BODY_LIMIT {
            return Err(NoRequest::Refused(413));
        }
        if size == 0 {
            // Trailers, if any, end with an empty line.
            while !read_line(&mut reader.take(HEAD_LIMIT))?.is_empty() {}
            return Ok(());
        }
        if reader.take(size).read_to_end(body)? as u64 != size {
            return Err(NoRequest::Gone);
        }
        if !read_line(&mut reader.take(HEAD_LIMIT))?.is_empty() {
            return Err(NoRequest::Refused(400));
        }
    }
}

fn read_line(reader: &mut impl BufRead) -> Result<String, NoRequest> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        let too_long = line.len() as u64 + 1 >= HEAD_LIMIT;
        return Err(if too_long { NoRequest::Refused(431) } else { NoRequest::Gone });
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| NoRequest::Refused(400))
}
