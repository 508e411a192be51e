//! Makes the outputs, and puts them where they are wanted: copies, or a generation and its links.

use std::collections::BTreeMap;
use std::path::Path;

use super::RealizeArgs;
use super::links::Links;
use super::plan::Job;
use super::receive::from_archive;
use super::seal::seal;
use crate::archive::Taken;
use crate::cli::Session;
use crate::cli::switch::PreviousGeneration;
use crate::error::{About, Error, Kind, Result};
use crate::lock::Lock;
use crate::realize::{Plan, Realized, Realizer, keep, switch, unknown_models};
use crate::store::{Store, checkout};

/// The outputs of a run.
pub(super) struct Made {
    /// The lock of the outputs, with the seals that this run wrote.
    pub lock: Lock,
    /// The outputs that were asked for.
    pub realized: BTreeMap<String, Realized>,
    /// Contents that were taken from the archive.
    pub from_archive: Option<Taken>,
    /// The generation that has the outputs.
    pub generation: Option<MadeGeneration>,
    /// Commands for the links that only root can make.
    pub left: Vec<String>,
}

/// The generation of a run.
pub(super) struct MadeGeneration {
    pub number: u64,
    /// The generation that was current before; `None` too if nothing was switched.
    pub before: Option<PreviousGeneration>,
}

impl Made {
    /// Does what the plan says.
    pub fn make(job: &Job, plan: &Plan, links: &Links) -> Result<Self> {
        let (args, ui) = (job.args, &job.session.ui);
        let realizer = make_realizer(args, job.session, &job.lock)?;
        let from_archive = from_archive(job, plan)?;
        let mut realized = realizer.run(plan)?;
        ui.total();
        for warning in unknown_models(&job.lock, job.store)? {
            ui.warning(&warning);
        }
        let lock = if args.seal {
            seal(&job.session.project.lock_path(), &job.lock, realized.iter().filter(|(name, _)| args.names(name)))?
        } else {
            job.lock.clone()
        };
        let (mut generation, mut left) = (None, Vec::new());
        if let Some(to) = &args.to {
            write_copies(args, job.store, to, realized.iter().filter(|(name, _)| args.names(name)))?;
        } else {
            let profile = job.session.profile()?;
            if args.no_switch {
                generation = Some(MadeGeneration { number: keep(&profile, &lock, &realized)?, before: None });
            } else {
                let before = PreviousGeneration::of(&profile)?;
                let (number, _) = switch(&profile, &lock, &realized)?;
                generation = Some(MadeGeneration { number, before });
                left = links.make(ui, &realized, job.store, &profile)?;
            }
        }
        realized.retain(|name, _| args.names(name));
        Ok(Self { lock, realized, from_archive, generation, left })
    }
}

/// Returns the realizer with the settings of these options.
fn make_realizer<'s>(args: &RealizeArgs, session: &'s Session, lock: &'s Lock) -> Result<Realizer<'s>> {
    let builder = args.build.builder.as_ref();
    if args.seal {
        session.sealing_realizer(lock, args.jobs, builder)
    } else {
        session.caching_realizer(lock, args.jobs, builder)
    }
}

/// Writes plain copies of outputs below a directory.
fn write_copies<'r>(
    args: &RealizeArgs,
    store: &Store,
    to: &Path,
    mut outputs: impl Iterator<Item = (&'r String, &'r Realized)>,
) -> Result<()> {
    if std::path::absolute(to)?.starts_with(store.root()) {
        return Err(Error::new(Kind::Usage, "cannot write copies into the store").fact("path", to.display()));
    }
    outputs
        .try_for_each(|(name, output)| checkout(&output.tree, &to.join(name), args.link_mode, args.force).about(name))
}
