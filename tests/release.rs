//! The files of a release, and their installation. A script that calls the tested program stands in for the released
//! one, since packing debug information takes long.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use strixlock_demo::http::Resource;

use crate::support::{Project, Ran, files};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn script(name: &str) -> Command {
    Command::new(Path::new(ROOT).join("packaging").join(name))
}

/// Packs a release into a directory of the project, in the caller's own surroundings.
fn pack(project: &Project, to: &str, surroundings: &[(&str, &str)]) -> PathBuf {
    let program = project.path("bin/strixlock");
    if !program.exists() {
        project.program("bin/strixlock", &format!("#!/bin/sh\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_strixlock")));
        project.write("notices", "licences of others\n");
    }
    let mut pack = script("pack");
    pack.arg(program).arg(project.path("notices")).arg(project.path(to)).env("SOURCE_DATE_EPOCH", "1700000000");
    project.finish(pack.envs(surroundings.iter().copied()).output().unwrap()).code(0);
    project.path(to)
}

/// The name of an archive of this version, as all parts of a release spell it.
fn archive() -> String {
    format!("strixlock-{}-x86_64-unknown-linux-gnu.tar.gz", env!("CARGO_PKG_VERSION"))
}

/// Runs the installer with the machine's programs and no settings of the caller.
fn install(project: &Project, arguments: &[&str]) -> Ran {
    let mut install = Command::new("sh");
    install.arg(Path::new(ROOT).join("packaging/install.sh")).args(arguments).current_dir(project.path(""));
    install.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", project.path("home"));
    project.finish(install.output().unwrap())
}

#[test]
fn a_release_has_the_same_bytes_whoever_packs_it() {
    let project = Project::empty();
    let one = pack(&project, "one", &[]);
    let other = pack(&project, "deep/other", &[("TZ", "Asia/Tokyo"), ("LANG", "tr_TR.UTF-8"), ("TMPDIR", "/var/tmp")]);
    let names = files(&one);
    assert_eq!(names.len(), 6, "{names:?}");
    for path in names {
        let name = path.file_name().unwrap();
        assert!(std::fs::read(&path).unwrap() == std::fs::read(other.join(name)).unwrap(), "{}", name.display());
    }
    let sums =
        Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&one).output().unwrap();
    assert!(sums.status.success(), "{}", String::from_utf8_lossy(&sums.stderr));
}

#[test]
fn packages_recommend_bubblewrap_and_have_completions_and_pages() {
    let project = Project::empty();
    let release = pack(&project, "release", &[]);
    let version = env!("CARGO_PKG_VERSION");
    let (deb, rpm) = (format!("strixlock_{version}_amd64.deb"), format!("strixlock-{version}-1.x86_64.rpm"));
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(&release).output().unwrap();
        project.finish(output).code(0).stdout
    };
    let files_of_deb = said("dpkg-deb", &["--contents", &deb]);
    let files_of_rpm = said("rpm", &["--query", "--list", "--package", &rpm]);
    for name in [
        "/usr/bin/strixlock",
        "/usr/share/bash-completion/completions/strixlock",
        "/usr/share/zsh/site-functions/_strixlock",
        "/usr/share/fish/vendor_completions.d/strixlock.fish",
        "/usr/share/man/man1/strixlock-update.1.gz",
        "/usr/share/man/man5/strix.toml.5.gz",
        "/usr/share/doc/strixlock/THIRD-PARTY.gz",
    ] {
        assert!(files_of_deb.contains(&format!(" .{name}\n")), "{name}: {files_of_deb}");
        assert!(files_of_rpm.contains(&format!("{name}\n")), "{name}: {files_of_rpm}");
    }
    assert!(!files_of_deb.lines().any(|line| !line.contains("root/root")), "{files_of_deb}");
    let recipe = std::fs::read_to_string(release.join("PKGBUILD")).unwrap();
    let digest = said("sha256sum", &[&archive()]);
    assert!(recipe.contains(&format!("sha256sums=('{}')", &digest[..64])) && !recipe.contains('@'), "{recipe}");
    assert_eq!(said("dpkg-deb", &["--field", &deb, "Recommends"]), "bubblewrap\n");
    assert_eq!(said("rpm", &["--query", "--recommends", "--package", &rpm]), "bubblewrap\n");
}

