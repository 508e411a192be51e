//! sshd on loopback, a process for each connection, and the keys that open it.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

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
