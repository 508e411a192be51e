//! From the lock to the store.

use std::sync::Arc;

use strixlock::parts::{Block, DebsPin, FetchSettings, Fetcher, Intake, Lock, LockedInput, Store, debs};
use strixlock_demo::Fault;
use strixlock_ground::digest::Sha256Digest;
use strixlock_ground::error::{Error, Kind};
use strixlock_ground::progress::Silent;

use super::{manifest, with_archive};
use crate::support::Project;

const HELLO: &str = "/debian/pool/main/hello/hello_2.10-3_amd64.deb";

/// A project with `hello` pinned, and more lines in its manifest.
fn pinned(lines: &str) -> (Project, DebsPin) {
    let (project, archive) = with_archive();
    let server = project.upstream().server();
    archive.serve(server, "/mirror-b").unwrap();
    manifest(&project, &["hello"], &lines.replace("[MIRROR]", &server.url("/mirror-b")));
    project.run(&["update"]).code(0);
    let lock = Lock::parse(&project.lock()).unwrap();
    let LockedInput::Debs(block) = &lock.inputs["sysroot"] else { panic!("no packages") };
    let pin = block.locked.clone();
    (project, pin)
}

fn take_in(project: &Project, store: &str, pin: &DebsPin) -> Result<Vec<String>, Error> {
    let store = Store::open(&project.store(store))?;
    let settings = FetchSettings { pause: std::time::Duration::from_millis(1), ..FetchSettings::default() };
    let fetcher = Fetcher::new(settings, Arc::new(Silent))?;
    let found = debs(Intake { store: &store, fetcher: &fetcher }, "sysroot", pin)?;
    for (package, path) in &found {
        assert_eq!(Sha256Digest::of(&std::fs::read(path).unwrap()), package.sha256, "{}", package.name);
    }
    Ok(found.into_iter().map(|(package, _)| package.name).collect())
}

#[test]
fn packages_come_once_in_the_order_of_the_pin() {
    let (project, pin) = pinned("");
    let server = project.upstream().server();
    server.clear_log();
    server.fault(HELLO, Fault::DisconnectOnce { after: 100 });
    let names = ["gcc-12-base", "hello", "libc6", "libgcc-s1"];
    assert_eq!(take_in(&project, "main", &pin).unwrap(), names);
    let asked = server.log().len();
    assert_eq!(asked, 5, "one of them broke off and went on");
    assert_eq!(take_in(&project, "main", &pin).unwrap(), names);
    assert_eq!(server.log().len(), asked);
    // The packages alone, without any index, are enough for another store.
    server.fault("/debian/dists/*", Fault::status(404, usize::MAX));
    assert_eq!(take_in(&project, "other", &pin).unwrap(), names);
}

#[test]
fn a_tampered_package_is_refused_and_leaves_nothing() {
    let (project, pin) = pinned("");
    project.upstream().server().fault(HELLO, Fault::FlipByteAt(200));
    let error = take_in(&project, "other", &pin).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    let text = error.to_string();
    assert!(text.starts_with("sysroot: the download is not the file that the archive's lists name"), "{text}");
    assert!(text.contains("hello 2.10-3 amd64"), "{text}");
    assert!(text.contains("hint: ") && !text.contains("--accept-replaced"), "it would do nothing: {text}");
    let hello = pin.packages.iter().find(|package| package.name == "hello").unwrap();
    let name = format!("downloads/sha256/{}", hello.sha256.hex());
    assert!(!project.published("other").contains(&name));
}

