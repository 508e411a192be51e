//! Tests of the view and limits of commands in a sandbox with the host's root.

use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use super::*;

/// Runs a shell script. Returns the exit status and the log.
fn run(sandbox: &Sandbox, script: &str) -> (Result<ExitStatus>, String) {
    let mut log = Vec::new();
    let status = sandbox.run(&["sh", "-c", script].map(str::to_owned), &mut log, &mut |_| {});
    (status, String::from_utf8_lossy(&log).into_owned())
}

fn sandbox() -> Sandbox {
    let environment = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
    let limits = Limits { silence: Duration::from_secs(3), log: 100_000 };
    Sandbox { environment, limits, directory: "/".to_owned(), scratch: std::env::temp_dir(), ..Sandbox::default() }
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

/// The other end of the line is closed, as where strixlock was killed before bubblewrap was bound to it.
#[test]
fn a_command_does_not_begin_once_the_process_that_started_its_sandbox_is_gone() {
    let sandbox = sandbox();
    let names = NameService::start(&sandbox.scratch).unwrap();
    let mut command = sandbox.command(&["echo", "begun"].map(str::to_owned), &names, false).unwrap();
    let (line, inside) = UnixStream::pair().unwrap();
    drop(line);
    let output = command.stdin(OwnedFd::from(inside)).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    names.stop();
}

/// Returns the message for a command that was stopped. Fails if that took long.
fn stopped(script: &str) -> String {
    let since = Instant::now();
    let (status, log) = run(&sandbox(), script);
    assert!(since.elapsed() < Duration::from_secs(40), "{log}");
    let error = status.unwrap_err();
    assert!(log.ends_with(&format!("{}\n", error.message())), "{log}");
    error.message().to_owned()
}

#[test]
fn a_build_that_says_nothing_is_stopped() {
    assert_eq!(stopped("echo begun; sleep 600"), "the build printed nothing for 3 seconds and was stopped");
    // Catching signals does not help the build, nor does a line without an end.
    assert_eq!(
        stopped("trap '' TERM INT HUP; printf begun; while :; do sleep 600; done"),
        "the build printed nothing for 3 seconds and was stopped"
    );
    let (status, _) = run(&sandbox(), "for i in 1 2 3; do sleep 1; echo $i; done");
    assert!(status.unwrap().success());
}

#[test]
fn a_build_that_talks_without_end_is_stopped() {
    assert_eq!(stopped("yes"), "the build printed more than 100 kB and was stopped");
}

#[test]
fn a_process_that_is_left_behind_holds_nobody_up() {
    let since = Instant::now();
    // The process dies with the sandbox, or is killed and reported. Either way this ends.
    let _ = run(&sandbox(), "(trap '' HUP; while :; do echo here; sleep 1; done) & exit 0");
    assert!(since.elapsed() < Duration::from_secs(40));
}

#[test]
fn the_caller_s_umask_and_limits_stay_outside() {
    let (_, log) = run(&sandbox(), "umask; ulimit -c");
    assert!(log.ends_with("\n0022\n0\n"), "{log}");
}

/// Uses the numbers of system calls on x86-64, by which perl makes calls.
#[cfg(target_arch = "x86_64")]
#[test]
fn keys_of_the_caller_stay_outside() {
    use keyutils::Keyring;
    use keyutils::keytypes::User;
    // A session keyring belongs to a thread: other tests have theirs. A kernel without keyrings has nothing to hide.
    let Ok(mut session) = Keyring::join_anonymous_session() else { return };
    let key = session.add_key::<User, _, _>("strixlock-test-secret", b"a secret".as_slice()).unwrap();
    let (_, log) =
        run(&sandbox(), "cat /proc/keys; perl -e 'print \"keyctl \", syscall(250, 0, -3, 0), \" \", $!+0, \"\\n\"'");
    assert!(!log.contains("strixlock-test-secret"), "{log}");
    assert!(log.contains("keyctl -1 38\n"), "keyctl is not refused: {log}");
    // The caller still has it.
    assert_eq!(key.read().unwrap(), b"a secret");
}

/// Creates a socket of each family by number. Allowed families work, others do not exist.
#[test]
fn sockets_that_no_namespace_holds_cannot_be_made() {
    let script = "for f in 1 2 10 16 38 40 17; do perl -MSocket -e 'print \"$ARGV[0] \", \
                  (socket(my $s, $ARGV[0], SOCK_DGRAM, 0) ? \"made\" : $!+0), \"\\n\"' $f; done";
    let (_, log) = run(&sandbox(), script);
    for line in ["1 made", "38 38", "40 38", "17 38"] {
        assert!(log.lines().any(|said| said == line), "{line}: {log}");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn namespaces_cannot_be_made_inside_and_threads_can() {
    // unshare(CLONE_NEWUSER), clone(CLONE_NEWUSER|SIGCHLD), a call of the x32 interface, and one that does not
    // exist yet.
    let script = "perl -e 'for ([272, 0x10000000], [56, 0x10000011], [0x40000000 + 39], [460 + 90]) { \
                  print \"$$_[0] \", syscall($$_[0], $$_[1] // 0, 0, 0, 0, 0), \" \", $!+0, \"\\n\" }'; \
                  (sleep 0 & wait); echo forked";
    let (status, log) = run(&sandbox(), script);
    for line in ["272 -1 38", "56 -1 38", "1073741863 -1 38", "550 -1 38", "forked"] {
        assert!(log.lines().any(|said| said == line), "{line}: {log}");
    }
    assert!(status.unwrap().success(), "{log}");
}
