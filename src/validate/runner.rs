//! Runs the programs of a validation in a sandbox, and records output, memory and loaded libraries of each.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use super::libraries;
use super::subject::{MODELS, Subject};
use crate::error::{Error, Result};
use crate::sandbox::{Engine, Mount, Root, Sandbox};
use crate::store::{Staging, Store, StoredTree};

/// The directory in the sandbox for the output of programs.
const WORK: &str = "/checks";
/// The limit for reading a program's output, in bytes. The log keeps all of it.
const MOST: u64 = 4 << 20;
/// The limit for reading the loader's report, in bytes. It has some ten lines for each library and directory.
const MOST_REPORT: u64 = 32 << 20;

/// Seconds in which a server must end after it was told to.
const GRACE: u64 = 20;
/// Greatest number of requests that a server gets.
const MOST_REQUESTS: u32 = 64;

/// Runs a program with stdout and stderr in separate files, has the loader report what it loads, polls the peak memory,
/// and kills the program after a time limit. The file NAME.stop tells it to end.
///
/// A child that ended stays a zombie until `wait`, so that state ends the loop. Small programs are polled more often
/// than large ones. The peak is written only after two polls: the first one may see a program that has only just
/// started. No file may grow beyond 512 MB.
const SCRIPT: &str = r#"at=/checks/$1 most=$2 grace=$3; shift 3
ulimit -f 1048576 2> /dev/null
read -r now rest < /proc/uptime
end=$((${now%.*} + most))
LD_DEBUG=files,libs LD_DEBUG_OUTPUT=$at.loaded "$@" > $at.out 2> $at.err &
pid=$! peak=0 looks=0 state= pause=0.01 told=
until [ "$state" = Z ] || [ ! -d /proc/$pid ]; do
  while read -r key value rest; do
    case $key in State:) state=$value ;; VmHWM:) peak=$value ;; esac
  done < /proc/$pid/status
  [ "$state" = Z ] || looks=$((looks + 1))
  read -r now rest < /proc/uptime
  if [ -z "$told" ] && [ -e $at.stop ]; then
    told=1 most=$grace end=$((${now%.*} + grace))
    kill -TERM $pid
  fi
  if [ ${now%.*} -ge $end ]; then
    echo $most > $at.late
    kill -KILL $pid
  fi
  sleep $pause
  [ $peak -lt 50000 ] || pause=0.1
done
wait $pid
code=$?
[ $looks -lt 2 ] || echo $peak > $at.peak
exit $code
"#;

/// Runs programs in the sandbox of a validation.
pub(super) struct Runner<'a> {
    sandbox: Sandbox,
    _staging: Staging,
    work: PathBuf,
    logs: &'a Path,
    limit: Duration,
}

/// The result of running a program.
#[derive(Debug, Clone, Default)]
pub(super) struct Ran {
    /// True if the exit code was 0.
    pub success: bool,
    /// The exit status in words.
    pub status: String,
    /// Its standard output. Bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Its standard error, likewise.
    pub stderr: String,
    /// Its peak memory in bytes; absent if it ended too soon to be polled twice.
    pub peak: Option<u64>,
    /// The number of seconds after which it was killed, if it did not end by itself.
    pub late: Option<u64>,
    /// The files of all loaded libraries; `None` if the loader's report exceeds the limit.
    pub libraries: Option<BTreeSet<String>>,
}

impl Ran {
    /// Describes a failure: how it ended, and the last line of output that is not empty.
    pub fn last_line(&self) -> String {
        let last = |text: &str| text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned);
        let said = last(&self.stderr).or_else(|| last(&self.stdout)).unwrap_or_default();
        match self.late {
            Some(seconds) => format!("killed after {seconds} s, because it had not ended: {said}"),
            None => format!("{}: {said}", self.status),
        }
    }
}