#[test]
fn a_package_that_is_gone_comes_from_the_next_url_or_is_named() {
    let (project, pin) = pinned("archives = [\"[MIRROR]\"]");
    let server = project.upstream().server();
    server.fault(HELLO, Fault::status(404, usize::MAX));
    take_in(&project, "main", &pin).unwrap();
    server.fault("/mirror-b/pool/main/hello/*", Fault::status(404, usize::MAX));
    let error = take_in(&project, "other", &pin).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    let hello = &pin.packages[1];
    let text = error.to_string().replace(project.base(), "[UPSTREAM]/");
    let text = text.replace(&format!("{}  {} bytes", hello.sha256, hello.size), "[DIGEST AND SIZE]");
    insta::assert_snapshot!(text, @r"
    sysroot: a pinned package is no longer in the archive
      package  hello 2.10-3 amd64
      url      [UPSTREAM]/debian/pool/main/hello/hello_2.10-3_amd64.deb
      url      [UPSTREAM]/mirror-b/pool/main/hello/hello_2.10-3_amd64.deb
      locked   [DIGEST AND SIZE]
    hint: archives keep only their newest versions: name a snapshot service's URL with its date as `archive` or under `archives`, or update this input
    ");
}

#[test]
fn a_package_damaged_in_the_store_is_fetched_again() {
    let (project, pin) = pinned("");
    take_in(&project, "main", &pin).unwrap();
    let place = project.store("main").join("downloads/sha256").join(pin.packages[1].sha256.hex());
    let mut turned = std::fs::read(&place).unwrap();
    turned[100] ^= 1;
    for damage in [&b"cut short"[..], &turned] {
        std::fs::remove_file(&place).unwrap();
        std::fs::write(&place, damage).unwrap();
        take_in(&project, "main", &pin).unwrap();
    }
}

#[test]
fn status_knows_what_is_here_and_gc_keeps_what_the_lock_needs() {
    let (project, pin) = pinned("");
    let ran = project.run(&["status"]).code(0);
    assert!(ran.stdout.contains("missing"), "{}", ran.all());
    take_in(&project, "main", &pin).unwrap();
    let ran = project.run(&["status"]).code(0);
    assert!(ran.stdout.contains("present") && !ran.stdout.contains("missing"), "{}", ran.all());
    // The package list goes, the packages stay.
    assert_eq!(project.published("main").len(), 5);
    project.run(&["gc"]).code(0);
    assert_eq!(project.published("main").len(), 4);
    std::fs::remove_file(project.path("lock/strix.lock")).unwrap();
    project.run(&["gc"]).code(0);
    assert!(project.published("main").is_empty());
}

#[test]
fn a_lock_from_elsewhere_is_held_to_the_same_rules() {
    let (project, pin) = pinned("");
    let parse = |pin: DebsPin| {
        let lock = Lock::parse(&project.lock()).unwrap();
        let LockedInput::Debs(block) = &lock.inputs["sysroot"] else { panic!("no packages") };
        let input = LockedInput::from(Block::new(block.requested.clone(), pin).unwrap());
        let lock = Lock { inputs: [("sysroot".to_owned(), input)].into(), ..lock };
        Lock::parse(&lock.to_text().unwrap()).map(drop).map_err(|error| error.message().to_owned())
    };
    parse(pin.clone()).unwrap();
    for change in [
        (|pin| pin.packages[0].path = "../../etc/passwd".to_owned()) as fn(&mut DebsPin),
        |pin| pin.packages[0].name = "../x".to_owned(),
        |pin| pin.packages[0].release = "gone".to_owned(),
        |pin| pin.packages.swap(0, 1),
        |pin| pin.packages[1] = pin.packages[0].clone(),
        |pin| {
            let release = pin.releases.values_mut().next().unwrap();
            release.archives = vec!["ftp://a.example/".parse().unwrap()];
        },
        // Without a signature only where the manifest said so.
        |pin| pin.releases.values_mut().next().unwrap().signed_by = None,
        |pin| pin.releases.values_mut().next().unwrap().inrelease = None,
        |pin| {
            let release = pin.releases.values_mut().next().unwrap();
            (release.release, release.inrelease) = (release.inrelease, None);
        },
        |pin| {
            let release = pin.releases.values_mut().next().unwrap();
            release.signature = release.inrelease;
        },
    ] {
        let mut changed = pin.clone();
        change(&mut changed);
        let message = parse(changed).unwrap_err();
        assert!(message.starts_with("invalid block of input `sysroot`: "), "{message}");
    }
}
