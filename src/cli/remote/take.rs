//! Takes outputs from remotes.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{judge, open_one};
use crate::cli::Session;
use crate::cli::choices::BuildArgs;
use crate::cli::progress::took;
use crate::cli::session::RemoteSetting;
use crate::digest::TreeDigest;
use crate::error::{Error, Kind, Result};
use crate::fetch::Access;
use crate::lock::Lock;
use crate::progress::Progress;
use crate::realize::{Action, Plan, StepKind};
use crate::recipe::Origin;
use crate::remote::{Judge, Offer, Received, Repository, Wanted, find, is_odd, notes, pull};
use crate::store::{BuildFile, OutputRecord, Store};
use crate::text;

/// An output that was taken from a remote.
#[derive(Debug, Clone, Serialize)]
pub struct Taken {
    /// Its name.
    pub output: String,
    /// The name of the remote.
    pub remote: String,
    /// Its tree.
    pub tree: TreeDigest,
    /// Compressed bytes that were received.
    pub bytes: u64,
    /// Bytes of the tree that the store had.
    pub had: u64,
    /// Who signed that the derivation has this tree; null if the lock says so.
    pub signer: Option<String>,
    /// The seconds that its build took, in the words of whoever pushed it.
    pub build_seconds: Option<u64>,
}

/// A remote that is asked, until it cannot be reached.
struct Asked<'s> {
    name: String,
    remote: Box<dyn Repository + 's>,
    is_down: bool,
}

/// Remotes, and what was taken from them.
pub struct Taking<'s> {
    session: &'s Session,
    store: &'s Store,
    judge: Judge,
    asked: Vec<Asked<'s>>,
    taken: Vec<Taken>,
}

impl<'s> Taking<'s> {
    /// Opens remotes.
    pub fn open(session: &'s Session, remotes: Vec<RemoteSetting>) -> Result<Self> {
        let mut asked = Vec::new();
        for remote in remotes {
            let opened = open_one(session, &remote, Access::Read)?;
            asked.push(Asked { name: remote.name, remote: opened, is_down: false });
        }
        let (store, judge) = (session.store()?, judge(session)?);
        Ok(Self { session, store, judge, asked, taken: Vec::new() })
    }

    /// Opens the remotes that a command with these options asks before building.
    pub fn before_building(session: &'s Session, args: &BuildArgs) -> Result<Self> {
        Self::open(session, if args.no_remotes { Vec::new() } else { session.remotes_to_ask()? })
    }

    /// Returns whether there is nobody who can say which tree an output has: it has no seal, and nobody is trusted.
    pub fn lacks_trust(&self, lock: &Lock, name: &str) -> Result<bool> {
        Ok(self.judge.trusts_nobody() && matches!(Wanted::of(lock.output(name)?), Wanted::Derivation(_)))
    }

    /// Returns whether none of the remotes can be reached.
    #[must_use]
    pub fn are_down(&self) -> bool {
        self.asked.iter().all(|asked| asked.is_down)
    }

    /// Takes the outputs that a plan builds, as far as remotes have them, and plans again: parts of an output that was
    /// taken are not needed. Outputs in `except` are not asked for. A remote that fails is told, and building goes on.
    pub fn take_planned(
        &mut self,
        lock: &Lock,
        mut plan: Plan,
        except: &dyn Fn(&str) -> bool,
        again: &dyn Fn() -> Result<Plan>,
    ) -> Result<Plan> {
        let mut done: BTreeSet<String> = BTreeSet::new();
        while !self.are_down() {
            // What others are made from stands first, and is not needed once those are there.
            let is_built = |name: &&str| !done.contains(*name) && !except(name);
            let builds = plan.steps.iter().filter(|step| step.what == StepKind::Output && step.action == Action::Build);
            let Some(name) = builds.map(|step| step.name.as_str()).rfind(is_built).map(str::to_owned) else { break };
            done.insert(name.clone());
            if self.lacks_trust(lock, &name)? {
                self.session.ui.progress.note(&format!(
                    "{name}: no remote is asked: it has no seal, and nobody is trusted to say what it is (`strixlock trust add`)"
                ));
            } else if self.take(lock, &name, true)? {
                plan = again()?;
            }
        }
        Ok(plan)
    }

