//! Recipe `sysroot`: from an archive of packages to the tree of a root.

use std::os::unix::fs::PermissionsExt;

use strixlock_demo::deb_maker::Deb;
use strixlock_demo::debs::{DebArchive, Package};
use tar::EntryType;

use crate::support::{Project, REQUIRES};
use crate::verify::spoil;

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

/// A project beside an archive of these packages, with a sysroot of all of them.
fn with_packages(packages: Vec<Package>, lines: &str) -> Project {
    let project = Project::empty();
    let names: Vec<String> = packages.iter().map(|package| package.name.clone()).collect();
    let archive = DebArchive { packages, ..DebArchive::new(now() - 3600) };
    archive.serve(project.upstream().server(), "/debian").unwrap();
    std::fs::write(project.path("manifests/demo.gpg"), archive.key.keyring().unwrap()).unwrap();
    let base = project.base();
    project.write(
        "manifests/strix.toml",
        &format!(
            "{REQUIRES}[inputs.sysroot]\ntype = \"debs\"\narchive = \"{base}debian\"\nsuite = \"demo\"\nkeyring = \"demo.gpg\"\n\
             packages = {names:?}\n\n[outputs.sysroot]\ntype = \"sysroot\"\n{lines}"
        ),
    );
    project
}

fn package(name: &str, fields: &[&str], deb: Deb) -> Package {
    Package::new(name, "1.0-1", fields).holding(deb)
}

fn deb() -> Deb {
    Deb::new("overwritten", "0")
}

fn usual() -> Vec<Package> {
    vec![
        package(
            "gcc",
            &["Depends: libc6"],
            deb().program("usr/bin/gcc", b"g").link("etc/alternatives/gcc", "/usr/bin/gcc"),
        ),
        package(
            "libc6",
            &["Multi-Arch: same"],
            deb().file("lib/x86_64-linux-gnu/libc.so.6", b"c").link("lib64/ld.so", "../lib/ld"),
        ),
        package(
            "mount",
            &[],
            deb()
                .entry(EntryType::Regular, "./bin/mount", "", b"m", 0o4755)
                .info("postinst", "#!/bin/sh\ntouch /pwned\n"),
        ),
        package(
            "tool",
            &["Replaces: gcc"],
            deb().link("etc/alternatives/gcc", "/usr/bin/tool").program("usr/bin/tool", b"t"),
        ),
    ]
}

#[test]
fn packages_become_a_root() {
    let project = with_packages(usual(), "[outputs.sysroot.links]\n\"usr/bin/c89\" = \"gcc\"\n");
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize", "--json"]).code(0);
    let root = project.store("main").join("current/sysroot");
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let link = |path: &str| std::fs::read_link(root.join(path)).unwrap().display().to_string();
    assert_eq!(text("usr/lib/x86_64-linux-gnu/libc.so.6"), "c");
    assert_eq!(text("lib/x86_64-linux-gnu/libc.so.6"), "c");
    for (path, target) in [
        ("bin", "usr/bin"),
        ("lib64", "usr/lib64"),
        ("usr/bin/cc", "gcc"),
        ("usr/bin/c89", "gcc"),
        ("etc/alternatives/gcc", "/usr/bin/tool"),
    ] {
        assert_eq!(link(path), target, "{path}");
    }
    let mode = std::fs::metadata(root.join("usr/bin/mount")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o555);
    assert!(!root.join("pwned").exists());
    assert!(text("var/lib/dpkg/status").contains("Package: gcc\nStatus: install ok installed\nVersion: 1.0-1\n"));
    let log = project.run(&["log", "sysroot"]).code(0).stdout;
    for line in [
        "unpacked libc6 1.0-1 (amd64)\n",
        "made the link usr/bin/c89 -> gcc\n",
        "made the link usr/bin/cc -> gcc\n",
        "dropped setuid or setgid of mount: bin/mount\n",
    ] {
        assert!(log.contains(line), "{line:?} {log}");
    }
    project.run(&["check"]).code(0);
    project.run(&["verify"]).code(0);
    project.run(&["gc"]).code(0);
    project.run(&["--offline", "check", "sysroot"]).code(0);
    let again = project.run_in_store("other", &["realize", "--json"]).code(0);
    assert_eq!(ran.tree("sysroot"), again.tree("sysroot"));
    project.run(&["audit"]).code(0);
    assert!(project.read("REPRODUCIBLE.md").contains("usr/bin/c89"));
}

