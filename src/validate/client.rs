//! HTTP over a UNIX socket, as far as a server in the sandbox needs it.
//!
//! The sandbox has no network that we could reach. A socket in a mounted directory can be connected to from outside.
//! A request is sent before its answer is read, so that several can be under way without threads. What comes back is
//! bounded in size and time, and nothing in it is believed.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Told;

/// Greatest size of an answer, in bytes: those of a server have some ten thousand.
const MOST: u64 = 8 << 20;

/// The socket of a server.
pub(super) struct Socket {
    /// The directory is named by its descriptor: the path of a socket may have 107 bytes only.
    directory: File,
    name: String,
    limit: Duration,
}

/// A request that was sent, whose answer is to be read.
#[derive(Debug)]
pub(super) struct Sent {
    stream: UnixStream,
    until: Instant,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Socket {
    /// Returns the socket of this name in a directory, which need not be there yet. `limit` is for each answer.
    pub fn new(directory: &Path, name: &str, limit: Duration) -> std::io::Result<Self> {
        Ok(Self { directory: File::open(directory)?, name: name.to_owned(), limit })
    }

    /// Sends a request with a JSON body, or without one.
    pub fn send(&self, path: &str, body: Option<&Value>) -> Told<Sent> {
        let place = format!("/proc/self/fd/{}/{}", self.directory.as_raw_fd(), self.name);
        let body = body.map(Value::to_string);
        let (method, text) = body.as_deref().map_or(("GET", ""), |body| ("POST", body));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            text.len()
        );
        let send = || {
            let mut stream = UnixStream::connect(&place)?;
            stream.set_write_timeout(Some(self.limit))?;
            stream.write_all(head.as_bytes())?;
            stream.write_all(text.as_bytes())?;
            Ok(Sent { stream, until: Instant::now() + self.limit })
        };
        send().map_err(|error: std::io::Error| format!("the server takes no request: {error}"))
    }

    /// Sends a request with a JSON body and returns the JSON that comes back with status 200.
    pub fn ask(&self, path: &str, body: &Value) -> Told<Value> {
        self.send(path, Some(body))?.json()
    }
}

impl Sent {
    /// Reads the answer.
    pub fn answer(mut self) -> Told<Answer> {
        let mut all = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("the server did not answer in time".to_owned());
            }
            // A time-out of zero would be none.
            let set = self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))));
            match set.and_then(|()| self.stream.read(&mut buffer)) {
                Ok(0) => break,
                Ok(count) => all.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) => return Err(format!("the server broke off its answer: {error}")),
            }
            if all.len() as u64 > MOST {
                return Err("the answer of the server is too large".to_owned());
            }
            if let Some(answer) = parse(&all, false)? {
                return Ok(answer);
            }
        }
        parse(&all, true)?.ok_or_else(|| "the server ended without an answer".to_owned())
    }

    /// Reads the answer, which must be JSON with status 200.
    pub fn json(self) -> Told<Value> {
        let Answer { status, body } = self.answer()?;
        let shown = || String::from_utf8_lossy(&body).chars().take(200).collect::<String>();
        if status != 200 {
            return Err(format!("the server answered with status {status}: {}", shown()));
        }
        serde_json::from_slice(&body).map_err(|error| format!("the answer is not JSON ({error}): {}", shown()))
    }
}

/// Parses an answer. Returns nothing while it is not complete; `ended` says that no more will come.
fn parse(all: &[u8], ended: bool) -> Told<Option<Answer>> {
    let odd = |what: &str| format!("the answer is not HTTP: {what}");
    let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if ended || all.len() > 64 * 1024 { Err(odd("it has no end of the head")) } else { Ok(None) };
    };
    let (head, rest) = all.split_at(end);
    let body = rest.get(4..).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| odd("its head is not text"))?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let version = words.next().filter(|word| word.starts_with("HTTP/1."));
    let status = words.next().and_then(|word| word.parse().ok()).filter(|_| version.is_some());
    let status: u16 = status.ok_or_else(|| odd("it has no status"))?;
    let mut length = None;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(odd("its body comes in chunks, which were not asked for"));
        }
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<usize>().map_err(|_| odd("its length is no number"))?);
        }
    }
    match length {
        Some(length) if body.len() >= length => {
            Ok(Some(Answer { status, body: body.get(..length).unwrap_or_default().to_vec() }))
        }
        Some(_) if ended => Err("the server broke off its answer".to_owned()),
        None if ended => Ok(Some(Answer { status, body: body.to_vec() })),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_to_their_length_or_to_the_end() {
        let parsed = |text: &str, ended| parse(text.as_bytes(), ended);
        let answer = |status, body: &str| Ok(Some(Answer { status, body: body.as_bytes().to_vec() }));
        assert_eq!(parsed("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", false), answer(200, "{}"));
        assert_eq!(parsed("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", false), Ok(None));
        assert_eq!(parsed("HTTP/1.0 503 x\r\n\r\nabc", true), answer(503, "abc"));
        assert_eq!(parsed("HTTP/1.1 200", false), Ok(None));
        for (odd, why) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", "broke off"),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", "length"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "chunks"),
            ("SSH-2.0-x y\r\n\r\n", "status"),
            ("\u{fffd}", "no end"),
            ("", "no end"),
        ] {
            let error = parsed(odd, true).unwrap_err();
            assert!(error.contains(why), "{odd:?}: {error}");
        }
        assert!(parse(&vec![b'x'; 70_000], false).is_err());
    }

    #[test]
    fn a_socket_with_a_long_path_is_reached_and_silence_ends() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let socket = Socket::new(&deep, "s.sock", Duration::from_millis(50)).unwrap();
        assert!(socket.send("/", None).unwrap_err().contains("takes no request"));
        let place = format!("/proc/self/fd/{}/s.sock", socket.directory.as_raw_fd());
        let _listener = std::os::unix::net::UnixListener::bind(place).unwrap();
        let sent = socket.send("/", Some(&serde_json::json!({ "prompt": [1] }))).unwrap();
        assert_eq!(sent.json().unwrap_err(), "the server did not answer in time");
    }
}
