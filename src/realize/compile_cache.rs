//! Builds that take objects of earlier compilations: ccache (<https://ccache.dev>) in the sandbox, with a cache in the
//! store.
//!
//! The cache is no part of a recipe, and a build comes out the same with and without it. CMake takes the launcher from
//! environment variables that only the sandbox has, so neither variables, commands nor derivation ids show it. A
//! launcher that a recipe has of its own calls ccache last.
//!
//! ccache compares the whole preprocessed text, for all GPUs and for the host. Its direct mode, which compares included
//! files, would be faster, but takes no notice of a new header that comes before another in the search path, nor of
//! `__has_include`. Compilers are told apart by the digests of the trees that they stand in, because all files in a
//! store have the same time; those of the host by the digests of its programs and their libraries.
//!
//! Trust: a build can put wrong objects into its cache. [`CacheScope`] says which later builds can find them: those of
//! the same project, input, origin and tools. `check` and `realize --seal` use no cache, and `--seal` builds again what
//! was made with one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{Read as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use super::build::Build;
use super::settings::CacheSettings;
use crate::digest::{DerivationId, Sha256Digest, TreeDigest};
use crate::error::{Error, Result};
use crate::inputs::LockedInput;
use crate::intake::Intake;
use crate::lock::Lock;
use crate::recipe::build::{HIP_LAUNCHER, SOURCE, TOOLS};
use crate::sandbox::{Mount, Root, Sandbox};
use crate::store::{CacheScope, CompileCache, Store};
use crate::text::visible;
use crate::tree::confined;

/// Path of the cache in the sandbox.
const OBJECTS: &str = "/build/cache";
/// Path of our own files in the sandbox: the launcher, and what it reports.
const OWN: &str = "/build/cached";
/// Path of ccache below a root.
const CCACHE: &str = "usr/bin/ccache";
/// File in which ccache reports each compilation.
const REPORT: &str = "report";
/// File with the messages of ccache when it could not work.
const FAILED: &str = "failed";
/// Bytes that are read of a report at most; that of llama.cpp has 50 kB.
const MOST: u64 = 16 << 20;
/// The most compiled files, and messages of ccache, that a log lists.
const LISTED: usize = 1000;

/// The compiler launcher. Where ccache fails, because it cannot write or because the source has an error, the compiler
/// runs without it. If that succeeds, one line of what ccache said is kept: the first that has an error, else the last.
const LAUNCHER: &str = r#"#!/bin/sh
said=$(/usr/bin/ccache "$@" 2>&1)
status=$?
if [ "$status" = 0 ]; then
  [ -z "$said" ] || printf '%s\n' "$said" >&2
  exit 0
fi
"$@" || exit
line=$(printf '%s\n' "$said" | grep -m 1 -i error 2> /dev/null || printf '%s\n' "$said" | tail -n 1)
printf '%s\n' "${line:-exit code $status}" >> /build/cached/failed
"#;

/// Prints the digests of the compilers in its arguments, of the programs that they run, and of all their libraries.
const TOOLS_OF_HOST: &str = r#"
of() {
  file=$(command -v "$1") || return 0
  sha256sum "$file" || exit
  ldd "$file" 2>/dev/null | while read -r _ arrow library _; do
    if [ "$arrow" = "=>" ] && [ -f "$library" ]; then sha256sum "$library"; fi
  done
}
for compiler; do
  of "$compiler"
  for program in cc1 cc1plus as; do of "$("$compiler" -print-prog-name="$program")"; done
done
"#;

/// True once a missing ccache was reported.
static REPORTED: AtomicBool = AtomicBool::new(false);

/// Numbers of compilations in a build.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheUse {
    /// Those whose object came from the cache.
    pub hits: u64,
    /// All of them.
    pub compilations: u64,
}

impl fmt::Display for CacheUse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {} compilations from the cache", self.hits, self.compilations)
    }
}

/// The compiler cache of a running build.
pub(super) struct BuildCache<'a> {
    intake: Intake<'a>,
    settings: CacheSettings,
    /// The directory of [`OWN`] on the host.
    own: PathBuf,
    held: Option<CompileCache>,
}

