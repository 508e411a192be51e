//! Runs the `llama` recipe in the sandbox.

use std::collections::VecDeque;
use std::path::Path;

use crate::digest::DerivationId;
use crate::error::{Error, Result};
use crate::intake::Intake;
use crate::lock::GitPin;
use crate::progress::Unit;
use crate::recipe::LlamaRecipe;
use crate::recipe::llama::{self, Hip};
use crate::sandbox::{Mount, Sandbox};
use crate::store::{Staging, StoredTree, normalise};
use crate::tree::Listing;
use crate::tree::beneath::Root;
use crate::tree::scan::scan;

/// How many lines of the log a failure shows.
const LAST: usize = 30;

/// The name of the log in the staging directory that a build leaves.
pub(super) const LOG: &str = "log";

/// Builds llama.cpp; gives the staging directory with the install tree and the log, and what is in the tree.
pub(super) fn llama(
    intake: Intake,
    derivation: DerivationId,
    recipe: &LlamaRecipe,
    pin: &GitPin,
    source: &StoredTree,
    rocm: Option<&(Hip, StoredTree)>,
    jobs: usize,
) -> Result<(Staging, Listing)> {
    let staging = intake.store.stage()?;
    let (out, dest) = (staging.path().join("out"), staging.path().join("dest"));
    fs_err::create_dir(&out)?;
    fs_err::create_dir(&dest)?;
    let named = llama::Source { commit: &pin.commit, number: pin.number, time: pin.time };
    let hip = rocm.map(|(hip, _)| hip);
    let mount = |from: &Path, writable| Mount { from: from.to_path_buf(), writable };
    let mut sandbox = Sandbox {
        environment: llama::environment(&named, hip),
        directory: llama::BUILD.to_owned(),
        ..Sandbox::default()
    };
    sandbox.mounts.insert(llama::SOURCE.to_owned(), mount(&source.path, false));
    sandbox.mounts.insert(llama::BUILD.to_owned(), mount(&out, true));
    sandbox.mounts.insert(llama::DEST.to_owned(), mount(&dest, true));
    if let Some((hip, tree)) = rocm {
        sandbox.mounts.insert(hip.prefix.clone(), mount(&tree.path, false));
    }

    let task = intake.fetcher.progress().begin("llama", None, Unit::Steps);
    let log_path = staging.path().join(LOG);
    let mut log = fs_err::File::create(&log_path)?;
    for command in llama::commands(&llama::variables(recipe, &named, hip), jobs) {
        let mut last = VecDeque::new();
        let status = sandbox.run(&command, &mut log, &mut |line| {
            if let Some((done, total)) = ninja_step(line) {
                task.set_total(total);
                task.set_position(done);
            }
            last.push_back(line.to_owned());
            if last.len() > LAST {
                last.pop_front();
            }
        })?;
        if !status.success() {
            // The staging directory goes away; the log must not.
            let kept = intake.store.keep_failed_log(derivation, &log_path)?;
            return Err(Error::failure(format!(
                "`{}` failed in the build ({status})",
                command[..command.len().min(3)].join(" ")
            ))
            .fact("log", kept.display())
            .excerpt(Vec::from(last).join("\n")));
        }
    }
    drop(task);

    // What the build left is hostile too: a link in place of a directory must not lead to the host's files.
    let installed = recipe.prefix.trim_start_matches('/');
    Root::open(&dest)?.take_directory(installed.as_bytes(), &staging.path().join("tree")).map_err(|error| {
        Error::failure("the build did not install a directory at its prefix")
            .fact("expected", &recipe.prefix)
            .because(&error)
            .hint("check the cmake variables in the manifest")
    })?;
    let listing = scan(&staging.path().join("tree"))?;
    normalise(&staging.path().join("tree"), &listing)?;
    Ok((staging, listing))
}

/// `[12/304] Building ...`
fn ninja_step(line: &str) -> Option<(u64, u64)> {
    let (done, total) = line.strip_prefix('[')?.split_once(']')?.0.split_once('/')?;
    Some((done.trim().parse().ok()?, total.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninja_tells_how_far_it_is() {
        assert_eq!(ninja_step("[12/304] Building CXX object"), Some((12, 304)));
        assert_eq!(ninja_step("-- Configuring done [1]"), None);
    }
}
