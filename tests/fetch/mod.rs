//! Downloads from servers that fail, lie and stop.

mod again;
mod gone;

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use strixlock_demo::{Fault, Generation, Nightly};

use crate::support::Project;

const VERSION: &str = "10.1.0a20260901";
const TARBALL: &str = "/rocm/core/tarball/therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz";

/// A project with a lock and an empty store.
fn locked() -> Project {
    let project = Project::new();
    project.rocm_manifest(VERSION);
    project.write("strixlock.toml", "rounds = 2\nwindow-seconds = 2\n");
    project.run_in_store("first", &["update"]).code(0);
    project
}

#[test]
fn a_flipped_byte_is_refused_with_the_whole_story() {
    let project = locked();
    let lock = project.lock();
    project.upstream().server().fault(TARBALL, Fault::FlipByteAt(50_000));
    let ran = project.run(&["realize"]);
    let digests = regex(&ran.all());
    insta::assert_snapshot!(digests, @r"
    exit code 5
    --- stderr
    do       size  what    name  version
    fetch  SIZE kB  input   rocm  10.1.0a20260901
    build          output  rocm  10.1.0a20260901
    error: rocm: the download does not match strix.lock
      url       [UPSTREAM]/rocm/core/tarball/therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz
      locked    sha256:DIGEST  SIZE bytes
      received  sha256:DIGEST  SIZE bytes
    hint: upstream replaced this file. Use a mirror that has the locked one, or run `strixlock update rocm --accept-replaced` to take the new one.
    ");
    assert_eq!(project.lock(), lock);
    assert!(project.published("main").is_empty(), "{:?}", project.published("main"));
    project.upstream().server().heal_all();
    project.run(&["realize"]).code(0);
}

/// Digests and sizes depend on the machine's compiler.
fn regex(text: &str) -> String {
    let mut out = Vec::new();
    for line in text.lines() {
        let words = line.split(' ').map(|word| {
            if let Some(hex) = word.strip_prefix("sha256:") {
                assert_eq!(hex.len(), 64);
                "sha256:DIGEST"
            } else if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
                "SIZE"
            } else {
                word
            }
        });
        let line = words.collect::<Vec<_>>().join(" ");
        // The width of the first column depends on the size in it.
        out.push(if line.starts_with("make ") {
            "build         output  rocm  10.1.0a20260901".to_owned()
        } else {
            line.replace("exit code SIZE", "exit code 5")
        });
    }
    out.join("\n")
}

#[test]
fn a_body_that_always_breaks_off_is_told_and_nothing_is_published() {
    let project = locked();
    project.upstream().server().fault(TARBALL, Fault::TruncateAfter(1000));
    let ran = project.run(&["realize"]).code(5);
    assert!(ran.stderr.contains("error: rocm: the download broke off\n"), "{}", ran.all());
    assert!(ran.stderr.contains("promised  "), "{}", ran.all());
    assert!(project.published("main").is_empty());
}

#[test]
fn a_changed_file_under_a_locked_name_is_refused() {
    let project = locked();
    let other = Nightly { payload: 99_000, ..Nightly::new(VERSION).variation(7) };
    project.upstream().publish(Generation::Streams, &other);
    let ran = project.run(&["realize"]).code(5);
    assert!(ran.stderr.contains("error: rocm: the download does not match strix.lock\n"), "{}", ran.all());
    assert!(project.published("main").is_empty());
}

#[test]
fn passing_faults_are_survived() {
    for fault in [
        Fault::DisconnectOnce { after: 40_000 },
        Fault::status(503, 1),
        Fault::Status { code: 429, headers: vec![("Retry-After".into(), "1".into())], times: 1 },
        Fault::IgnoreRange,
        Fault::NoContentLength,
        Fault::Chunked,
    ] {
        let project = locked();
        project.upstream().server().fault(TARBALL, fault.clone());
        let ran = project.run(&["realize"]);
        assert_eq!(ran.code, 0, "{fault:?}: {}", ran.all());
    }
}

