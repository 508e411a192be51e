//! Input kind `debs`: from archive to lock, from lock to store.

mod fetch;
mod host;
mod odd;
mod own_keys;
mod refused;
mod release;

use strixlock_demo::deb_maker::Deb;
use strixlock_demo::debs::{DebArchive, Package};

use crate::audit::{blocks, run_by_bash};
use crate::support::{Project, REQUIRES};

pub const FINGERPRINTS: usize = 40;

pub fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

/// A project beside an archive that was made an hour ago.
pub fn with_archive() -> (Project, DebArchive) {
    let project = Project::empty();
    let archive = DebArchive::new(now() - 3600);
    project.upstream().publish_debs(&archive).unwrap();
    std::fs::write(project.path("manifests/demo.gpg"), archive.key.keyring().unwrap()).unwrap();
    (project, archive)
}

/// A manifest for these packages, with more lines.
pub fn manifest(project: &Project, packages: &[&str], lines: &str) {
    let archive = format!("{}debian", project.base());
    let lines =
        if lines.contains("archive = ") { lines.to_owned() } else { format!("archive = \"{archive}\"\n{lines}") };
    let lines = if lines.contains("key") { lines } else { format!("{lines}\nkeyring = \"demo.gpg\"") };
    project.write(
        "manifests/strix.toml",
        &format!("{REQUIRES}[inputs.sysroot]\ntype = \"debs\"\nsuite = \"demo\"\npackages = {packages:?}\n{lines}\n"),
    );
}

#[test]
fn an_update_pins_the_closure_and_the_next_one_changes_nothing() {
    let (project, archive) = with_archive();
    manifest(&project, &["gcc", "script"], "");
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stdout.starts_with("sysroot demo ") && ran.stdout.contains(", 8 packages\n"), "{}", ran.all());
    assert!(ran.stdout.contains(&format!("signed by {}", archive.key.fingerprint().unwrap())), "{}", ran.all());
    let lock = project.lock();
    assert!(!lock.contains(project.directory.path().to_str().unwrap()));
    let value: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let packages = value["inputs"]["sysroot"]["locked"]["packages"].as_array().unwrap();
    let names: Vec<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["binutils", "cpp", "gcc", "gcc-12-base", "libc6", "libgcc-s1", "mawk", "script"]);
    assert_eq!(packages[2]["version"], "4:12.2.0-3");
    assert_eq!(packages[2]["path"], "pool/main/gcc/gcc_12.2.0-3_amd64.deb");
    for arguments in [&["update"][..], &["update", "--locked"], &["--offline", "update"], &["outdated"]] {
        project.run(arguments).code(0);
        assert_eq!(project.lock(), lock, "{arguments:?}");
    }
}

#[test]
fn a_release_file_that_is_only_newer_is_no_news() {
    let (project, mut archive) = with_archive();
    manifest(&project, &["hello"], "");
    project.run(&["update"]).code(0);
    let lock = project.lock();
    archive.date += 1800;
    archive.serve(project.upstream().server(), "/debian").unwrap();
    assert_eq!(project.run(&["update"]).code(0).stdout, "lock/strix.lock is up to date\n");
    assert_eq!(project.lock(), lock);
    archive.date -= 7200;
    archive.serve(project.upstream().server(), "/debian").unwrap();
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stderr.contains("warning: sysroot: the archive went back in time"), "{}", ran.all());
}

#[test]
fn lists_are_read_however_they_are_packed() {
    let (project, mut archive) = with_archive();
    manifest(&project, &["hello"], "");
    project.run(&["update"]).code(0);
    let packages = |lock: &str| {
        let lock: serde_json::Value = serde_json::from_str(lock).unwrap();
        lock["inputs"]["sysroot"]["locked"]["packages"].clone()
    };
    let expected = packages(&project.lock());
    for (endings, by_hash) in [
        (vec![""], true),
        (vec![".gz"], false),
        (vec!["", ".xz"], false),
        (vec![".zst"], true),
        (vec![".bz2", ""], false),
    ] {
        (archive.endings, archive.by_hash) = (endings, by_hash);
        project.upstream().publish_debs(&archive).unwrap();
        std::fs::remove_file(project.path("lock/strix.lock")).unwrap();
        project.run(&["update"]).code(0);
        assert_eq!(packages(&project.lock()), expected, "{:?}", archive.endings);
    }
}