impl<'a> BuildCache<'a> {
    /// Gives a sandbox the compiler cache of a build. Returns `None` if there is no cache to use, and reports it if
    /// that is not as configured: the build goes on without.
    pub fn prepare(
        build: &Build<'a>,
        variables: &BTreeMap<String, String>,
        sandbox: &mut Sandbox,
        staging: &Path,
    ) -> Option<Self> {
        let (settings, progress) = (build.settings.compile_cache.clone()?, build.intake.fetcher.progress());
        if !sandbox.root.has(CCACHE) {
            if !REPORTED.swap(true, Ordering::Relaxed) {
                progress.note(&missing(&sandbox.root));
            }
            return None;
        }
        let named = |name: &str| variables.get(name).map(String::as_str);
        let (c, cxx) = (named("CMAKE_C_COMPILER").unwrap_or("cc"), named("CMAKE_CXX_COMPILER").unwrap_or("c++"));
        let compilers: Vec<&str> = [c, cxx].into_iter().chain(named("CMAKE_HIP_COMPILER")).collect();
        match Self::attach(build, settings, &compilers, sandbox, staging) {
            Ok(cache) => Some(cache),
            Err(error) => {
                progress.note(&format!("compiling without the compiler cache: {}", one_line(&error)));
                None
            }
        }
    }

    fn attach(
        build: &Build<'a>,
        settings: CacheSettings,
        compilers: &[&str],
        sandbox: &mut Sandbox,
        staging: &Path,
    ) -> Result<Self> {
        let trees = build.sysroot.iter().chain(build.rocm.iter().map(|(_, tree)| tree));
        let trees: BTreeSet<TreeDigest> = trees.map(|tree| tree.digest).collect();
        let mut tools: Vec<String> = trees.iter().map(ToString::to_string).collect();
        if matches!(sandbox.root, Root::Host) {
            tools.extend(tools_of_host(sandbox, compilers)?);
        }
        let scope = CacheScope {
            profile: settings.profile.clone(),
            source: build.recipe.project().source.to_owned(),
            origin: origin(build.input),
            trees,
        };
        let held = build.intake.store.compile_cache(&scope)?;
        let own = staging.join("cached");
        fs_err::create_dir(&own)?;
        write_program(&own.join("launcher"), LAUNCHER)?;
        if let Some(mount) = sandbox.mounts.get(TOOLS) {
            let launcher = HIP_LAUNCHER.replace("exec \"$@\"", &format!("exec {OWN}/launcher \"$@\""));
            write_program(&mount.from.join("hip-launcher"), &launcher)?;
        }
        for (inside, from) in [(OBJECTS, held.objects()), (OWN, own.clone())] {
            sandbox.mounts.insert(inside.to_owned(), Mount { from, writable: true });
        }
        let tools = Sha256Digest::of(tools.join("\n").as_bytes()).hex();
        // ccache keeps to its limit only roughly, and in thousands of bytes; 0 would be no limit.
        let most = (settings.most / 10 * 9 / 1000).max(1);
        for (name, value) in [
            ("CMAKE_C_COMPILER_LAUNCHER", format!("{OWN}/launcher")),
            ("CMAKE_CXX_COMPILER_LAUNCHER", format!("{OWN}/launcher")),
            ("CCACHE_DIR", OBJECTS.to_owned()),
            // Otherwise a file in the cache would configure it.
            ("CCACHE_CONFIGPATH", "/dev/null".to_owned()),
            ("CCACHE_TEMPDIR", "/tmp".to_owned()),
            ("CCACHE_NODIRECT", "1".to_owned()),
            ("CCACHE_NOINODECACHE", "1".to_owned()),
            ("CCACHE_COMPILERCHECK", format!("string:{tools}")),
            ("CCACHE_MAXSIZE", format!("{most}k")),
            ("CCACHE_STATSLOG", format!("{OWN}/{REPORT}")),
        ] {
            sandbox.environment.insert(name.to_owned(), value);
        }
        Ok(Self { intake: build.intake, settings, own, held: Some(held) })
    }

    /// Begins to count. CMake's own tries of the compilers came before.
    pub fn begin_compile(&self) {
        // Without them there is nothing to remove.
        for file in [REPORT, FAILED] {
            let _ = confined::Root::open(&self.own).and_then(|own| own.remove_file(file.as_bytes()));
        }
    }