    /// Takes an output from the first remote that has it. Returns `false` if none has. With `is_lenient` failures of
    /// remotes are told, and the next one is asked.
    pub fn take(&mut self, lock: &Lock, name: &str, is_lenient: bool) -> Result<bool> {
        let wanted = Wanted::of(lock.output(name)?);
        let progress = &*self.session.ui.progress;
        for asked in &mut self.asked {
            if asked.is_down {
                continue;
            }
            let found = find(&*asked.remote, wanted, &self.judge);
            let received = match found {
                Ok(None) => continue,
                Ok(Some(offer)) => {
                    receive(&*asked.remote, self.store, name, &offer, progress).map(|received| (offer, received))
                }
                Err(error) => Err(error),
            };
            match received {
                Ok((offer, received)) => {
                    let taken = record(self.store, lock, name, &asked.name, &offer, received)?;
                    if let Err(error) = keep_notes(&*asked.remote, self.store, lock, name, &offer) {
                        let why = error.message();
                        self.session.ui.warning(&format!("{name}: the log of its build was not received: {why}"));
                    }
                    progress.note(&told(&taken));
                    self.taken.push(taken);
                    return Ok(true);
                }
                Err(error) if is_lenient && is_of_remote(&error) => {
                    asked.is_down |= error.kind() == Kind::Unreachable;
                    self.session.ui.warning(&passed_over(&asked.name, name, &error));
                }
                Err(error) => return Err(error.about(name)),
            }
        }
        Ok(false)
    }

    /// Returns what was taken, at the end.
    #[must_use]
    pub fn into_taken(self) -> Vec<Taken> {
        self.taken
    }

    /// Returns what was taken so far.
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }
}

fn receive(
    remote: &dyn Repository,
    store: &Store,
    name: &str,
    offer: &Offer,
    progress: &dyn Progress,
) -> Result<Received> {
    pull(remote, store, &offer.manifest, offer.tree, name, progress).map(|(_, received)| received)
}

/// Records an output that was taken.
fn record(store: &Store, lock: &Lock, name: &str, remote: &str, offer: &Offer, received: Received) -> Result<Taken> {
    let derivation = lock.output(name)?.derivation;
    store.publish_output(derivation, &OutputRecord { name: name.to_owned(), tree: offer.tree }, None)?;
    let signed = offer.signer.as_ref().map(|signer| format!(", signed by {signer}")).unwrap_or_default();
    store.record_received(derivation, &format!("{remote}{signed}"))?;
    Ok(Taken {
        output: name.to_owned(),
        remote: remote.to_owned(),
        tree: offer.tree,
        bytes: received.bytes,
        had: received.had,
        signer: offer.signer.clone(),
        build_seconds: offer.manifest.about.seconds,
    })
}

/// Keeps what the remote has about the build of an output that was taken.
fn keep_notes(remote: &dyn Repository, store: &Store, lock: &Lock, name: &str, offer: &Offer) -> Result<()> {
    let output = lock.output(name)?;
    if output.recipe.origin() == Origin::Taken {
        return Ok(());
    }
    let notes = notes(remote, offer.manifest_digest, output.derivation)?.unwrap_or_default();
    for (file, text) in [(BuildFile::Log, notes.log), (BuildFile::About, notes.about)] {
        if let Some(text) = text {
            store.keep_received(output.derivation, file, &text)?;
        }
    }
    Ok(())
}

/// Returns the line for an output that was taken.
fn told(taken: &Taken) -> String {
    let Taken { output, remote, bytes, signer, build_seconds, .. } = taken;
    let by = match signer {
        Some(signer) => format!("as {signer} signed"),
        None => "as the lock has it".to_owned(),
    };
    let cost = build_seconds.map(|seconds| {
        let time = took(std::time::Duration::from_secs(seconds));
        format!("; whoever pushed it says that its build took {time}")
    });
    format!("{output}: took {} from {remote}, {by}{}", text::bytes(*bytes), cost.unwrap_or_default())
}

/// Returns whether an error is the remote's, not that of this machine.
fn is_of_remote(error: &Error) -> bool {
    is_odd(error) || error.kind() == Kind::Unreachable
}

fn passed_over(remote: &str, name: &str, error: &Error) -> String {
    let cause = error.cause().map(|cause| format!(": {cause}")).unwrap_or_default();
    let facts = error.facts().find(|(label, _)| *label == "url").map(|(_, url)| format!(" ({url})"));
    format!("passed over the remote {remote} for {name}: {}{cause}{}", error.message(), facts.unwrap_or_default())
}
