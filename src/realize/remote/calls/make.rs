//! Makes the objects of a build.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::super::super::compile_cache::CacheUse;
use super::super::actions::{Remote, Step};
use super::super::script::{DATABASE, NEEDED, RECORD};
use super::command::Call;
use super::compile::{Compiled, Counts, Object};
use super::depfile;
use super::scan::{self, GENERATED, LISTS, NAMES, NINJA};
use super::sight::{Part, Seen, Sight};
use crate::error::{Error, Kind, Result};
use crate::recipe::build::{self, HIP_LAUNCHER};
use crate::text::visible;
use crate::tree::confined;
use crate::tree::scan::scan as scan_tree;

/// Bytes that are read of a file that a worker wrote at most; the commands of llama.cpp with all GPU kernels have 5 MB.
const MOST: u64 = 64 << 20;

/// Makes the objects of a configured build, each by an action of its own. Returns those that were made, and how many of
/// them the service had; nothing, if the settings do not cut the build into calls.
pub(in super::super) fn make(
    remote: &mut Remote,
    variables: &BTreeMap<String, String>,
) -> Result<(Vec<Object>, Option<CacheUse>)> {
    let build = remote.build;
    let (of, inputs) = (build.of, remote.inputs);
    if !build.cuts() {
        if build.builder.calls {
            writeln!(
                remote.log,
                "one action compiles all: the build writes into its sources, or has launchers of its own"
            )?;
        }
        return Ok((Vec::new(), None));
    }
    let record = remote.record(remote.rounds - 1);
    let listed = read(&record, DATABASE).and_then(|database| {
        let needed = read(&record, NEEDED)?;
        let calls = Call::read(&database, &String::from_utf8_lossy(&needed));
        calls.map_err(|error| Error::new(Kind::Mismatch, "cannot read the commands of Ninja").because(&error))
    });
    let calls = listed.unwrap_or_else(|error| {
        of.intake.fetcher.progress().note(&format!("one action compiles all: {}", error.message()));
        Vec::new()
    });
    if calls.is_empty() {
        return Ok((Vec::new(), None));
    }
    let found = scanned(remote, variables, &calls)?;
    let generated_at = found.join(GENERATED);
    // A service may leave out an empty directory.
    fs_err::create_dir_all(&generated_at)?;
    let generated = scan_tree(&generated_at)?;
    let built = read(&found, NAMES)?;
    let sight = Sight::new(
        Part { listing: &inputs.listing, directory: &inputs.source },
        Part { listing: &generated, directory: &generated_at },
        &String::from_utf8_lossy(&built),
        of.sysroot.as_ref().map_or(Path::new("/nonexistent"), |root| &root.path),
        of.rocm.as_ref().map(|(hip, tree)| (hip.prefix.as_str(), tree.path.as_path())),
    );
    let all = calls.len();
    let mut fit: Vec<(Call, Seen)> = Vec::new();
    for (number, call) in calls.into_iter().enumerate() {
        let list = read(&found, &format!("{LISTS}/{number}")).ok().and_then(|list| String::from_utf8(list).ok());
        let files = list.and_then(|list| depfile::read(&list)).ok_or_else(|| "its files are not known".to_owned());
        match files.and_then(|files| sight.of(&call, &files)) {
            Ok(seen) => fit.push((call, seen)),
            Err(why) => writeln!(remote.log, "left to the last action: {}: {}", visible(&call.object), visible(&why))?,
        }
    }
    let root = of.sysroot.as_ref().map(|root| root.digest.to_string()).unwrap_or_default();
    let compiled = Compiled {
        service: remote.service,
        builder: build.builder,
        cache: build.cache,
        inputs,
        environment: &build.environment,
        mark: root.rsplit(':').next().unwrap_or_default().to_owned(),
        at_once: of.settings.jobs,
        progress: of.intake.fetcher.progress(),
    };
    let (made, counts) = compiled.run(fit, remote.log, remote.task)?;
    if made.len() < all {
        let note = format!("{} of {all} compiler calls are left to the last action of the build", all - made.len());
        of.intake.fetcher.progress().note(&note);
    }
    let Counts { cached, by_worker } = counts;
    writeln!(remote.log, "compiler calls: {} of {all}, {cached} from the cache", made.len())?;
    for (worker, number) in by_worker {
        writeln!(remote.log, "  {} by {}", number, visible(&worker))?;
    }
    let used = CacheUse { hits: cached, compilations: all as u64 };
    Ok((made, Some(used)))
}

/// Lets a worker find out which files each call reads. Returns the directory with the results.
fn scanned(remote: &mut Remote, variables: &BTreeMap<String, String>, calls: &[Call]) -> Result<PathBuf> {
    let build = remote.build;
    let configure = build::commands(build.of.recipe, variables, 1).into_iter().next();
    let configure = configure.map(|(_, command)| command).unwrap_or_default();
    let script = scan::script(calls, &configure, build.jobs_in_action(), build.of.recipe.memory_per_job());
    let mut tree = remote.inputs.whole(HIP_LAUNCHER)?;
    tree.text(NINJA, &scan::ninja_file(calls))?;
    let tree = tree.finish(&build.mark())?;
    let to = remote.staging.join("scanned");
    let environment = &build.environment;
    remote.run(&Step { phase: "scan", script: &script, environment, tree: &tree, output: RECORD, to: &to })?;
    Ok(to)
}

/// Reads a file that a worker wrote.
fn read(directory: &Path, name: &str) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    confined::Root::open(directory)?.open_file(name.as_bytes())?.take(MOST).read_to_end(&mut text)?;
    Ok(text)
}
