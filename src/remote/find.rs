//! Looks for an output in a remote.

use super::artifact::TreeArtifact;
use super::repository::{Reference, Repository};
use super::statement::{Judge, statements};
use super::tags;
use crate::digest::{DerivationId, Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::lock::LockedOutput;

/// Facts about an output that are known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Its tree: anybody may have it.
    Tree(TreeDigest),
    /// Its derivation: somebody who is trusted must say which tree it has.
    Derivation(DerivationId),
}

impl Wanted {
    /// Returns what the lock knows of an output.
    #[must_use]
    pub fn of(output: &LockedOutput) -> Self {
        // The seal of an earlier recipe is not for this derivation.
        match output.tree.filter(|_| output.earlier.is_none()) {
            Some(tree) => Self::Tree(tree),
            None => Self::Derivation(output.derivation),
        }
    }
}

/// A tree that a remote says it has.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The tree. What is received is compared with it.
    pub tree: TreeDigest,
    /// Its manifest.
    pub manifest: TreeArtifact,
    /// The digest of that.
    pub manifest_digest: Sha256Digest,
    /// Who says that the derivation has this tree, if that had to be said.
    pub signer: Option<String>,
}

/// Looks for an output. Returns `None` if the remote does not have it; fails with [`Kind::Mismatch`] if what it has
/// cannot be believed.
pub fn find(remote: &dyn Repository, wanted: Wanted, judge: &Judge) -> Result<Option<Offer>> {
    let told = |error: Error| error.fact("remote", remote.address());
    match wanted {
        Wanted::Tree(tree) => {
            let Some(text) = remote.manifest(Reference::Tag(&tags::of_tree(tree)))? else { return Ok(None) };
            let manifest = TreeArtifact::parse(&text).map_err(told)?;
            Ok(Some(Offer { tree, manifest, manifest_digest: Sha256Digest::of(&text), signer: None }))
        }
        Wanted::Derivation(_) if judge.trusts_nobody() => Ok(None),
        Wanted::Derivation(derivation) => by_statement(remote, derivation, judge).map_err(told),
    }
}

fn by_statement(remote: &dyn Repository, derivation: DerivationId, judge: &Judge) -> Result<Option<Offer>> {
    let tag = tags::of_derivation(derivation);
    let Some(text) = remote.manifest(Reference::Tag(&tag))? else { return Ok(None) };
    let mut refusal = None;
    let manifest_digest = Sha256Digest::of(&text);
    for statement in statements(remote, manifest_digest)? {
        match judge.check(derivation, &statement) {
            Ok(vouched) => {
                let manifest = TreeArtifact::parse(&text)?;
                let (tree, signer) = (vouched.statement.tree, Some(vouched.signer));
                return Ok(Some(Offer { tree, manifest, manifest_digest, signer }));
            }
            Err(error) => refusal = Some(error),
        }
    }
    Err(refusal.unwrap_or_else(|| {
        Error::new(Kind::Mismatch, "nobody has signed that the derivation has the tree that is offered")
            .fact("derivation", derivation)
    }))
}
