//! Notices which hosts a sandbox asks for.
//!
//! A sandbox has no network, so a look-up there fails, and what is left of it is at best a line in a log. The C library
//! asks the name service cache first, over a socket that has a path (nscd, <https://sourceware.org/glibc/manual/>,
//! `nscd/nscd-client.h` in glibc): a request is three 32-bit numbers in the machine's order (version 2, type, length of the
//! key) and the key. We are that service: we write the name down and answer that there is no such host.

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
/// Names are shorter (RFC 1035), as are all other keys that matter.
const LONGEST: usize = 1024;
/// No build asks for more hosts than a person can read.
const MOST: usize = 16;
const SOCKET: &str = "socket";

/// The service, and what it was asked for.
pub(super) struct Names {
    directory: tempfile::TempDir,
    asked: Arc<Mutex<BTreeSet<String>>>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Names {
    /// Starts the service, with its socket in a new directory below `scratch`.
    pub(super) fn watch(scratch: &Path) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("strixlock-names-").tempdir_in(scratch)?;
        // The path of a socket has room for 107 bytes; that of a store may be longer.
        let opened = fs_err::File::open(directory.path())?;
        let short = format!("/proc/self/fd/{}/{SOCKET}", opened.as_raw_fd());
        let listener = UnixListener::bind(short)
            .map_err(|error| Error::failure("cannot make a socket in the store").because(&error))?;
        let (asked, done) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(AtomicBool::new(false)));
        let (to, until) = (Arc::clone(&asked), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            // A request that is not one, or never comes, is nobody's loss.
            let take = |stream| {
                let Some(name) = answer(stream) else { return };
                let mut asked = lock(&to);
                if asked.len() < MOST {
                    asked.insert(name);
                }
            };
            for stream in listener.incoming().flatten() {
                take(stream);
                if until.load(Ordering::Relaxed) {
                    break;
                }
            }
            // Whoever asked before the end and was not answered yet has asked all the same.
            if listener.set_nonblocking(true).is_ok() {
                while let Ok((stream, _)) = listener.accept() {
                    take(stream);
                }
            }
        });
        Ok(Self { directory, asked, done, thread: Some(thread) })
    }

    /// What must stand at `/run/nscd` inside.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Stops the service, once it has answered what was asked so far; gives the hosts that were asked for.
    pub(super) fn stop(mut self) -> Vec<String> {
        self.join();
        lock(&self.asked).iter().cloned().collect()
    }

    fn join(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        let opened = std::fs::File::open(self.directory.path());
        let woken = opened.and_then(|it| UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", it.as_raw_fd())));
        // Closed at once: the service would wait for a request on it as long as it is patient.
        if let (Ok(()), Some(thread)) = (woken.map(drop), self.thread.take()) {
            let _ = thread.join();
        }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.join();
        }
    }
}

/// Answers one request; gives the name if it was for a host elsewhere.
fn answer(mut stream: UnixStream) -> Option<String> {
    let patience = Some(Duration::from_secs(2));
    stream.set_read_timeout(patience).ok()?;
    stream.set_write_timeout(patience).ok()?;
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

/// The type and the name in a request for a host; `None` for every other request.
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

/// The answer that there is no such host: `ai_response_header` or `hst_response_header`.
fn no_such_host(kind: i32) -> Vec<u8> {
    const HOST_NOT_FOUND: i32 = 1;
    let numbers: &[i32] = match kind {
        14 => &[VERSION, 0, 0, 0, 0, HOST_NOT_FOUND],
        _ => &[VERSION, 0, 0, 0, -1, -1, 0, HOST_NOT_FOUND],
    };
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

/// Names of the sandbox itself, which any program may ask for.
fn is_local(name: &str) -> bool {
    name == super::engine::HOST_NAME || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(names: &Names, kind: i32, key: &[u8]) -> Vec<u8> {
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
        let names = Names::watch(place.path()).unwrap();
        assert_eq!(ask(&names, 14, b"github.com\0").len(), 24);
        assert_eq!(ask(&names, 4, b"example.org\0").len(), 32);
        ask(&names, 14, b"localhost\0");
        ask(&names, 0, b"root\0");
        ask(&names, 13, b"hosts\0");
        // One that nobody waits for an answer to.
        let mut last = UnixStream::connect(names.directory().join(SOCKET)).unwrap();
        let key = b"late.example\0";
        let header: Vec<u8> = [VERSION, 4, key.len() as i32].iter().flat_map(|number| number.to_ne_bytes()).collect();
        last.write_all(&[&header, key.as_slice()].concat()).unwrap();
        drop(last);
        assert_eq!(names.stop(), ["example.org", "github.com", "late.example"]);
        assert_eq!(fs_err::read_dir(place.path()).unwrap().count(), 0, "nothing is left");
    }
}
