//! What commands can see and do in a sandbox with the host's root.

use std::os::fd::AsRawFd as _;

use super::*;

/// Runs a shell script; gives how it ended, and the log.
fn run(sandbox: &Sandbox, script: &str) -> (Result<ExitStatus>, String) {
    let mut log = Vec::new();
    let status = sandbox.run(&["sh", "-c", script].map(str::to_owned), &mut log, &mut |_| {});
    (status, String::from_utf8_lossy(&log).into_owned())
}

fn sandbox() -> Sandbox {
    let environment = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
    Sandbox { environment, directory: "/".to_owned(), ..Sandbox::default() }
}

#[test]
fn files_that_the_caller_left_open_are_not_seen() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(secret.path(), "a secret").unwrap();
    rustix::io::fcntl_setfd(secret.as_file(), rustix::io::FdFlags::empty()).unwrap();
    let (status, log) =
        run(&sandbox(), &format!("ls -l /proc/self/fd; cat /proc/self/fd/{}", secret.as_file().as_raw_fd()));
    assert!(!status.unwrap().success(), "{log}");
    assert!(log.contains(" 0 -> "), "{log}");
    assert!(!log.contains("a secret") && !log.contains(secret.path().to_str().unwrap()), "{log}");
}