#[test]
fn what_changed_is_told_before_and_after() {
    let (project, mut archive) = with_archive();
    manifest(&project, &["hello"], "");
    project.run(&["update"]).code(0);
    archive.packages.retain(|package| package.name != "hello");
    archive.packages.push(Package::new("hello", "2.11-1", &["Depends: nano"]));
    archive.date += 60;
    archive.serve(project.upstream().server(), "/debian").unwrap();
    for arguments in [["outdated"], ["update"]] {
        let ran = project.run(&arguments).code(0);
        for change in ["  ~ hello 2.10-3 -> 2.11-1\n", "  + nano 7.2-1\n", "  - libc6 2.36-9+deb12u14\n"] {
            assert!(ran.stdout.contains(change), "{change}: {}", ran.all());
        }
    }
    let json = project.run(&["outdated", "--json"]).code(0).json();
    assert_eq!(json["inputs"][0]["wanted"], serde_json::Value::Null);
}

#[test]
fn manifests_are_checked_in_place() {
    let (project, _archive) = with_archive();
    for (packages, lines, message) in [
        (&["hello"][..], "keyring = \"/usr/share/keyrings/x.gpg\"", "a keyring is named relative to the manifest"),
        (&["hello"], "keys = [\"1234\"]", "this is not a fingerprint"),
        (&["Hello World"], "", "this is not the name of a package"),
        (&[], "", "a set of packages needs at least one"),
        (&["hello"], "components = [\"../main\"]", "this cannot be part of an archive's address"),
        (&["hello"], "archive = \"host\"\narchives = [\"https://a.example/\"]", "`host` has no mirrors"),
        (&["hello"], "archive = \"https://me:pw@a.example/\"", "a URL must not contain a user or password"),
        (&["hello"], "archive = \"ftp://a.example/\"", "`ftp:` URLs cannot be fetched"),
        (&["hello"], "arch = \"amd64\"", "unknown field `arch`"),
        (&["hello"], "suites = [\"./\"]", "flat archives, whose suite is a directory, are not supported"),
        (&["hello"], "suites = [\"/\"]", "flat archives, whose suite is a directory, are not supported"),
        (&["hello"], "unsigned = true\nkeyring = \"demo.gpg\"", "`unsigned` and `keyring` contradict each other"),
    ] {
        manifest(&project, packages, lines);
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains(message), "{message}: {}", ran.all());
    }
    project.write(
        "manifests/strix.toml",
        "[inputs.a]\ntype = \"debs\"\narchive = \"https://a.example/\"\npackages = [\"a1\"]\n",
    );
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("the field `suite` is missing"), "{}", ran.all());
}

