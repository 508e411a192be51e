//! A user's machine for the commands of the book: a home, the embedded upstream, and strixlock on PATH. It stands on the
//! day on which the book was written down, so that versions and ages are those of the book.

use std::path::PathBuf;
use std::process::Command;

use strixlock_demo::deb_maker::Deb;
use strixlock_demo::debs::{DebArchive, Package};
use strixlock_demo::{Generation, Nightly, Upstream};

use crate::support::FIRST;

/// Address that stands in the book for that of the practice upstream.
const PRACTICE: &str = "http://127.0.0.1:8000/";

/// Name before each step in the output of a script.
const MARK: char = '\u{1e}';

/// The time that `STRIXLOCK_NOW` and the upstream have: the day of the book, at noon.
const TODAY: &str = "2026-11-30T12:00:00Z";

const DAY: i64 = 24 * 3600;

pub struct Session {
    directory: tempfile::TempDir,
    upstream: Upstream,
}

/// Somebody who follows a page.
pub struct User {
    home: PathBuf,
    place: PathBuf,
    has_images: bool,
}

/// The command that stands in for strixlock on PATH: `init` and `list` ask the embedded upstream.
const STAND_IN: &str = r#"#!/bin/sh
case "$1 $*" in
  *--source*) ;;
  init*) shift; strixlock_real init --packages none --source "$INDEX" --llama-url "$LLAMA" "$@" || exit
    if [ -n "$IMAGES" ]; then cp "$IMAGES/demo.gpg" manifests/; cat "$IMAGES/images.toml" >> manifests/strix.toml; fi; exit ;;
  "list rocm"* | "list list rocm"*) shift 2; set -- list rocm --source "$INDEX" "$@" ;;
esac
exec strixlock_real "$@"
"#;

/// Images, on a base of packages that the embedded upstream has.
const IMAGES: &str = r#"
[inputs.base-packages]
type = "debs"
archive = "BASEdebian"
suite = "demo"
keyring = "demo.gpg"
packages = ["base-files", "base-passwd"]

[outputs.base]
type = "sysroot"
packages = "base-packages"

[outputs.server]
type = "image"
base = "base"
runtime = "runtime"
llama = "llama"
program = "llama-server"
"#;

/// Returns the time of the book, in seconds since 1970.
fn today() -> i64 {
    TODAY.parse::<jiff::Timestamp>().unwrap().as_second()
}

impl Session {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let upstream = Upstream::start(&directory.path().join("upstream")).unwrap();
        let session = Self { directory, upstream };
        session.publish(1);
        for name in ["bin", "images"] {
            std::fs::create_dir(session.directory.path().join(name)).unwrap();
        }
        let bin = session.directory.path().join("bin");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_strixlock"), bin.join("strixlock_real")).unwrap();
        // Written by another process: no child of another test's thread can hold it open while it is to be run.
        let mut write = Command::new("sh");
        write.args(["-c", "printf %s \"$1\" > strixlock && chmod 755 strixlock", "sh", STAND_IN]).current_dir(bin);
        assert!(write.status().unwrap().success());
        session.serve_packages();
        session
    }

    fn serve_packages(&self) {
        let deb = || Deb::new("overwritten", "0");
        let packages = vec![
            Package::new("base-files", "12", &[]).holding(deb().directory("tmp").file("etc/debian_version", b"12\n")),
            Package::new("base-passwd", "3", &[])
                .holding(deb().file("usr/share/base-passwd/passwd.master", b"root:*:0:0:root:/root:/bin/sh\n")),
        ];
        let archive = DebArchive { packages, ..DebArchive::new(today() - 3600) };
        archive.serve(self.upstream.server(), "/debian").unwrap();
        let images = self.directory.path().join("images");
        std::fs::write(images.join("demo.gpg"), archive.key.keyring().unwrap()).unwrap();
        std::fs::write(images.join("images.toml"), IMAGES.replace("BASE", &self.upstream.server().url("/"))).unwrap();
    }

    /// Publishes the nightly of a day before today.
    fn publish(&self, days_ago: i64) {
        self.upstream.publish(Generation::Streams, &Nightly::of_day(today() - days_ago * DAY));
    }

    /// Lets happen what a remark of the book says.
    pub fn happen(&self, remark: &str) {
        match remark {
            "a newer nightly" => self.publish(0),
            other => panic!("the book has a remark that nothing follows: {other}"),
        }
    }

    /// Makes a directory for the commands of a page. A new user's home is empty; all others share one, and have a
    /// project with two generations.
    pub fn user(&self, page: &str, is_new: bool, has_images: bool) -> User {
        let above = self.directory.path().join("users").join(page.replace(['/', '.'], "-"));
        let home = if is_new { above.join("home") } else { self.directory.path().join("home") };
        let user = User { home, place: above.join("strix"), has_images };
        for directory in [&user.home, &user.place] {
            std::fs::create_dir_all(directory).unwrap();
        }
        if !is_new {
            let older = self.upstream.tarball_url(Generation::Streams, &Nightly::new(FIRST));
            let pin = format!("strixlock update rocm --url {older}");
            let steps = ["strixlock init", &pin, "strixlock realize", "strixlock update rocm", "strixlock realize"];
            self.run(&user, steps.into_iter()).unwrap();
        }
        user
    }

    /// Runs steps in one shell. Returns the output of each, or the output of the whole, up to the step that failed.
    pub fn run<'a>(&self, user: &User, steps: impl Iterator<Item = &'a str>) -> Result<Vec<String>, String> {
        let marked = |step: &str| format!("printf '\\036'\n{}\n", step.replace(PRACTICE, &self.base()));
        let script: String = steps.map(marked).collect();
        let mut shell = Command::new("bash");
        shell.args(["-e", "-c", &format!("exec 2>&1 < /dev/null\n{script}")]).current_dir(&user.place).env_clear();
        let path = std::env::var("PATH").unwrap();
        shell.env("PATH", format!("{}:{path}", self.directory.path().join("bin").display()));
        shell.env("HOME", &user.home).env("INDEX", self.upstream.index_url(Generation::Streams));
        shell.env("LLAMA", self.upstream.git_url());
        shell.env("STRIXLOCK_NOW", TODAY);
        // Lines of running tasks depend on the time that they take.
        shell.env("STRIXLOCK_NO_PROGRESS", "1");
        // Notes would tell whether this machine has ccache.
        shell.env("STRIXLOCK_COMPILE_CACHE", "off");
        // What a registry would say; no command here asks one for the image.
        shell.env("DIGEST", format!("sha256:{}", "5".repeat(64)));
        if user.has_images {
            shell.env("IMAGES", self.directory.path().join("images"));
        }
        let output = shell.output().unwrap();
        let (host, practice) = (self.base(), PRACTICE.trim_end_matches('/'));
        let text = String::from_utf8_lossy(&output.stdout).replace(host.trim_end_matches('/'), practice);
        let text = [(&user.home, "~"), (&user.place, "~/strix")]
            .into_iter()
            .fold(text, |text, (path, shown)| text.replace(path.to_str().unwrap(), shown));
        if !output.status.success() {
            return Err(text.replace(MARK, "$ "));
        }
        Ok(text.split(MARK).skip(1).map(str::to_owned).collect())
    }

    fn base(&self) -> String {
        self.upstream.server().url("/")
    }
}
