//! sshd on loopback, a process for each connection, and the keys that open it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bytes of a connection that ssh needs for itself: its greeting, and a packet that is not complete.
const OVERHEAD: u64 = 48 << 10;

/// Makes a directory with two keys: `host`, by which an sshd is known, and `key`, which it takes from those who are in
/// `authorized_keys`.
pub fn make_keys(directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    for name in ["host", "key"] {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(directory.join(name));
        assert!(keygen.status().unwrap().success());
    }
}

/// Lets those in who have the key.
pub fn let_in(directory: &Path) {
    std::fs::copy(directory.join("key.pub"), directory.join("authorized_keys")).unwrap();
}

/// Serves this user with the keys in a directory. `settings` are further lines of the configuration, which is written to
/// `NAME.sshd`. Returns the port.
pub fn serve(directory: &Path, name: &str, settings: &str) -> u16 {
    // As root it wants a directory that its package's service makes.
    let _ = std::fs::create_dir("/run/sshd");
    let here = directory.display();
    let text = format!(
        "HostKey {here}/host\nAuthorizedKeysFile {here}/authorized_keys\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n{settings}\n"
    );
    let config = directory.join(format!("{name}.sshd"));
    std::fs::write(&config, text).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let other = OwnedFd::from(connection.try_clone().unwrap());
            let mut sshd = Command::new("/usr/sbin/sshd");
            sshd.args(["-i", "-e", "-f"]).arg(&config).stdin(Stdio::from(OwnedFd::from(connection)));
            let mut sshd = sshd.stdout(Stdio::from(other)).stderr(Stdio::null()).spawn().unwrap();
            std::thread::spawn(move || sshd.wait());
        }
    });
    port
}

/// A way to a server that counts what goes there, and can break.
pub struct Relay {
    pub port: u16,
    state: Arc<Passage>,
}

struct Passage {
    /// Bytes of one connection after which it breaks.
    most: AtomicU64,
    /// Bytes of all connections.
    passed: AtomicU64,
    /// Returns the number of bytes that the program behind the server has taken.
    taken: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl Relay {
    /// Relays to a port on loopback. A connection breaks after the program behind the server, by the number that `taken`
    /// returns, has taken what passed.
    pub fn to(server: u16, taken: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Passage { most: u64::MAX.into(), passed: 0.into(), taken: Box::new(taken) };
        let relay = Self { port, state: Arc::new(state) };
        let state = Arc::clone(&relay.state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let state = Arc::clone(&state);
                let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || {
                    // A connection that broke cannot be read from.
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
                std::thread::spawn(move || state.one_way(client, server));
            }
        });
        relay
    }

    /// Breaks each connection after this many bytes to the server.
    pub fn break_after(&self, bytes: u64) {
        self.state.most.store(bytes, Ordering::SeqCst);
    }

    /// Returns the number of bytes that passed to the server since the last call.
    pub fn passed(&self) -> u64 {
        self.state.passed.swap(0, Ordering::SeqCst)
    }
}

impl Passage {
    fn one_way(&self, mut client: TcpStream, mut server: TcpStream) {
        let mut buffer = [0; 4096];
        let before = (self.taken)();
        let mut done = 0;
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            if done + count as u64 > self.most.load(Ordering::SeqCst) {
                while (self.taken)() + OVERHEAD < before + done {
                    std::thread::sleep(Duration::from_millis(5));
                }
                let _ = client.shutdown(Shutdown::Both);
                break;
            }
            if server.write_all(&buffer[..count]).is_err() {
                break;
            }
            done += count as u64;
            self.passed.fetch_add(count as u64, Ordering::SeqCst);
        }
        let _ = server.shutdown(Shutdown::Write);
    }
}
