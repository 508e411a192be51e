//! Locks held by another process: the process is reported, and no command waits for ever.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};

use crate::support::Project;

/// A process that holds a lock until it is dropped.
struct Holder(Child);

impl Holder {
    /// `kind` is `-x` or `-s`. Returns when the lock is held.
    fn new(kind: &str, file: &std::path::Path) -> Self {
        let mut command = if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            // Everybody who can read the store can do this.
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "flock"]);
            command
        } else {
            Command::new("flock")
        };
        command.arg(kind).arg(file).args(["sh", "-c", "echo held; exec cat"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // `cat` ends with its input.
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

fn project() -> Project {
    let project = Project::new();
    project.rocm_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(project.directory.path(), open).unwrap();
    project
}

#[test]
fn a_store_that_another_process_holds_is_given_up_after_a_while_and_the_process_is_named() {
    let project = project();
    project.write("strixlock.toml", "busy-seconds = 2\n");
    let holder = Holder::new("-x", &project.store("main").join("lock"));
    for command in [["generations"].as_slice(), &["realize"], &["gc"], &["store", "pack"]] {
        let ran = project.run(command).code(11);
        let named = format!("pid {} (", holder.0.id());
        assert!(ran.stderr.contains("waiting for [DIR]/stores/main/lock, which is held by pid"), "{}", ran.all());
        assert_eq!(ran.stderr.matches(&named).count(), 2, "{}", ran.all());
        assert!(ran.stderr.contains("flock -x") && ran.stderr.contains("busy-seconds"), "{}", ran.all());
    }
    let ran = project.run(&["--json", "--quiet", "generations"]).code(11);
    assert!(!ran.stderr.contains("waiting for"), "{}", ran.all());
    assert_eq!((&ran.json()["error"]["kind"], &ran.json()["error"]["exit_code"]), (&"busy".into(), &11.into()));
    drop(holder);
    project.run(&["realize"]).code(0);
}

/// Readers share the lock. Only commands that need it exclusively wait.
#[test]
fn a_reader_keeps_only_the_collector_waiting() {
    let project = project();
    project.write("strixlock.toml", "busy-seconds = 0\n");
    let holder = Holder::new("-s", &project.store("main").join("lock"));
    project.run(&["realize"]).code(0);
    let ran = project.run(&["gc"]).code(11);
    assert!(ran.stderr.contains("flock -s"), "{}", ran.all());
    drop(holder);
    project.run(&["gc"]).code(0);
}

/// Other users cannot open the locks of downloads and staging directories.
#[test]
fn others_can_open_no_lock_but_the_store_s() {
    let project = project();
    project.run(&["realize"]).code(0);
    let open = Command::new("find")
        .arg(project.store("main"))
        .args([
            "(",
            "-name",
            "*.held",
            "-o",
            "-name",
            "*.lock",
            ")",
            "-perm",
            "/077",
            "!",
            "-path",
            "*/generations/*/*",
        ])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(open.stdout).unwrap(), "");
}

/// Uses strace to inject the kernel's answers on a file system without locks, and on one without hard links.
#[test]
fn file_systems_that_lack_something_are_named() {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "strace is not installed");
        return;
    }
    let project = project();
    project.run_in_store("other", &["generations"]).code(0);
    for (fault, store, message, hint) in [
        ("flock:error=ENOLCK", "other", "the file system does not support file locks", "stores/other/lock"),
        ("flock:error=EOPNOTSUPP", "other", "the file system does not support file locks", "--store"),
        ("linkat:error=EPERM", "new", "the file system of the store has no hard links", "path  [DIR]/stores/new"),
        ("linkat:error=EOPNOTSUPP", "newer", "the file system of the store has no hard links", "--store"),
    ] {
        let inner = project.command(&["realize"]);
        let mut outer = Command::new("strace");
        outer.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={fault}")]);
        outer.arg(inner.get_program()).arg("realize").current_dir(project.path("")).env_clear();
        outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        outer.env("STRIXLOCK_STORE", project.store(store));
        let ran = project.finish(outer.output().unwrap()).code(1);
        assert!(ran.stderr.contains(message) && ran.stderr.contains(hint), "{fault}: {}", ran.all());
        assert!(ran.stderr.contains("hint: put the store on a file system"), "{fault}: {}", ran.all());
    }
    project.run_in_store("other", &["realize"]).code(0);
}