impl<'a> Runner<'a> {
    /// Prepares the sandbox with these device nodes, and empties the directory of logs.
    pub fn new(
        store: &Store,
        subject: &Subject,
        devices: Vec<PathBuf>,
        limit: Duration,
        logs: &'a Path,
    ) -> Result<Self> {
        let staging = store.stage()?;
        let [work, scratch] = ["work", "scratch"].map(|name| staging.path().join(name));
        fs_err::create_dir(&work)?;
        fs_err::create_dir(&scratch)?;
        let base = subject.base.as_ref().map_or(Root::Host, |tree| Root::Tree(tree.path.clone()));
        let mount = |from: &Path, writable| Mount { from: from.to_path_buf(), writable };
        let mut mounts = BTreeMap::from([(WORK.to_owned(), mount(&work, true))]);
        mounts.insert(subject.prefix.clone(), mount(&subject.llama.path, false));
        for (prefix, tree) in subject.runtimes() {
            mounts.insert(prefix.to_owned(), mount(&tree.path, false));
        }
        for (name, path) in &subject.model.files {
            mounts.insert(format!("{MODELS}/{name}"), mount(path, false));
        }
        let mut environment: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in [("PATH", "/usr/bin:/bin"), ("HOME", "/homeless"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")] {
            environment.insert(name.to_owned(), value.to_owned());
        }
        environment.extend(subject.variables());
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
        Ok(Self { sandbox, _staging: staging, work, logs, limit })
    }

    /// Runs a command and writes its log under `name`.
    pub fn run(&self, name: &str, command: &[String]) -> Result<Ran> {
        self.run_in(&self.sandbox, name, command, self.limit)
    }

    /// Writes a file for programs in the sandbox.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        Ok(fs_err::write(self.work.join(name), bytes)?)
    }

    /// Returns the path in the sandbox of a file that was written or is to be.
    pub fn inside(name: &str) -> String {
        format!("{WORK}/{name}")
    }

    /// Returns the directory of logs.
    pub fn logs(&self) -> &Path {
        self.logs
    }

    /// Returns the time limit of a program.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Runs a server, has `talk` speak to it, and then tells it to end. `talk` gets the directory of its socket, and
    /// can ask whether the server still runs.
    pub fn serve<T>(
        &self,
        name: &str,
        command: &[String],
        talk: impl FnOnce(&Path, &dyn Fn() -> bool) -> T,
    ) -> Result<(T, Ran)> {
        std::thread::scope(|scope| {
            // Each answer has the time limit of a program.
            let limit = self.limit.saturating_mul(MOST_REQUESTS);
            let server = scope.spawn(move || self.run_in(&self.sandbox, name, command, limit));
            let heard = talk(&self.work, &|| !server.is_finished());
            self.write(&format!("{name}.stop"), b"")?;
            let ran = server.join().map_err(|_| Error::failure("the thread of a server panicked"))??;
            Ok((heard, ran))
        })
    }

    /// Runs a command with another tree mounted at `prefix`.
    pub fn run_with(&self, prefix: &str, tree: &StoredTree, name: &str, command: &[String]) -> Result<Ran> {
        let mut sandbox = self.sandbox.clone();
        sandbox.mounts.insert(prefix.to_owned(), Mount { from: tree.path.clone(), writable: false });
        self.run_in(&sandbox, name, command, self.limit)
    }

    fn run_in(&self, sandbox: &Sandbox, name: &str, command: &[String], limit: Duration) -> Result<Ran> {
        let mut sandbox = sandbox.clone();
        // The script enforces the limit. Output goes into files, so the sandbox itself hears nothing.
        sandbox.limits.silence = limit.saturating_add(Duration::from_secs(3 * GRACE));
        let mut log = fs_err::File::create(self.logs.join(format!("{name}.log")))?;
        sandbox.describe(&mut log)?;
        let (limit, grace) = (limit.as_secs().to_string(), GRACE.to_string());
        let shell = ["/bin/sh", "-c", SCRIPT, "sh", name, &limit, &grace].map(str::to_owned);
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
            status: ending(status),
            stdout: read(&work.join(format!("{name}.out")))?,
            stderr: read(&work.join(format!("{name}.err")))?,
            late: read(&work.join(format!("{name}.late")))?.trim().parse().ok(),
            peak: kilobytes.map(|kilobytes| kilobytes * 1024),
            libraries: (!cut).then_some(libraries),
        })
    }
}

/// Describes how a program ended. The shell that waits for it turns a signal into an exit code above 128.
fn ending(status: ExitStatus) -> String {
    match status.code() {
        Some(code @ 129..=159) => format!("ended by signal {}", code - 128),
        _ => status.to_string(),
    }
}

/// Reads the text in a file; a missing file is empty.
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
