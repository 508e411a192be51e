//! A project with an upstream of its own, and commands run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use strixlock_demo::{Calendar, Generation, Upstream};

/// A temporary directory with `project/`, `stores/` and an embedded upstream.
pub struct Project {
    pub directory: tempfile::TempDir,
    pub upstream: Option<Upstream>,
    base: String,
}

/// The result of a command: exit code, stdout and stderr, with everything that differs between runs replaced.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// All of it in one text, for snapshots.
    pub fn all(&self) -> String {
        let mut text = format!("exit code {}\n", self.code);
        for (name, part) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !part.is_empty() {
                text = format!("{text}--- {name}\n{part}");
            }
        }
        text
    }

    /// Fails the test unless the exit code is this one.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.all());
        self
    }

    /// The JSON on stdout.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.all()))
    }

    /// The tree digest of a realized output in `--json`.
    #[track_caller]
    pub fn tree(&self, output: &str) -> String {
        self.json()["outputs"][output]["tree"]
            .as_str()
            .unwrap_or_else(|| panic!("no {output}: {}", self.all()))
            .to_owned()
    }
}

/// All files and links below a directory, sorted.
pub fn files(place: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut todo = vec![place.to_path_buf()];
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() { todo.push(entry.path()) } else { all.push(entry.path()) }
        }
    }
    all.sort();
    all
}

impl Project {
    /// A project without a manifest, beside the usual upstream.
    pub fn new() -> Self {
        Self::with(Upstream::start)
    }

    /// A project beside an upstream that has published nothing.
    pub fn empty() -> Self {
        Self::with(Upstream::start_empty)
    }

    /// A project without a manifest, beside a season of nightlies.
    pub fn season(calendar: &Calendar) -> Self {
        Self::with(|directory| Upstream::start_season(directory, calendar))
    }

    /// A project with a generation of ROCm alone for each of these versions. The last one is current, and in the lock.
    #[track_caller]
    pub fn realized(versions: &[&str]) -> Self {
        let project = Self::new();
        for version in versions {
            project.realize_rocm(version);
        }
        project
    }

    /// A project beside an upstream that `start` starts.
    pub fn with(start: impl Fn(&Path) -> strixlock_ground::error::Result<Upstream>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let upstream = start(&directory.path().join("upstream")).unwrap();
        std::fs::create_dir_all(directory.path().join("project/manifests")).unwrap();
        let base = upstream.server().url("/");
        Self { directory, upstream: Some(upstream), base }
    }

    pub fn upstream(&self) -> &Upstream {
        self.upstream.as_ref().expect("the upstream was taken away")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("project").join(name)
    }

    pub fn store(&self, name: &str) -> PathBuf {
        self.directory.path().join("stores").join(name)
    }

    /// The directory of this project's profile in the store `main`: the only one there, where nothing else is said.
    #[track_caller]
    pub fn profile(&self) -> PathBuf {
        let profiles =
            std::fs::read_dir(self.store("main").join("profiles")).unwrap().map(|entry| entry.unwrap().path());
        let mut profiles = profiles.filter(|path| path.is_dir());
        let only = profiles.next().expect("there is no profile");
        assert_eq!(profiles.next(), None);
        only
    }

    /// Runs a command in another project, in a directory beside this one, with the same store.
    pub fn run_beside(&self, name: &str, arguments: &[&str]) -> Ran {
        let place = self.directory.path().join(name);
        self.finish(self.command(arguments).current_dir(place).output().unwrap())
    }

    /// Pins this version of ROCm in another project and makes a generation of it.
    pub fn realize_beside(&self, name: &str, version: &str, arguments: &[&str]) -> &Self {
        let manifest = self.directory.path().join(name).join("manifests/strix.toml");
        std::fs::create_dir_all(manifest.parent().unwrap()).unwrap();
        std::fs::write(manifest, format!("{REQUIRES}{}", rocm_input(&self.index(), version))).unwrap();
        self.run_beside(name, &["update"]).code(0);
        self.run_beside(name, &[&["realize"], arguments].concat()).code(0);
        self
    }

    /// The address of the current index.
    pub fn index(&self) -> String {
        self.upstream().index_url(Generation::Streams)
    }

