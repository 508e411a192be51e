//! `strixlock log --follow`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use crate::support::{FIRST, Project};

/// A staging directory as a build makes it, held by this process instead.
#[test]
fn a_running_build_is_followed_until_it_ends() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let digest = project.run(&["lock", "digest", "llama"]).code(0).stdout;
    let tmp = project.store("main").join("tmp");
    let held = std::fs::File::create(tmp.join("stage-held.lock")).unwrap();
    held.lock().unwrap();
    std::fs::create_dir(tmp.join("stage-held")).unwrap();
    std::fs::write(tmp.join("stage-held/makes"), digest.trim().strip_prefix("sha256:").unwrap()).unwrap();
    let log = tmp.join("stage-held/log");
    let mut writer = std::fs::File::create(&log).unwrap();
    writer.write_all(b"sandbox: bwrap\n$ cat /proc/self/mountinfo\n1 2 / /\n").unwrap();

    let mut command = project.command(&["log", "llama", "--follow"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for written in ["$ cmake -S /build/source\n", "-- Configuring\n", "[1/2] Building\n"] {
        writer.write_all(written.as_bytes()).unwrap();
        line.clear();
        said.read_line(&mut line).unwrap();
        assert_eq!(line, written);
    }
    writer.write_all(b"[2/2] Linking\n").unwrap();
    std::fs::remove_file(log).unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "[2/2] Linking\n");
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success());
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "the build of llama has ended\n");
    project.run(&["log", "llama", "--follow", "--json"]).code(2);
}
