//! Locked versions that are known to be bad, by the advisories of the lock and the decisions of the manifest.

use std::collections::BTreeSet;

use super::{Session, Ui};
use crate::error::{Error, Kind, Result};
use crate::lock::{Advice, Lock, known};
use crate::manifest::Policy;

/// Returns the project's decisions. A lock can be used without its manifest, and then has none.
pub(super) fn policy(session: &Session) -> Policy {
    session.manifest().map(|manifest| manifest.policy.clone()).unwrap_or_default()
}

/// Returns the locked versions that are known to be bad, without those that the manifest allows.
pub(super) fn advice(session: &Session, lock: &Lock) -> Vec<Advice> {
    let policy = policy(session);
    lock.advice().into_iter().filter(|one| !policy.allow.contains(&one.advisory.id)).collect()
}

/// Warns of locked versions that are known to be bad, and returns them. Fails if the manifest denies one.
pub(super) fn heed(session: &Session, lock: &Lock) -> Result<Vec<Advice>> {
    let all = advice(session, lock);
    let policy = policy(session);
    if let Some(denied) = all.iter().find(|one| policy.deny.contains(&one.advisory.id)) {
        return Err(Error::new(Kind::Invalid, format!("the manifest denies `{}`", denied.advisory.id))
            .fact("input", format!("{} {}", denied.input, denied.version))
            .fact("because", denied.advisory.text())
            .hint(format!("to take another version: {}", denied.remedy())));
    }
    warn(&session.ui, &all);
    Ok(all)
}

/// Prints a line for each.
pub(super) fn warn(ui: &Ui, all: &[Advice]) {
    for one in all {
        ui.warning(&one.text());
    }
}

/// Warns of names in the manifest that no advisory has.
pub(super) fn warn_of_unknown(session: &Session, lock: &Lock) {
    let policy = policy(session);
    let known: BTreeSet<String> = known(&lock.inputs).into_iter().map(|one| one.id).collect();
    for id in policy.allow.iter().chain(&policy.deny).filter(|id| !known.contains(*id)) {
        session
            .ui
            .warning(&format!("[advisories] names `{id}`, which is not known: `strixlock advisory list` shows all"));
    }
}