    /// Writes into the log which files were compiled. Returns the numbers.
    pub fn finish(&self, log: &mut dyn Write) -> Result<CacheUse> {
        let report = self.read(REPORT);
        let (used, compiled) = count(&report);
        writeln!(log, "compiler cache: {used}")?;
        for file in compiled.iter().take(LISTED) {
            writeln!(log, "  compiled {}", visible(file.strip_prefix(&format!("{SOURCE}/")).unwrap_or(file)))?;
        }
        let failed = self.read(FAILED);
        if let Some(first) = failed.lines().next() {
            for line in failed.lines().take(LISTED) {
                writeln!(log, "  ccache failed: {}", visible(line))?;
            }
            let note = format!("compiled without the compiler cache where ccache failed: {}", visible(first));
            self.intake.fetcher.progress().note(&note);
        }
        Ok(used)
    }

    /// Reads a file of ours. The build could have written it too: no link is followed, and its size has a limit.
    fn read(&self, name: &str) -> String {
        let mut text = Vec::new();
        let file = confined::Root::open(&self.own).and_then(|own| own.open_file(name.as_bytes()));
        let _ = file.map(|file| file.take(MOST).read_to_end(&mut text));
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for BuildCache<'_> {
    fn drop(&mut self) {
        drop(self.held.take());
        if let Err(error) = self.intake.store.bound_compile_cache(self.settings.most) {
            let note = format!("cannot remove old compiler caches: {}", one_line(&error));
            self.intake.fetcher.progress().note(&note);
        }
    }
}

/// Describes a root without ccache, and how it gets one.
fn missing(root: &Root) -> String {
    let hint = match root {
        Root::Host => "`sudo apt-get install ccache`",
        Root::Tree(_) => "add `ccache` to the packages of the sysroot in the manifest, and run `strixlock update`",
    };
    format!(
        "compiling without the compiler cache: missing from /usr/bin of the build: ccache. To compile only what changed \
         next time: {hint}. To build without a cache and this note: `compile-cache = false` in the configuration"
    )
}

/// Returns the digests of the host's compilers.
fn tools_of_host(sandbox: &Sandbox, compilers: &[&str]) -> Result<Vec<String>> {
    let mut command: Vec<String> = ["sh", "-c", TOOLS_OF_HOST, "sh"].map(str::to_owned).into();
    command.extend(compilers.iter().map(|compiler| (*compiler).to_owned()));
    let mut lines = Vec::new();
    let status = sandbox.run(&command, &mut std::io::sink(), &mut |line| lines.push(line.to_owned()))?;
    if !status.success() || lines.is_empty() {
        let said = visible(lines.last().map_or("", String::as_str));
        return Err(Error::failure("cannot identify the compilers of the host").fact("sh says", said));
    }
    Ok(lines)
}

/// Returns where an input comes from, without its version: whoever can write there can write into the cache.
fn origin(input: &LockedInput) -> String {
    input.origin().unwrap_or_else(|| {
        let whole = serde_json::to_value(input).unwrap_or_default();
        whole.get("requested").map(ToString::to_string).unwrap_or_default()
    })
}

/// Counts the compilations in a report of ccache: for each call a line `# FILE` and then a line per event. Returns the
/// numbers, and the files that were compiled.
fn count(report: &str) -> (CacheUse, Vec<&str>) {
    let (mut used, mut compiled) = (CacheUse::default(), Vec::new());
    let mut lines = report.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(file) = line.strip_prefix("# ") else { continue };
        let mut events = BTreeSet::new();
        while let Some(event) = lines.next_if(|line| !line.starts_with("# ")) {
            events.insert(event);
        }
        let had = |names: &[&str]| names.iter().any(|name| events.contains(name));
        if had(&["called_for_link", "called_for_preprocessing", "no_input_file", "autoconf_test"]) {
            continue;
        }
        used.compilations += 1;
        if had(&["preprocessed_cache_hit", "direct_cache_hit"]) {
            used.hits += 1;
        } else {
            compiled.push(file);
        }
    }
    (used, compiled)
}

