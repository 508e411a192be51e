//! The links of --prefix and --prefix-from, from fixed paths to the current generation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::RealizeArgs;
use super::plan::Job;
use crate::cli::Ui;
use crate::cli::session::described;
use crate::error::{About, Error, Result};
use crate::lock::{Lock, LockedOutput};
use crate::realize::prefix::{self, Lead, Linked};
use crate::realize::{Plan, Realized, StepKind, place};
use crate::recipe::OutputRole;
use crate::store::{Profile, Store};
use crate::toolbox_env::ToolboxEnv;

/// The path of each output's link, by the output's name.
pub(super) struct Links(BTreeMap<String, PathBuf>);

impl Links {
    /// Plans the links of the outputs that are planned. Fails if one cannot be made.
    pub fn plan(job: &Job, plan: &Plan) -> Result<Self> {
        let args = job.args;
        let mut places = places(args, &job.lock)?;
        places.retain(|name, _| plan.steps.iter().any(|step| step.what == StepKind::Output && step.name == *name));
        if args.prefix_from.is_some() {
            demand_apart(&places)?;
        }
        let profile = job.session.profile()?;
        for (name, place) in &places {
            prefix::check_place(place).about(name)?;
            if args.prefix_from.is_some() && !args.force {
                prefix::refuse_other(place, &Lead::to(job.store, &profile, name)).about(name)?;
            }
        }
        Ok(Self(places))
    }

    /// Makes the links. Returns the commands for those that only root can make.
    pub fn make(
        &self,
        ui: &Ui,
        realized: &BTreeMap<String, Realized>,
        store: &Store,
        profile: &Profile,
    ) -> Result<Vec<String>> {
        let mut left = Vec::new();
        for name in realized.keys() {
            let Some(place) = self.0.get(name) else { continue };
            match prefix::link(place, &Lead::to(store, profile, name))? {
                Linked::Already | Linked::Made => {}
                Linked::BackedUp(backup) => {
                    ui.warning(&format!(
                        "{} was not made by strixlock: renamed to {}",
                        place.display(),
                        backup.display()
                    ));
                }
                Linked::Replaced(old) => {
                    let (place, old) = (place.display(), old.display());
                    ui.warning(&format!(
                        "{place} pointed to {old}: it now points to the generations of {}",
                        described(profile)
                    ));
                }
                Linked::LeftForRoot(command) => left.push(command),
            }
        }
        Ok(left)
    }
}

/// Returns the path of each output's link, if links were asked for.
fn places(args: &RealizeArgs, lock: &Lock) -> Result<BTreeMap<String, PathBuf>> {
    let Some(file) = &args.prefix_from else {
        return Ok(args.prefix.as_ref().map(|prefix| below(prefix, lock)).unwrap_or_default());
    };
    let env = ToolboxEnv::read(file)?;
    let mut wanted = [("rocm", env.rocm_home), ("llama", env.llama_install_dir)];
    let place = |(name, output): (&String, &LockedOutput)| {
        let kind = if output.recipe.is(OutputRole::Rocm) { "rocm" } else { output.recipe.kind() };
        let named = wanted.iter_mut().find(|(wanted, _)| *wanted == kind);
        // A second output of the same kind keeps its own prefix.
        let place = named.and_then(|(_, place)| place.take()).or(lock.prefix_of(name).map(str::to_owned))?;
        Some((name.clone(), PathBuf::from(place)))
    };
    Ok(uncovered(lock).filter_map(place).collect())
}

/// Fails if two outputs would have the same path, or one would lie inside the other.
fn demand_apart(places: &BTreeMap<String, PathBuf>) -> Result<()> {
    for (at, (name, place)) in places.iter().enumerate() {
        if let Some((other, there)) = places.iter().take(at).find(|(_, there)| place::overlap(place, there)) {
            return Err(Error::failure("the paths of two outputs overlap")
                .fact("path", format!("{}  {name}", place.display()))
                .fact("other", format!("{}  {other}", there.display())));
        }
    }
    Ok(())
}

/// Returns paths for all outputs in one directory, named like their own prefixes.
fn below(prefix: &Path, lock: &Lock) -> BTreeMap<String, PathBuf> {
    let place = |(name, _): (&String, &LockedOutput)| {
        Some((name.clone(), prefix.join(Path::new(lock.prefix_of(name)?).file_name()?)))
    };
    uncovered(lock).filter_map(place).collect()
}

/// Returns the outputs that no other is laid over: one that is has given its place away. Variants have the prefix of
/// the output that they are one of, which keeps it.
fn uncovered(lock: &Lock) -> impl Iterator<Item = (&String, &LockedOutput)> {
    let covered: BTreeSet<&str> = lock.outputs.values().filter_map(|output| output.recipe.base()).collect();
    lock.outputs.iter().filter(move |(name, _)| !covered.contains(name.as_str()) && lock.variant(name).is_none())
}
