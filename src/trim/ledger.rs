//! The kept files with their reasons, and the chain that leads to each.

use std::collections::BTreeMap;

use super::mount::Found;
use super::{Reason, Rule};
use crate::error::Error;
use crate::tree::show;

/// The kept files of both trees, by path in the system. The first reason of a file stays. So its `by` was kept before
/// it, and chains end.
#[derive(Default, Debug)]
pub(super) struct Ledger {
    reasons: BTreeMap<Vec<u8>, Reason>,
}

impl Ledger {
    pub fn reasons(&self) -> &BTreeMap<Vec<u8>, Reason> {
        &self.reasons
    }

    /// Keeps one file or link.
    pub fn keep(&mut self, path: &[u8], rule: Rule, by: Option<&[u8]>) {
        if !self.reasons.contains_key(path) {
            self.reasons.insert(path.to_vec(), Reason { rule, by: by.map(<[u8]>::to_vec) });
        }
    }

    /// Keeps the links on the way to a file, and the file.
    pub fn keep_found(&mut self, found: &Found, rule: Rule, by: Option<&[u8]>) {
        let (mut rule, mut by) = (rule, by.map(<[u8]>::to_vec));
        // Directories are not kept by themselves. If the path leads to one, only the links are kept.
        let end = (!found.directory).then_some(&found.real);
        for path in found.links.iter().chain(end) {
            self.keep(path, rule, by.as_deref());
            (rule, by) = (Rule::LinkTarget, Some(path.clone()));
        }
    }

    /// Returns the chain from a root down to `path`: empty if `path` is not kept.
    pub fn chain(&self, path: &[u8]) -> Vec<(Vec<u8>, Rule)> {
        let mut chain = Vec::new();
        let mut next = Some(path);
        while let Some((path, reason)) = next.and_then(|path| self.reasons.get_key_value(path)) {
            chain.push((path.clone(), reason.rule));
            next = reason.by.as_deref();
        }
        chain.reverse();
        chain
    }

    /// Adds the chain that leads to `path` to an error.
    pub fn explain(&self, error: Error, path: &[u8]) -> Error {
        self.chain(path).iter().fold(error, |error, (path, rule)| error.fact(rule.label(), show(path)))
    }
}