    /// The base of every address of the upstream.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Writes a program. Another process does it: no child of another test's thread can hold it open while it is to be run.
    pub fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut sh = Command::new("sh");
        sh.args(["-c", "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", script]).arg(&path);
        assert!(sh.status().unwrap().success());
        path
    }

    /// PATH with the project's `bin` before all others.
    pub fn search_path(&self) -> String {
        format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap())
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The derivation of an output in the lock, as the page of the audit has it.
    #[track_caller]
    pub fn derivation(&self, output: &str) -> String {
        self.run(&["audit"]).code(0);
        let page = self.read("REPRODUCIBLE.md");
        let (_, section) = page.split_once(&format!("\n### Output {output}\n")).unwrap();
        let row = section.lines().find(|line| line.starts_with("| derivation, ")).unwrap();
        row.split_once("`sha256:").unwrap().1[..64].to_owned()
    }

    pub fn lock(&self) -> String {
        self.read("lock/strix.lock")
    }

    /// A manifest with ROCm alone, at this version.
    pub fn rocm_manifest(&self, version: &str) -> &Self {
        let index = self.index();
        self.write("manifests/strix.toml", &format!("{REQUIRES}{}", rocm_input(&index, version)))
    }

    /// Pins this version of ROCm alone and makes a generation of it.
    #[track_caller]
    pub fn realize_rocm(&self, version: &str) -> &Self {
        self.rocm_manifest(version);
        self.run(&["update"]).code(0);
        self.run(&["realize"]).code(0);
        self
    }

    /// A manifest with everything: ROCm at this version, llama.cpp's HEAD, and all outputs.
    pub fn full_manifest(&self, version: &str) -> &Self {
        let (index, git) = (self.index(), self.upstream().git_url());
        let llama = format!(
            "[inputs.llama-cpp]\ntype = \"git\"\nurl = \"{git}\"\n\n[outputs.llama]\ntype = \"llama\"\n\n[outputs.runtime]\ntype = \"runtime\"\n"
        );
        self.write("manifests/strix.toml", &format!("{REQUIRES}{}{llama}", rocm_input(&index, version)))
    }

    /// A command in the project, with the store `main` and no configuration but the project's.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strixlock"));
        command.args(arguments).current_dir(self.path("")).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.directory.path().join("home"));
        command.env("STRIXLOCK_STORE", self.store("main"));
        // Times and the order of threads differ; tests of progress ask for it.
        command.env("STRIXLOCK_NO_PROGRESS", "1");
        // Results would tell whether this machine has ccache; tests of the compiler cache switch it on.
        command.env("STRIXLOCK_COMPILE_CACHE", "off");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.finish(self.command(arguments).output().unwrap())
    }

    pub fn run_in_store(&self, store: &str, arguments: &[&str]) -> Ran {
        self.finish(self.command(arguments).env("STRIXLOCK_STORE", self.store(store)).output().unwrap())
    }

    pub fn finish(&self, output: Output) -> Ran {
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(&self.base, "[UPSTREAM]/").replace(self.directory.path().to_str().unwrap(), "[DIR]")
        };
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Returns the names in a store outside `tmp/`: nothing, when nothing was published.
    pub fn published(&self, store: &str) -> Vec<String> {
        let mut found = Vec::new();
        for place in ["downloads/sha256", "blobs", "trees", "outputs"] {
            for entry in std::fs::read_dir(self.store(store).join(place)).into_iter().flatten() {
                found.push(format!("{place}/{}", entry.unwrap().file_name().to_string_lossy()));
            }
        }
        found
    }
}

/// Two nightlies of the embedded upstream, of one day and the next.
pub const FIRST: &str = "10.1.0a20260901";
pub const SECOND: &str = "10.1.0a20260902";

pub const REQUIRES: &str = "requires = \">=0.1\"\n\n";

pub fn rocm_input(index: &str, version: &str) -> String {
    format!(
        "[inputs.rocm]\ntype = \"rocm\"\ntarget = \"gfx1151\"\nversion = \"{version}\"\nsources = [\"{index}\"]\n\n[outputs.rocm]\ntype = \"rocm\"\n\n"
    )
}