/// The page's own commands, run as they stand by a shell, lead from the signature of the Release file over its lists to each
/// package.
#[test]
fn a_stranger_can_check_packages_and_signature() {
    let (project, archive) = with_archive();
    manifest(&project, &["hello", "tool"], "");
    project.run(&["update"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    let key = archive.key.fingerprint().unwrap();
    assert_eq!(key.len(), FINGERPRINTS);
    let script = format!("set -e\n{}", blocks(&page)[1..].join("\n"));
    let said = run_by_bash(&script, &project.path(""));
    assert!(page.contains(&format!(" signed by {key} |")), "{page}");
    assert_eq!(page.matches("hello_2.10-3_amd64.deb").count(), 1, "the packages stand on the page once: {page}");
    assert_eq!(said.matches("good http").count(), 6, "{said}");
    assert!(said.contains("good main/binary-amd64/Packages"), "{said}");
    assert!(said.contains("Good signature") && said.contains(&key), "{said}");
    assert!(!said.contains("BAD") && !said.contains("NOT PROMISED"), "{said}");
    // A package that no signed list has is found, and so is a file that another key signed.
    let forms = ["gzip -dc list", "xz -dc list", "cat list"];
    let emptied = forms.iter().fold(script.clone(), |script, form| script.replace(form, "true"));
    assert_eq!(run_by_bash(&emptied, &project.path("")).matches("NOT PROMISED").count(), 6);
    let stranger = strixlock_demo::debs::Key::new(9).keyring().unwrap();
    std::fs::write(project.path("manifests/demo.gpg"), stranger).unwrap();
    let failed =
        std::process::Command::new("bash").args(["-c", &script]).current_dir(project.path("")).output().unwrap();
    assert!(!failed.status.success(), "{}", String::from_utf8_lossy(&failed.stdout));
}

/// The page puts fingerprint and architecture into commands, and a lock may come from elsewhere.
#[test]
fn no_words_of_a_strange_lock_come_into_commands() {
    let (project, _) = with_archive();
    manifest(&project, &["hello"], "");
    project.run(&["update"]).code(0);
    let good: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    for pointer in ["/locked/releases/demo/signed_by", "/requested/architecture"] {
        let mut lock = good.clone();
        *lock["inputs"]["sysroot"].pointer_mut(pointer).unwrap() = "$(touch pwned)".into();
        crate::lock::seal(&mut lock["inputs"]["sysroot"]);
        project.write("lock/strix.lock", &format!("{}\n", serde_json::to_string_pretty(&lock).unwrap()));
        let ran = project.run(&["audit"]).code(3);
        assert!(ran.stderr.contains("invalid block of "), "{pointer}: {}", ran.all());
    }
}

#[test]
fn a_package_that_moved_is_told_with_its_changelog() {
    let (project, mut archive) = with_archive();
    let serve = |archive: &mut DebArchive, versions: &[&str]| {
        let entry = |version: &&str| {
            format!(
                "libx ({version}) demo; urgency=low\n\n  * Fix number {version}.\n\n -- A <a@b>  Mon, 02 Nov 2026 10:00:00 +0000\n\n"
            )
        };
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, versions.iter().map(entry).collect::<String>().as_bytes()).unwrap();
        let holds =
            Deb::new("libx", versions[0]).file("usr/share/doc/libx/changelog.Debian.gz", &gzip.finish().unwrap());
        archive.packages.retain(|package| package.name != "libx");
        archive.packages.push(Package::new("libx", versions[0], &[]).holding(holds));
        archive.date += 60;
        archive.serve(project.upstream().server(), "/debian").unwrap();
    };
    serve(&mut archive, &["1.0-1"]);
    manifest(&project, &["libx"], "");
    project.run(&["update"]).code(0);
    std::fs::copy(project.path("lock/strix.lock"), project.path("before.lock")).unwrap();
    serve(&mut archive, &["1.0-3", "1.0-2", "1.0-1"]);
    project.run(&["update"]).code(0);
    project.run(&["archive", "--to", "kept"]).code(0); // downloads the package
    let diff = |store: &str| project.run_in_store(store, &["diff", "before.lock", "lock/strix.lock"]).code(0);
    let ran = diff("main");
    let expected = "libx 1.0-1 -> 1.0-3";
    assert!(ran.stdout.contains(expected), "{}", ran.all());
    for line in ["1.0-3: * Fix number 1.0-3.", "1.0-2: * Fix number 1.0-2."] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.all());
    }
    assert!(!ran.stdout.contains("1.0-1: "), "{}", ran.all());
    // A store without the package says so.
    let ran = diff("other");
    assert!(ran.stdout.contains(expected) && !ran.stdout.contains("Fix number"), "{}", ran.all());
    assert!(ran.all().contains("changelogs of 1 package were not read: the store does not have them"), "{}", ran.all());
}

#[test]
fn the_page_of_the_report_has_the_way_from_the_signature_to_each_package() {
    let (project, _) = with_archive();
    manifest(&project, &["hello"], "");
    project.run(&["update"]).code(0);
    project.run(&["report", "-o", "page.html"]).code(0);
    let page = project.read("page.html");
    assert!(
        page.contains("gpgv --status-fd 1") && page.contains("/pool/main/hello/hello_"),
        "no commands for packages"
    );
}
