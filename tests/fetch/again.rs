//! Downloads that the store has already, and downloads without an end.

use std::process::Stdio;

use strixlock_demo::http::{Content, Resource};
use strixlock_demo::{Fault, Generation, Nightly};

use super::{TARBALL, VERSION};
use crate::support::{Project, REQUIRES};

/// A project that took the nightly in and has lost its lock, as a second project with the same store.
fn without_lock() -> Project {
    let project = Project::empty();
    project.upstream().publish(Generation::Streams, &Nightly::new(VERSION));
    project.rocm_manifest(VERSION);
    project.run(&["update"]).code(0);
    std::fs::rename(project.path("lock/strix.lock"), project.path("first.lock")).unwrap();
    project.upstream().server().clear_log();
    project
}

fn downloads(project: &Project) -> usize {
    let log = project.upstream().server().log();
    log.into_iter().filter(|request| request.method == "GET" && request.path == TARBALL).count()
}

#[test]
fn what_the_store_holds_is_not_downloaded_again() {
    let project = without_lock();
    project.run(&["update"]).code(0);
    assert_eq!(downloads(&project), 0);
    assert_eq!(project.lock(), project.read("first.lock"));
    // Neither is a file input of this URL, nor a pin by URL.
    let url = project.upstream().server().url(TARBALL);
    let manifest = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &format!("{manifest}[inputs.copy]\ntype = \"file\"\nurl = \"{url}\"\n"));
    project.run(&["update"]).code(0);
    project.run(&["update", "rocm", "--url", &url]).code(0);
    assert_eq!(downloads(&project), 0);
    project.run(&["update", "rocm", "--accept-replaced"]).code(0);
    assert_eq!(downloads(&project), 1, "whoever says that it may be another wants to know");
}

#[test]
fn what_the_server_has_no_more_is_downloaded() {
    for change in ["bytes", "validator", "no validator", "damage", "gc"] {
        let project = without_lock();
        let path = project.upstream().tarball(&Nightly::new(VERSION)).unwrap();
        let mut bytes = std::fs::read(path).unwrap();
        let server = project.upstream().server();
        match change {
            "bytes" => {
                *bytes.get_mut(4).unwrap() ^= 1;
                server.put(TARBALL, Resource::bytes(bytes));
            }
            "validator" => server.put(TARBALL, Resource::bytes(bytes).etag("\"another\"")),
            // The Last-Modified differs from the recorded ETag.
            "no validator" => server.put(TARBALL, Resource::bytes(bytes).etag("W/\"weak\"")),
            "damage" => {
                let held = std::fs::read_dir(project.store("main").join("downloads/sha256")).unwrap();
                let held = held.flatten().next().unwrap().path();
                let mut bytes = std::fs::read(&held).unwrap();
                *bytes.get_mut(50_000).unwrap() ^= 1;
                std::fs::remove_file(&held).unwrap();
                std::fs::write(held, bytes).unwrap();
            }
            _ => {
                project.run(&["gc"]).code(0);
                let origins = project.store("main").join("downloads/origins");
                assert_eq!(std::fs::read_dir(origins).unwrap().count(), 0);
            }
        }
        project.run(&["update"]).code(0);
        assert_eq!(downloads(&project), 1, "{change}");
        assert_eq!(project.lock() == project.read("first.lock"), change != "bytes", "{change}");
    }
}

#[test]
fn of_two_updates_at_once_one_downloads() {
    let project = Project::empty();
    let nightly = Nightly::new(VERSION).payload(3_000_000);
    project.upstream().publish(Generation::Streams, &nightly);
    project.upstream().tarball(&nightly).unwrap();
    project.rocm_manifest(VERSION);
    let server = project.upstream().server();
    server.fault(TARBALL, Fault::Throttle { bytes_per_second: 1_500_000 });
    let start = |lock: &str| {
        let mut command = project.command(&["--lock", lock, "update"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let first = start("lock/one.lock");
    while downloads(&project) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let second = start("lock/two.lock");
    let said = |child: std::process::Child| {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said
    };
    assert!(!said(first).contains("waiting for "));
    let second = said(second);
    assert!(second.contains(", which is held by "), "{second}");
    assert_eq!(downloads(&project), 1);
    assert_eq!(project.read("lock/one.lock"), project.read("lock/two.lock"));
}

/// Returns the bytes that the server sent of the tarball.
fn sent(project: &Project) -> u64 {
    let log = project.upstream().server().log();
    log.iter()
        .filter(|request| request.method == "GET" && request.path == TARBALL)
        .map(|request| request.bytes_sent)
        .sum()
}

#[test]
fn a_download_ends_where_nothing_can_be_made_of_its_bytes() {
    let project = Project::empty();
    project.upstream().publish(Generation::Streams, &Nightly::new(VERSION));
    project.rocm_manifest(VERSION);
    // A gigabyte of zeros, sparse here: not an archive, as its first bytes show.
    let path = project.path("zeros");
    std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    project.upstream().server().put(TARBALL, Resource::new(Content::File(path)));
    for fault in [None, Some(Fault::Chunked)] {
        let server = project.upstream().server();
        if let Some(fault) = fault {
            server.fault(TARBALL, fault);
        }
        server.clear_log();
        let ran = project.run(&["update"]);
        assert!(matches!(ran.code, 3 | 5), "{}", ran.all());
        assert!(!ran.stderr.contains("was stopped"), "the archive is told: {}", ran.all());
        assert!(sent(&project) < 200 << 20, "{} bytes", sent(&project));
    }
}

#[test]
fn a_body_without_an_end_is_given_up() {
    let project = Project::empty();
    let server = project.upstream().server();
    server.put("/data.bin", Resource::bytes(vec![7; 300_000]));
    let url = server.url("/data.bin");
    project.write("manifests/strix.toml", &format!("{REQUIRES}[inputs.data]\ntype = \"file\"\nurl = \"{url}\"\n"));
    project.write("strixlock.toml", "largest-bytes = 100000\nrounds = 1\n");
    for (fault, said) in [(Some(Fault::Chunked), "more, with no end announced"), (None, "300 kB")] {
        server.heal_all();
        if let Some(fault) = fault {
            server.fault("/data.bin", fault);
        }
        let ran = project.run(&["update"]).code(5);
        assert!(ran.stderr.contains("error: data: the file is larger than expected\n"), "{}", ran.all());
        assert!(ran.stderr.contains(said) && ran.stderr.contains("set `largest-bytes`"), "{}", ran.all());
    }
    project.write("strixlock.toml", "largest-bytes = 300000\n");
    server.fault("/data.bin", Fault::Chunked);
    project.run(&["update"]).code(0);
}