#[test]
fn lies_about_framing_are_refused() {
    for (fault, message) in [
        (Fault::LieLength(10), "does not match strix.lock"),
        (Fault::LieLength(10_000_000), "does not match strix.lock"),
        (Fault::Wrong206, "answered 206"),
        (Fault::Drip { bytes: 1, every: Duration::from_millis(50) }, "stopped sending"),
    ] {
        let project = locked();
        project.upstream().server().fault(TARBALL, fault.clone());
        let ran = project.run(&["realize"]);
        assert!(matches!(ran.code, 5 | 8), "{fault:?}: {}", ran.all());
        assert!(ran.stderr.contains(message), "{fault:?}: {}", ran.all());
        assert!(project.published("main").is_empty());
    }
}

#[test]
fn without_a_pin_the_length_must_be_known() {
    let project = Project::new();
    project.rocm_manifest(VERSION);
    project.upstream().server().fault(TARBALL, Fault::NoContentLength);
    let ran = project.run(&["update"]).code(5);
    assert!(ran.stderr.contains("does not say how long the file is"), "{}", ran.all());
}

#[test]
fn a_resumed_download_of_another_file_begins_again() {
    let project = Project::new();
    project.rocm_manifest(VERSION);
    project.write("strixlock.toml", "rounds = 1\n");
    let server = project.upstream().server();
    server.fault(TARBALL, Fault::TruncateAfter(60_000));
    project.run(&["update"]).code(5);
    server.heal_all();
    let other = Nightly::new(VERSION).variation(3);
    project.upstream().publish(Generation::Streams, &other);
    project.run(&["update"]).code(0);
    let expected = strixlock_formats::tree::scan::hash_file(&project.upstream().tarball(&other).unwrap()).unwrap().0;
    assert!(project.lock().contains(&expected.to_string()));
}

#[test]
fn redirects_credentials_and_plain_http() {
    let project = locked();
    let server = project.upstream().server();
    server.fault(TARBALL, Fault::BasicAuth { user: "me".into(), password: "secret".into() });
    let ran = project.run(&["realize"]).code(8);
    assert!(ran.stderr.contains("401"), "{}", ran.all());
    std::fs::create_dir_all(project.directory.path().join("home")).unwrap();
    std::fs::write(project.directory.path().join("home/.netrc"), "machine 127.0.0.1 login me password secret\n")
        .unwrap();
    let ran = project.run(&["realize"]).code(0);
    assert!(!ran.all().contains("secret"));

    server.heal_all();
    server.fault(TARBALL, Fault::Redirect("http://plain.example/x.tar.gz".into()));
    let ran = project.run_in_store("other", &["realize"]).code(8);
    assert!(ran.stderr.contains("plain http is only used with loopback hosts"), "{}", ran.all());
}