/// Returns the numbers of the build that made an output, if it used a cache.
pub(super) fn used(store: &Store, derivation: DerivationId) -> Option<CacheUse> {
    #[derive(Deserialize)]
    struct About {
        compile_cache: CacheUse,
    }
    let text = fs_err::read(store.output_about(derivation)?).ok()?;
    serde_json::from_slice::<About>(&text).ok().map(|about| about.compile_cache)
}

/// Returns true if something in the output `name`, or in an output that it is made from, came from a cache.
pub(super) fn is_from_cache(lock: &Lock, store: &Store, name: &str) -> bool {
    // Reading the lock checked that no output is made from itself.
    let Some(output) = lock.outputs.get(name) else { return false };
    used(store, output.derivation).is_some_and(|used| used.hits > 0)
        || output.recipe.outputs().into_iter().any(|(_, part)| is_from_cache(lock, store, part))
}

/// Returns an error as one line.
fn one_line(error: &Error) -> String {
    let text = error.to_string();
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

fn write_program(path: &Path, text: &str) -> Result<()> {
    fs_err::write(path, text)?;
    Ok(fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilations_are_counted_and_links_are_not() {
        let report = "# /build/source/a.c\ncache_miss\nlocal_storage_miss\n# /build/source/b.c\nlocal_storage_hit\n\
                      preprocessed_cache_hit\n# a.o\ncalled_for_link\n# c.c\ncompile_failed\n";
        let (used, compiled) = count(report);
        assert_eq!(used.to_string(), "1 of 3 compilations from the cache");
        assert_eq!(compiled, ["/build/source/a.c", "c.c"]);
        for hostile in ["", "\n\n", "# ", "x\n# \n# \n", "called_for_link\n"] {
            assert_eq!(count(hostile).0.hits, 0, "{hostile:?}");
        }
    }

    #[test]
    fn a_root_without_ccache_is_told_with_the_way_to_get_it() {
        let told = missing(&Root::Tree(PathBuf::from("/sysroot")));
        assert!(
            told.contains("add `ccache` to the packages of the sysroot in the manifest, and run `strixlock update`")
        );
        assert!(missing(&Root::Host).contains("`sudo apt-get install ccache`"));
    }

    #[test]
    fn a_launcher_of_the_recipe_calls_ccache_last() {
        let launcher = HIP_LAUNCHER.replace("exec \"$@\"", "exec ccache \"$@\"");
        assert!(launcher.ends_with("exec ccache \"$@\" \"-cuid=${id%% *}\"\n"), "{launcher}");
    }

    /// Runs the launcher with a ccache and a compiler that do this. Returns its exit code, and all that it said and
    /// kept.
    fn launched(ccache: &str, compiler: &str) -> (Option<i32>, String) {
        let place = tempfile::tempdir().unwrap();
        let (ccache_path, failed) = (place.path().join("ccache"), place.path().join("failed"));
        write_program(&ccache_path, &format!("{ccache}\n")).unwrap();
        let script = LAUNCHER.replace("/usr/bin/ccache", &format!("sh {}", ccache_path.display()));
        let script = script.replace("/build/cached/failed", &failed.display().to_string());
        let mut shell = std::process::Command::new("sh");
        let ran = shell.args(["-c", &script, "sh", "sh", "-c", compiler]).output().unwrap();
        let text = [ran.stdout, ran.stderr, std::fs::read(failed).unwrap_or_default()].concat();
        (ran.status.code(), String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_ccache_that_cannot_work_stops_no_build() {
        let compiles = "echo compiled";
        assert_eq!(launched("exit 0", compiles), (Some(0), String::new()));
        assert_eq!(launched("echo 'a.c: warning: x' >&2", compiles), (Some(0), "a.c: warning: x\n".to_owned()));
        let full = "ccache: error: Failed to create directory: No space left on device";
        let kept = format!("compiled\n{full}\n");
        assert_eq!(launched(&format!("echo '{full}' >&2; exit 1"), compiles), (Some(0), kept));
        // Some shells say that it was killed.
        let (code, said) = launched("kill -9 $$", compiles);
        assert!(code == Some(0) && said.starts_with("compiled\n") && said.ends_with("exit code 137\n"), "{said}");
        // An error of the source is told once.
        let fails = "echo 'a.c: error: x' >&2; exit 1";
        assert_eq!(launched(fails, fails), (Some(1), "a.c: error: x\n".to_owned()));
    }
}