#[test]
fn the_installer_installs_below_a_prefix_and_says_what_is_missing() {
    let project = Project::empty();
    let release = pack(&project, "release", &[]);
    for path in files(&release) {
        let name = format!("/release/{}", path.file_name().unwrap().display());
        project.upstream().server().put(&name, Resource::bytes(std::fs::read(path).unwrap()));
    }
    let ran = install(&project, &["--from", &format!("{}release", project.base())]).code(0);
    let home = project.path("home/.local");
    assert!(ran.stdout.starts_with("installed strixlock "), "{}", ran.all());
    assert!(ran.stdout.contains("missing: [DIR]/project/home/.local/bin in PATH"), "{}", ran.all());
    let version = Command::new(home.join("bin/strixlock")).arg("--version").output().unwrap().stdout;
    assert_eq!(String::from_utf8(version).unwrap(), format!("strixlock {}\n", env!("CARGO_PKG_VERSION")));
    assert!(home.join("share/man/man1/strixlock.1").is_file());
    // Once more over what is there, from the directory.
    let before = files(&home);
    install(&project, &["--from", "release", "--prefix", "home/.local"]).code(0);
    assert_eq!(files(&home), before);
}

#[test]
fn what_the_book_says_removes_all_that_was_installed() {
    let project = Project::empty();
    pack(&project, "release", &[]);
    install(&project, &["--from", "release"]).code(0);
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/installing.md")).unwrap();
    let (_, commands) = page.split_once("no-run=release\n").unwrap();
    let commands = commands.split("```").next().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-euc", commands]).env("HOME", project.path("home"));
    project.finish(bash.output().unwrap()).code(0);
    let left = files(&project.path("home"));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_installer_refuses_a_changed_byte() {
    let project = Project::empty();
    let path = pack(&project, "release", &[]).join(archive());
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let ran = install(&project, &["--from", "release"]).code(1);
    assert!(
        ran.stderr.contains("the archive is not the one in SHA256SUMS, and nothing was installed"),
        "{}",
        ran.all()
    );
    assert!(!project.path("home").exists());
}

#[test]
fn the_installer_refuses_what_is_no_release() {
    let project = Project::empty();
    project.write("release/SHA256SUMS", "nothing\n");
    for (arguments, code, message) in [
        (&["--from", "release"][..], 1, "SHA256SUMS names no archive for this machine"),
        (&["--from", "nowhere"], 1, "cannot get nowhere/SHA256SUMS"),
        (&["--from", "http://example.com"], 2, "releases are fetched over https"),
        (&["--from"], 2, "--from needs a value"),
        (&["--frobnicate"], 2, "usage: install.sh"),
    ] {
        let ran = install(&project, arguments).code(code);
        assert!(ran.stderr.contains(message), "{}", ran.all());
    }
    pack(&project, "release", &[]);
    project.write("closed/file", "");
    let ran = install(&project, &["--from", "release", "--prefix", "closed/file"]).code(1);
    assert!(ran.stderr.contains("cannot write to "), "{}", ran.all());
}

#[test]
fn a_program_that_needs_more_than_the_c_library_is_not_released() {
    let project = Project::empty();
    // Test programs are linked with the shared run-time library of the compiler.
    let ran = project.finish(script("demand-portable").arg(env!("CARGO_BIN_EXE_strixlock")).output().unwrap()).code(1);
    assert!(ran.stderr.contains("needs libraries besides the C library: "), "{}", ran.all());
    assert!(ran.stderr.contains("libgcc_s.so.1"), "{}", ran.all());
}

#[test]
fn cargo_binstall_is_told_the_names_of_the_release() {
    let manifest: toml::Table = std::fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).unwrap().parse().unwrap();
    let binstall = &manifest["package"]["metadata"]["binstall"];
    let filled = |key: &str| {
        let pairs = [("name", "strixlock"), ("version", env!("CARGO_PKG_VERSION")), ("bin", "strixlock")];
        let text = binstall[key].as_str().unwrap().replace("{ target }", "x86_64-unknown-linux-gnu");
        pairs.iter().fold(text, |text, (name, value)| text.replace(&format!("{{ {name} }}"), value))
    };
    assert!(filled("pkg-url").ends_with(&format!("/v{}/{}", env!("CARGO_PKG_VERSION"), archive())));
    let project = Project::empty();
    let path = pack(&project, "release", &[]).join(archive());
    let unpacked = Command::new("tar").arg("-xzf").arg(path).arg("-C").arg(project.path("")).status().unwrap();
    let program = project.path(&filled("bin-dir"));
    assert!(unpacked.success() && std::fs::metadata(program).unwrap().permissions().mode() & 0o111 != 0);
}
