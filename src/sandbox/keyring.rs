//! Starts sandboxes without the caller's session keyring.
//!
//! A session keyring (session-keyring(7)) holds keys of the user who logged in: Kerberos tickets, keys of encrypted
//! directories. Every child inherits it, and no namespace hides it. It belongs to a thread, so a separate thread takes
//! a new, empty keyring and starts the child. The thread lives as long as the child, because bubblewrap dies with the
//! thread that started it (`--die-with-parent`, PR_SET_PDEATHSIG in prctl(2)).
//!
//! Its processes ask the kernel for that some milliseconds after their start, and one whose parent is gone by then lives
//! on. So the shell inside does not begin at once: it says that it is there, and waits for the word of that thread
//! ([`START`]). If this process was killed, the shell reads the end of the line, and the sandbox ends with it.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};

use keyutils::Keyring;

/// Waits inside for the word to start. The line to this process is descriptor 4.
pub(super) const START: &str = "echo >&4 && read -r go <&4 || exit 1; exec 4<&-; ";

/// Keeper of the thread that started a child.
pub(super) struct Keeper {
    // The thread ends when this is dropped.
    _until: Sender<()>,
}

/// Starts `command` with a new session keyring. `line` leads to a sandbox that waits for the word to start. The child must
/// be waited for before the keeper is dropped.
pub(super) fn start(mut command: Command, line: Option<UnixStream>) -> std::io::Result<(Child, Keeper)> {
    let (until, ended) = channel::<()>();
    let (tell, told) = channel();
    std::thread::Builder::new().name("sandbox".to_owned()).spawn(move || {
        let started = new_keyring().and_then(|()| command.spawn());
        // From here on only the sandbox holds its ends of pipes.
        drop(command);
        let _ = tell.send(started);
        // Fails if the child ended before, which whoever waits for it sees.
        if let Some(mut line) = line
            && line.read_exact(&mut [0]).is_ok()
        {
            let _ = line.write_all(b"\n");
        }
        let _ = ended.recv();
    })?;
    let started = told.recv().unwrap_or_else(|_| Err(std::io::Error::other("the thread ended")));
    Ok((started?, Keeper { _until: until }))
}

fn new_keyring() -> std::io::Result<()> {
    match Keyring::join_anonymous_session() {
        Ok(_) => Ok(()),
        // The kernel has no keyrings, a container refuses them, or the user's quota of keys is used up. The sandbox
        // cannot ask for keys in any case, see `calls`.
        Err(error) if matches!(error.0, libc::ENOSYS | libc::EPERM | libc::EOPNOTSUPP | libc::EDQUOT) => Ok(()),
        Err(error) => Err(std::io::Error::from_raw_os_error(error.0)),
    }
}