/// A tree is the same for every user, also for one who may give nothing away.
#[test]
fn an_ordinary_user_makes_the_same_tree() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let project = with_packages(usual(), "");
    project.run(&["update"]).code(0);
    let tree = project.run(&["realize", "--json"]).code(0).tree("sysroot");
    let open = |path: &std::path::Path| std::fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
    open(project.directory.path());
    open(&project.directory.path().join("stores"));
    // The program itself may lie where the other user cannot go.
    let program = project.path("strixlock");
    std::fs::copy(env!("CARGO_BIN_EXE_strixlock"), &program).unwrap();
    let usual = project.command(&[]);
    let mut command = std::process::Command::new("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "sh",
        "-c",
        "umask 077; exec \"$0\" realize --json",
    ]);
    command.arg(program).env_clear().current_dir(project.path(""));
    command.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("HOME", "/nonexistent").env("STRIXLOCK_STORE", project.store("nobody"));
    assert_eq!(project.finish(command.output().unwrap()).code(0).tree("sysroot"), tree);
}

/// A root's files are in no tarball: it is unpacked once more, and only what was damaged is replaced.
#[test]
fn a_damaged_root_is_repaired_from_its_packages() {
    let project = with_packages(usual(), "");
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let root = std::fs::canonicalize(project.store("main").join("current/sysroot")).unwrap();
    spoil(&root.join("usr/bin/tool"));
    project.run(&["check", "sysroot"]).code(7);
    // Downloads that are gone come again.
    std::fs::remove_dir_all(project.store("main").join("downloads/sha256")).unwrap();
    project.run(&["--offline", "verify", "--repair"]).code(8);
    let ran = project.run(&["verify", "sysroot", "--repair"]).code(0);
    assert_eq!(ran.stdout, "sysroot: repaired: damaged usr/bin/tool\n", "{}", ran.all());
    assert_eq!(std::fs::read(root.join("usr/bin/tool")).unwrap(), b"t");
    project.run(&["check"]).code(0);
    project.run(&["verify"]).code(0);
}

#[test]
fn links_and_packages_enter_the_derivation_and_comments_do_not() {
    let project = with_packages(usual(), "");
    let derivation = || {
        project.run(&["update"]).code(0);
        project.run(&["lock", "digest", "sysroot"]).code(0).stdout
    };
    let first = derivation();
    let manifest = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &format!("{manifest}# a comment\n"));
    assert_eq!(derivation(), first);
    project.write("manifests/strix.toml", &format!("{manifest}links = {{ \"usr/bin/x\" = \"gcc\" }}\n"));
    assert_ne!(derivation(), first);
    project.write("manifests/strix.toml", &manifest.replace(", \"tool\"", ""));
    assert_ne!(derivation(), first);
}

#[test]
fn what_cannot_become_a_root_is_told() {
    let two = |deb: Deb| vec![package("aa", &[], self::deb().file("etc/x", b"1")), package("bb", &[], deb)];
    for (packages, lines, why) in [
        (two(deb().file("etc/x", b"2")), "", "error: sysroot: two packages have different entries at `etc/x`\n"),
        (
            two(deb().entry(EntryType::Char, "./dev/null", "", b"", 0o666)),
            "",
            "error: package bb: the archive is refused",
        ),
        (two(deb().entry(EntryType::Regular, "./../x", "", b"", 0o666)), "", "leads upwards"),
        (
            two(deb()),
            "links = { \"usr/bin/x\" = \"y\" }\n",
            "the link `usr/bin/x` cannot be made: no package has its target",
        ),
    ] {
        let project = with_packages(packages, lines);
        project.run(&["update"]).code(0);
        let ran = project.run(&["realize"]).code(3);
        assert!(ran.stderr.contains(why), "{why} {}", ran.all());
        assert!(project.published("main").iter().all(|name| name.starts_with("downloads/")), "{}", ran.all());
    }
}

#[test]
fn mistakes_in_the_manifest_are_shown() {
    for (lines, why) in [
        ("links = { \"/usr/bin/x\" = \"y\" }\n", "invalid link: expected a path below the root and a target"),
        ("links = { \"usr/bin/x\" = \"\" }\n", "invalid link: expected a path below the root and a target"),
        ("links = { \"usr/bin/x\" = 1 }\n", "`usr/bin/x` must be a string"),
        ("packages = \"sysrot\"\n", "there is no input `sysrot`"),
        ("prefix = \"/x\"\n", "unknown field `prefix`"),
    ] {
        let ran = with_packages(usual(), lines).run(&["update"]).code(3);
        assert!(ran.stderr.contains(why), "{why} {}", ran.all());
    }
}
