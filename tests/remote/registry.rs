//! A real registry on loopback, and a relay before it that stops where a test wants it to.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::{Project, files};

/// Debian's docker-registry.
pub struct Registry {
    process: Child,
    pub address: String,
    storage: PathBuf,
}

impl Registry {
    /// Starts a registry with its storage below a directory.
    pub fn start(directory: &Path) -> Self {
        // Between the choice of a port and its use somebody else may take it.
        (0..10).find_map(|_| Self::try_start(directory)).expect("docker-registry does not start")
    }

    fn try_start(directory: &Path) -> Option<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let (address, storage) = (format!("127.0.0.1:{port}"), directory.join("registry"));
        let configuration = directory.join("registry.yml");
        let text = format!(
            "version: 0.1\nlog: {{ accesslog: {{ disabled: true }}, level: info }}\nhttp: {{ addr: \"{address}\" }}\n\
             storage: {{ filesystem: {{ rootdirectory: {} }}, delete: {{ enabled: true }} }}\n",
            storage.display()
        );
        std::fs::write(&configuration, text).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(configuration).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("these tests need the package docker-registry");
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        while log.read_line(&mut line).is_ok_and(|count| count > 0) {
            if line.contains("listening on") {
                thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
                return Some(Self { process, address, storage });
            }
            line.clear();
        }
        let _ = process.wait();
        None
    }

    /// The paths of its blobs.
    pub fn blobs(&self) -> Vec<PathBuf> {
        let blobs = self.storage.join("docker/registry/v2/blobs");
        files(&blobs).into_iter().filter(|path| path.file_name().is_some_and(|name| name == "data")).collect()
    }

    /// The largest blob: a pack.
    pub fn pack(&self) -> PathBuf {
        self.blobs().into_iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Names a registry at this address as the remote of the project.
pub fn name_remote(project: &Project, address: &str) {
    project
        .write("strixlock.toml", &format!("[[remotes]]\nname = \"team\"\naddress = \"oci://{address}/team/strix\"\n"));
}

/// Passes connections on to another address, until a number of bytes have passed.
pub struct Relay {
    pub address: String,
    gate: Arc<Gate>,
}

struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    left: usize,
    is_used_up: bool,
}

impl Gate {
    /// Waits until `count` bytes may pass.
    fn pass(&self, count: usize) {
        let mut state = self.state.lock().unwrap();
        while state.left < count {
            state.is_used_up = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap();
        }
        state.left -= count;
    }
}

impl Relay {
    /// Starts a relay that lets everything pass.
    pub fn start(to: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = State { left: usize::MAX, is_used_up: false };
        let gate = Arc::new(Gate { state: Mutex::new(state), changed: Condvar::new() });
        let (shared, to) = (Arc::clone(&gate), to.to_owned());
        thread::spawn(move || {
            for one in listener.incoming() {
                let (Ok(one), Ok(other)) = (one, TcpStream::connect(&to)) else { continue };
                for (from, into) in [(one.try_clone(), other.try_clone()), (Ok(other), Ok(one))] {
                    let gate = Arc::clone(&shared);
                    thread::spawn(move || carry(from.unwrap(), into.unwrap(), &gate));
                }
            }
        });
        Self { address, gate }
    }

    /// Lets this many more bytes pass.
    pub fn limit(&self, bytes: usize) {
        let mut state = self.gate.state.lock().unwrap();
        (state.left, state.is_used_up) = (bytes, false);
    }

    /// Waits until no more bytes may pass.
    pub fn wait_until_used_up(&self) {
        let state = self.gate.state.lock().unwrap();
        let waited = self.gate.changed.wait_timeout_while(state, Duration::from_secs(120), |state| !state.is_used_up);
        assert!(!waited.unwrap().1.timed_out(), "so many bytes did not come");
    }

    /// Lets everything pass again.
    pub fn open(&self) {
        self.limit(usize::MAX);
        self.gate.changed.notify_all();
    }
}

fn carry(mut from: TcpStream, mut into: TcpStream, gate: &Gate) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        gate.pass(count);
        if into.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = into.shutdown(std::net::Shutdown::Both);
}