#[test]
fn a_killed_update_resumes_where_it_was() {
    let project = Project::empty();
    let nightly = Nightly::new(VERSION).payload(100_000_000);
    project.upstream().publish(Generation::Streams, &nightly);
    project.rocm_manifest(VERSION);
    let server = project.upstream().server();
    // Made before the clock starts.
    let size = std::fs::metadata(project.upstream().tarball(&nightly).unwrap()).unwrap().len();
    assert!(size > 100_000_000);
    server.fault(TARBALL, Fault::Throttle { bytes_per_second: 60_000_000 });
    let mut child = project.command(&["update"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let part = || {
        let entries = std::fs::read_dir(project.store("main").join("tmp/partial")).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.path().extension().is_some_and(|end| end == "part"))
            .filter_map(|entry| entry.metadata().ok())
            .map(|data| data.len())
            .max()
    };
    let begun = Instant::now();
    while part().unwrap_or(0) < 40_000_000 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no progress");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!project.path("lock/strix.lock").exists());
    let had = part().unwrap();
    server.heal_all();
    server.clear_log();
    project.run(&["update"]).code(0);
    let ranges: Vec<_> =
        server.log().into_iter().filter(|request| request.method == "GET" && request.path == TARBALL).collect();
    assert_eq!(ranges.len(), 1, "{ranges:?}");
    assert_eq!(ranges[0].range.as_deref(), Some(&*format!("bytes={had}-")));
    assert_eq!(ranges[0].bytes_sent, size - had);
    let resumed = project.lock();
    assert!(std::fs::read_dir(project.store("main").join("tmp")).unwrap().count() == 1, "only tmp/partial is left");
    std::fs::remove_file(project.path("lock/strix.lock")).unwrap();
    project.run_in_store("whole", &["update"]).code(0);
    assert_eq!(project.lock(), resumed);
}

#[test]
fn memory_is_bounded_whatever_the_size() {
    let project = Project::empty();
    let nightly = Nightly::new(VERSION).payload(500_000_000);
    project.upstream().publish(Generation::Streams, &nightly);
    project.rocm_manifest(VERSION);
    project.upstream().tarball(&nightly).unwrap();
    let peak = |store: &str, arguments: &[&str]| {
        let mut command = project.command(arguments);
        let mut child = command
            .env("STRIXLOCK_STORE", project.store(store))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0;
        // The high-water mark only grows, so the last value seen before the end counts.
        while child.try_wait().unwrap().is_none() {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with("VmHWM:"));
            peak = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(peak).max(peak);
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{said}");
        peak / 1024
    };
    let update = peak("one", &["update"]);
    let realize = peak("two", &["realize"]);
    println!("peak memory with a 500 MB tarball: update {update} MiB, realize {realize} MiB");
    assert!(update < 150 && realize < 150, "update {update} MiB, realize {realize} MiB");
}

#[test]
fn a_server_that_never_gets_further_is_not_asked_for_ever() {
    let project = Project::empty();
    let nightly = Nightly::new(VERSION).payload(8_000_000);
    project.upstream().publish(Generation::Streams, &nightly);
    project.rocm_manifest(VERSION);
    project.write("strixlock.toml", "rounds = 2\n");
    let server = project.upstream().server();
    server.fault(TARBALL, Fault::TruncateAfter(5_000_000));
    server.fault(TARBALL, Fault::IgnoreRange);
    project.run(&["update"]).code(5);
    let asked = server.log().into_iter().filter(|request| request.method == "GET" && request.path == TARBALL).count();
    assert!(asked < 10, "{asked} requests");
}

#[test]
fn a_page_in_place_of_the_file_does_not_cost_what_is_here() {
    let project = locked();
    let server = project.upstream().server();
    server.fault(TARBALL, Fault::TruncateAfter(100_000));
    project.run(&["realize"]).code(5);
    server.heal_all();
    let nightly = Nightly::new(VERSION);
    server.put(TARBALL, strixlock_demo::http::Resource::html("<html>please log in</html>"));
    project.run(&["realize"]).code(5);
    project.upstream().publish(Generation::Streams, &nightly);
    server.clear_log();
    project.run(&["realize"]).code(0);
    let first = server.log().into_iter().find(|request| request.path == TARBALL).unwrap();
    assert!(first.range.is_some(), "{first:?}");
}

#[test]
fn a_disk_that_fills_up_ends_the_run_and_the_next_one_finishes() {
    let project = Project::empty();
    let nightly = Nightly::new(VERSION).payload(30_000_000);
    project.upstream().publish(Generation::Streams, &nightly);
    project.rocm_manifest(VERSION);
    project.upstream().tarball(&nightly).unwrap();
    // A small file system of its own, in a namespace that ends with the command.
    let script = "mkdir -p \"$STORE\" && mount -t tmpfs -o size=40m,mode=755 none \"$STORE\" && \
        STRIXLOCK_STORE=$STORE \"$0\" update; code=$?; \
        mount -o remount,size=400m \"$STORE\"; STRIXLOCK_STORE=$STORE \"$0\" update || exit 99; exit $code";
    let plain = project.command(&[]);
    let mut command = std::process::Command::new("timeout");
    command
        .args(["120", "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(plain.get_program());
    command
        .env_clear()
        .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(project.path(""));
    command.env("STORE", project.directory.path().join("small"));
    let ran = project.finish(command.output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.stderr.contains("No space left on device"), "{}", ran.all());
    assert!(project.path("lock/strix.lock").exists());
}

#[test]
fn a_machine_without_certificates_is_told_what_to_install() {
    let project = Project::new();
    project.rocm_manifest("latest").write("none.pem", "");
    let ran = project.command(&["update"]).env("SSL_CERT_FILE", project.path("none.pem")).output().unwrap();
    let ran = project.finish(ran).code(10);
    assert!(ran.stderr.contains("no certificates of authorities"), "{}", ran.all());
    assert!(ran.stderr.contains("hint: install the package `ca-certificates`"), "{}", ran.all());
}
