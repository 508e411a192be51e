//! A name service that records the hosts that a sandbox looks up.
//!
//! A sandbox has no network, so a look-up there fails, and leaves at best a line in a log. The C library first asks the
//! name service cache over a socket with a path (nscd, <https://sourceware.org/glibc/manual/>, `nscd/nscd-client.h` in
//! glibc). A request is three 32-bit numbers in the machine's order (version 2, type, length of the key) and the key.
//! This service takes nscd's place, records the name, and answers that there is no such host.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::threads::lock;

const VERSION: i32 = 2;
/// GETHOSTBYNAME, GETHOSTBYNAMEv6, GETAI.
const BY_NAME: [i32; 3] = [4, 5, 14];
/// Greatest length of a key. Names of hosts are shorter (RFC 1035).
const LONGEST: usize = 1024;
/// Number of hosts that are recorded: as many as a person can read.
const MAX_HOSTS: usize = 16;
const SOCKET: &str = "socket";

/// The running service, with the hosts that were looked up.
pub(super) struct NameService {
    directory: tempfile::TempDir,
    asked: Arc<Mutex<BTreeSet<String>>>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameService {
    /// Starts the service, with its socket in a new directory below `scratch`.
    pub(super) fn start(scratch: &Path) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("strixlock-names-").tempdir_in(scratch)?;
        // The path of a socket has room for 107 bytes; that of a store may be longer.
        let opened = fs_err::File::open(directory.path())?;
        let short = format!("/proc/self/fd/{}/{SOCKET}", opened.as_raw_fd());
        let listener = UnixListener::bind(short)
            .map_err(|error| Error::failure("cannot make a socket in the store").because(&error))?;
        let (asked, done) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(AtomicBool::new(false)));
        let (to, until) = (Arc::clone(&asked), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            // Invalid requests, and connections without one, are ignored.
            let take = |stream| {
                let Some(name) = answer(stream) else { return };
                let mut asked = lock(&to);
                if asked.len() < MAX_HOSTS {
                    asked.insert(name);
                }
            };
            for stream in listener.incoming().flatten() {
                take(stream);
                if until.load(Ordering::Relaxed) {
                    break;
                }
            }
            // Requests from before the end count even if they were not answered yet.
            if listener.set_nonblocking(true).is_ok() {
                while let Ok((stream, _)) = listener.accept() {
                    take(stream);
                }
            }
        });
        Ok(Self { directory, asked, done, thread: Some(thread) })
    }

    /// Returns the directory to mount at `/run/nscd` inside.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Stops the service after it has read all requests so far. Returns the hosts that were looked up.
    pub(super) fn stop(mut self) -> Vec<String> {
        self.join();
        lock(&self.asked).iter().cloned().collect()
    }

    fn join(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        let opened = std::fs::File::open(self.directory.path());
        let woken = opened.and_then(|it| UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", it.as_raw_fd())));
        // The connection is closed at once: otherwise the service would wait for a request on it until its time limit.
        if let (Ok(()), Some(thread)) = (woken.map(drop), self.thread.take()) {
            let _ = thread.join();
        }
    }
}

impl Drop for NameService {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.join();
        }
    }
}

/// Answers one request. Returns the name if it was for another host.
fn answer(mut stream: UnixStream) -> Option<String> {
    let limit = Some(Duration::from_secs(2));
    stream.set_read_timeout(limit).ok()?;
    stream.set_write_timeout(limit).ok()?;
    let mut header = [0; 12];
    stream.read_exact(&mut header).ok()?;
    let (kind, name) = request(&header, |length| {
        let mut key = vec![0; length];
        stream.read_exact(&mut key).ok()?;
        Some(key)
    })?;
    let _ = stream.write_all(&no_such_host(kind));
    (!is_local(&name)).then_some(name)
}

/// Returns the type and the name in a request for a host. `None` for every other request.
fn request(header: &[u8; 12], key: impl FnOnce(usize) -> Option<Vec<u8>>) -> Option<(i32, String)> {
    let field = |at: usize| Some(i32::from_ne_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let (version, kind, length) = (field(0)?, field(4)?, usize::try_from(field(8)?).ok()?);
    if version != VERSION || !BY_NAME.contains(&kind) || length > LONGEST {
        return None;
    }
    let key = key(length)?;
    let name = key.split(|byte| *byte == 0).next()?;
    let shown: String = String::from_utf8_lossy(name).chars().filter(|c| !c.is_control()).collect();
    (!shown.is_empty()).then_some((kind, shown))
}

/// Returns the answer that there is no such host: `ai_response_header` or `hst_response_header`.
fn no_such_host(kind: i32) -> Vec<u8> {
    const HOST_NOT_FOUND: i32 = 1;
    let numbers: &[i32] = match kind {
        14 => &[VERSION, 0, 0, 0, 0, HOST_NOT_FOUND],
        _ => &[VERSION, 0, 0, 0, -1, -1, 0, HOST_NOT_FOUND],
    };
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

/// Returns whether the name is that of the sandbox itself, which any program may look up.
fn is_local(name: &str) -> bool {
    name == super::engine::HOST_NAME || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(names: &NameService, kind: i32, key: &[u8]) -> Vec<u8> {
        let mut stream = UnixStream::connect(names.directory().join(SOCKET)).unwrap();
        let mut bytes = Vec::new();
        for number in [VERSION, kind, key.len() as i32] {
            bytes.extend(number.to_ne_bytes());
        }
        stream.write_all(&[&bytes, key].concat()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    #[test]
    fn names_of_hosts_are_noticed_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let names = NameService::start(place.path()).unwrap();
        assert_eq!(ask(&names, 14, b"github.com\0").len(), 24);
        assert_eq!(ask(&names, 4, b"example.org\0").len(), 32);
        ask(&names, 14, b"localhost\0");
        ask(&names, 0, b"root\0");
        ask(&names, 13, b"hosts\0");
        // A request whose sender does not wait for the answer.
        let mut last = UnixStream::connect(names.directory().join(SOCKET)).unwrap();
        let key = b"late.example\0";
        let header: Vec<u8> = [VERSION, 4, key.len() as i32].iter().flat_map(|number| number.to_ne_bytes()).collect();
        last.write_all(&[&header, key.as_slice()].concat()).unwrap();
        drop(last);
        assert_eq!(names.stop(), ["example.org", "github.com", "late.example"]);
        assert_eq!(fs_err::read_dir(place.path()).unwrap().count(), 0, "nothing is left");
    }
}
