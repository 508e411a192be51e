//! Where the programs of a validation run, and what is seen of each.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::libraries;
use super::subject::{MODELS, Subject};
use crate::error::Result;
use crate::sandbox::{Engine, Mount, Root, Sandbox};
use crate::store::{Staging, Store, StoredTree};

/// Where what programs say is written, in the sandbox.
const WORK: &str = "/work";
/// The most that is read of what a program says, in bytes; the log keeps all of it.
const MOST: u64 = 4 << 20;
/// The most that is read of what the loader tells of a process: some ten lines for each library and directory.
const MOST_REPORT: u64 = 32 << 20;

/// Runs a program with its outputs apart, lets the loader write down what it loads, and looks while it runs at the memory that it
/// has come to need. A child that ended stays as a zombie until it is waited for, so its state ends the loop. A small program is
/// looked at more often than one that takes its time. What it needed is told by whoever saw it twice: the first look may find a
/// program that has only just begun.
const SCRIPT: &str = r#"at=/work/$1; shift
LD_DEBUG=files,libs LD_DEBUG_OUTPUT=$at.loaded "$@" > $at.out 2> $at.err &
pid=$! peak=0 looks=0 state= pause=0.01
until [ "$state" = Z ] || [ ! -d /proc/$pid ]; do
  while read -r key value rest; do
    case $key in State:) state=$value ;; VmHWM:) peak=$value ;; esac
  done < /proc/$pid/status
  [ "$state" = Z ] || looks=$((looks + 1))
  sleep $pause
  [ $peak -lt 50000 ] || pause=0.1
done
wait $pid
code=$?
[ $looks -lt 2 ] || echo $peak > $at.peak
exit $code
"#;

/// The sandbox of a validation.
pub(super) struct Place<'a> {
    sandbox: Sandbox,
    _staging: Staging,
    work: PathBuf,
    logs: &'a Path,
}

/// What a program did.
#[derive(Debug, Clone, Default)]
pub(super) struct Ran {
    /// Whether it ended with exit code 0.
    pub success: bool,
    /// How it ended, in words.
    pub status: String,
    /// What it said, as far as that is text.
    pub stdout: String,
    pub stderr: String,
    /// The most memory that it was seen to have, in bytes; none of a program that ended too soon.
    pub peak: Option<u64>,
    /// The files of all libraries that were loaded into it; `None` where its loader had more to tell than anybody reads.
    pub libraries: Option<BTreeSet<String>>,
}

impl Ran {
    /// The last line with anything in it, for a failure.
    pub fn last_line(&self) -> String {
        let last = |text: &str| text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned);
        let said = last(&self.stderr).or_else(|| last(&self.stdout)).unwrap_or_default();
        format!("{}: {said}", self.status)
    }
}

impl<'a> Place<'a> {
    pub fn new(store: &Store, subject: &Subject, devices: Vec<PathBuf>, logs: &'a Path) -> Result<Self> {
        let staging = store.stage()?;
        let [work, scratch] = ["work", "scratch"].map(|name| staging.path().join(name));
        fs_err::create_dir(&work)?;
        fs_err::create_dir(&scratch)?;
        let base = subject.base.as_ref().map_or(Root::Host, |tree| Root::Tree(tree.path.clone()));
        let mount = |from: &Path, writable| Mount { from: from.to_path_buf(), writable };
        let mut mounts = BTreeMap::from([(WORK.to_owned(), mount(&work, true))]);
        mounts.insert(subject.recipe.prefix.clone(), mount(&subject.llama.path, false));
        if let Some(rocm) = &subject.rocm {
            mounts.insert(rocm.prefix.clone(), mount(&rocm.tree.path, false));
        }
        for (name, path) in &subject.model.files {
            mounts.insert(format!("{MODELS}/{name}"), mount(path, false));
        }
        let mut environment: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in [("PATH", "/usr/bin:/bin"), ("HOME", "/homeless"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")] {
            environment.insert(name.to_owned(), value.to_owned());
        }
        let mut sandbox = Sandbox {
            root: base,
            mounts,
            environment,
            directory: "/tmp".to_owned(),
            scratch,
            devices,
            ..Sandbox::default()
        };
        sandbox.engine = Engine::find(&sandbox)?;
        match fs_err::remove_dir_all(logs) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => fs_err::create_dir_all(logs)?,
        }
        Ok(Self { sandbox, _staging: staging, work, logs })
    }

    /// Runs a command; its log is called `name`.
    pub fn run(&self, name: &str, command: &[String]) -> Result<Ran> {
        self.run_in(&self.sandbox, name, command)
    }

    /// The same with another tree in place of the one at `prefix`.
    pub fn run_with(&self, prefix: &str, tree: &StoredTree, name: &str, command: &[String]) -> Result<Ran> {
        let mut sandbox = self.sandbox.clone();
        sandbox.mounts.insert(prefix.to_owned(), Mount { from: tree.path.clone(), writable: false });
        self.run_in(&sandbox, name, command)
    }

    fn run_in(&self, sandbox: &Sandbox, name: &str, command: &[String]) -> Result<Ran> {
        let mut log = fs_err::File::create(self.logs.join(format!("{name}.log")))?;
        sandbox.describe(&mut log)?;
        let shell = ["/bin/sh", "-c", SCRIPT, "sh", name].map(str::to_owned);
        let status = sandbox.run(&[&shell, command].concat(), &mut log, &mut |_| {})?;
        let work = &self.work;
        for ending in ["out", "err"] {
            let from = work.join(format!("{name}.{ending}"));
            if from.is_file() {
                fs_err::copy(from, self.logs.join(format!("{name}.{ending}")))?;
            }
        }
        let kilobytes = read(&work.join(format!("{name}.peak")))?.trim().parse::<u64>().ok();
        let (mut libraries, mut cut) = (BTreeSet::new(), false);
        for entry in fs_err::read_dir(work)? {
            let path = entry?.path();
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if file.strip_prefix(name).is_some_and(|rest| rest.starts_with(".loaded.")) {
                let report = read_most(&path, MOST_REPORT)?;
                cut |= report.len() as u64 >= MOST_REPORT;
                libraries.extend(libraries::loaded(&report));
            }
        }
        Ok(Ran {
            success: status.success(),
            status: status.to_string(),
            stdout: read(&work.join(format!("{name}.out")))?,
            stderr: read(&work.join(format!("{name}.err")))?,
            peak: kilobytes.map(|kilobytes| kilobytes * 1024),
            libraries: (!cut).then_some(libraries),
        })
    }
}

/// The text in a file, as far as it is one; nothing where there is none.
fn read(path: &Path) -> Result<String> {
    read_most(path, MOST)
}

fn read_most(path: &Path, most: u64) -> Result<String> {
    let mut bytes = Vec::new();
    match fs_err::File::open(path) {
        Ok(file) => drop(file.take(most).read_to_end(&mut bytes)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
