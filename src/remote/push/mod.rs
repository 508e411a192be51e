//! Sends trees to a remote: only pieces that it does not have, in new packs.
//!
//! In this order, so that a push that is killed leaves nothing wrong, and the next one sends only what is missing: the
//! packs are blobs whose bytes follow from the tree and from what the remote had before; then listing and index; then
//! the manifest, by which the tree is there; then the record of the push. Last, all of it is looked for: a remote that
//! cannot be locked may have lost packs to `remote gc` after they were found.

mod cutting;
mod packs;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::artifact::{About, MOST_PACKS, TreeArtifact};
use super::index::{Content, Piece, contents};
use super::known::Known;
use super::record::{PushRecord, PushedOutput, records};
use super::repository::{Reference, Repository, is_odd, missing};
use super::{small, tags};
use crate::digest::{DerivationId, Promise, Sha256Digest, TreeDigest};
use crate::error::{About as _, Error, Kind, Result};
use crate::oci::artifact::EMPTY_CONFIG;
use crate::oci::document::MANIFEST;
use crate::progress::Progress;
use crate::store::{Staging, Store, StoredTree};
use crate::tree::Listing;

use cutting::Cuts;

/// Number of earlier pushes whose packs are looked at.
const RECORDS: usize = 3;

/// An output to push.
pub struct Outgoing {
    /// Its name, its version, and how long its build took.
    pub about: About,
    /// Its derivation.
    pub derivation: DerivationId,
    /// Its tree.
    pub tree: StoredTree,
}

/// An output that the remote has now.
#[derive(Debug, Clone, Serialize)]
pub struct Pushed {
    /// The name.
    pub name: String,
    /// The tree.
    pub tree: TreeDigest,
    /// The digest of the manifest.
    pub manifest: Sha256Digest,
    /// The size of the tree.
    pub size: u64,
    /// True if the remote had it.
    pub there: bool,
}

/// The result of a push.
#[derive(Debug, Clone, Serialize)]
pub struct Sent {
    /// The outputs.
    pub outputs: Vec<Pushed>,
    /// Number of bytes in new packs.
    pub bytes: u64,
    /// Number of new packs.
    pub packs: usize,
    /// Number of bytes that the remote had, before compression.
    pub reused: u64,
}

/// One tree of a push.
struct Tree<'a> {
    outgoing: &'a Outgoing,
    listing: &'a Listing,
    contents: Vec<Content<'a>>,
}

/// A push.
pub(super) struct Push<'a> {
    remote: &'a dyn Repository,
    staging: Staging,
    progress: &'a dyn Progress,
    known: Known,
    cuts: Cuts,
}

/// Sends trees, and records that they belong to `lock`.
pub fn push(
    remote: &dyn Repository,
    store: &Store,
    outputs: &[Outgoing],
    lock: &str,
    progress: &dyn Progress,
) -> Result<Sent> {
    let listings = outputs.iter().map(|output| output.tree.listing()).collect::<Result<Vec<_>>>()?;
    let mut push = Push { remote, staging: store.stage()?, progress, known: Known::default(), cuts: Cuts::default() };
    let mut trees: Vec<Tree> = Vec::new();
    for (outgoing, listing) in outputs.iter().zip(&listings) {
        trees.push(Tree { outgoing, listing, contents: contents(listing) });
    }
    let mut there: BTreeMap<TreeDigest, (Sha256Digest, TreeArtifact)> = BTreeMap::new();
    for tree in &trees {
        if let Some(found) = push.find(tree)? {
            there.insert(tree.outgoing.tree.digest, found);
        }
    }
    let is_there = |tree: &Tree| there.contains_key(&tree.outgoing.tree.digest);
    let mut sent = Sent { outputs: Vec::new(), bytes: 0, packs: 0, reused: 0 };
    if !trees.iter().all(is_there) {
        small::put(remote, EMPTY_CONFIG, push.staging.path())?;
        push.look_at_earlier(store, &trees)?;
        let missing: Vec<&Tree> = trees.iter().filter(|tree| !is_there(tree)).collect();
        push.send(&missing, &mut sent)?;
    }
    for tree in &trees {
        let digest = tree.outgoing.tree.digest;
        if is_there(tree) {
            sent.reused += tree.listing.total_size();
        }
        let known = there.get(&digest).map(|(manifest, _)| *manifest);
        let manifest = match known {
            Some(manifest) => manifest,
            None => push.finish(tree).about(&tree.outgoing.about.name)?,
        };
        push.hint(tree, manifest)?;
        let (name, size) = (tree.outgoing.about.name.clone(), tree.listing.total_size());
        sent.outputs.push(Pushed { name, tree: digest, manifest, size, there: known.is_some() });
    }
    let output = |(pushed, outgoing): (&Pushed, &Outgoing)| {
        let (derivation, version) = (outgoing.derivation, outgoing.about.version.clone());
        (pushed.name.clone(), PushedOutput { derivation, tree: pushed.tree, manifest: pushed.manifest, version })
    };
    let record = PushRecord { outputs: sent.outputs.iter().zip(outputs).map(output).collect() };
    record.put(remote, lock, push.staging.path())?;
    sent.outputs.iter().try_for_each(|pushed| demand_whole(remote, pushed))?;
    Ok(sent)
}

/// Fails if a tree is not there any more: a push uses packs that were there, and another command may remove them
/// meanwhile.
fn demand_whole(remote: &dyn Repository, pushed: &Pushed) -> Result<()> {
    let gone = || {
        Error::new(Kind::Busy, "the remote does not have all that this push needs")
            .about(&pushed.name)
            .fact("remote", remote.address())
            .hint("another command, such as `strixlock remote gc`, may have removed it: push again when that is done")
    };
    let text = remote.manifest(Reference::Digest(pushed.manifest))?.ok_or_else(gone)?;
    let manifest = TreeArtifact::parse(&text)?;
    if missing(remote, &manifest.blobs())?.is_empty() { Ok(()) } else { Err(gone()) }
}

impl Push<'_> {
    /// Returns the manifest of a tree that the remote has with all of its blobs. Damaged ones are replaced.
    fn find(&mut self, tree: &Tree) -> Result<Option<(Sha256Digest, TreeArtifact)>> {
        let tag = tags::of_tree(tree.outgoing.tree.digest);
        let Some(text) = self.remote.manifest(Reference::Tag(&tag))? else { return Ok(None) };
        let Ok(manifest) = TreeArtifact::parse(&text) else { return Ok(None) };
        // The tag may lead to anything.
        match small::read_listing(self.remote, &manifest, tree.outgoing.tree.digest) {
            Err(error) if is_odd(&error) => return Ok(None),
            other => other.map(drop)?,
        }
        let added = self.add_known(&manifest, &tree.contents)?;
        let is_whole = added && missing(self.remote, &manifest.blobs())?.is_empty();
        Ok(is_whole.then(|| (Sha256Digest::of(&text), manifest)))
    }

    /// Adds the packs of a tree, if its index can be read.
    fn add_known(&mut self, manifest: &TreeArtifact, contents: &[Content]) -> Result<bool> {
        match small::read_index(self.remote, manifest, contents) {
            Ok(pieces) => {
                self.known.add_tree(contents, pieces, &manifest.packs);
                Ok(true)
            }
            Err(error) if is_odd(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Adds the packs of earlier pushes. What is odd there is passed over: it is only not used.
    fn look_at_earlier(&mut self, store: &Store, trees: &[Tree]) -> Result<()> {
        let mut seen: HashSet<TreeDigest> = trees.iter().map(|tree| tree.outgoing.tree.digest).collect();
        for record in records(self.remote)?.into_iter().take(RECORDS) {
            let record = match record.read(self.remote) {
                Err(error) if is_odd(&error) => continue,
                record => record?,
            };
            for output in record.outputs.values() {
                if !seen.insert(output.tree) {
                    continue;
                }
                let Some(text) = self.remote.manifest(Reference::Digest(output.manifest))? else { continue };
                let Ok(manifest) = TreeArtifact::parse(&text) else { continue };
                let listing = match store.listing(output.tree) {
                    Ok(Some(listing)) => listing,
                    _ => match small::read_listing(self.remote, &manifest, output.tree) {
                        Err(error) if is_odd(&error) => continue,
                        other => other?,
                    },
                };
                self.add_known(&manifest, &contents(&listing))?;
            }
        }
        let gone = missing(self.remote, self.known.packs())?;
        self.known.forget(|pack| gone.contains(&pack));
        Ok(())
    }

    /// Sends what the remote does not have of these trees.
    fn send(&mut self, trees: &[&Tree], sent: &mut Sent) -> Result<()> {
        // Whose pieces are not known must be cut; and once more whose packs are then left behind.
        self.cut(trees)?;
        let all: Vec<Content> = trees.iter().flat_map(|tree| tree.contents.iter().cloned()).collect();
        self.known.forget_unused(&all, &self.cuts.pieces);
        self.cut(trees)?;
        let plan = self.plan(trees, sent);
        let packs = self.send_packs(trees, &plan)?;
        sent.packs = packs.len();
        for (pack, lengths, pieces) in packs {
            sent.bytes += pack.size;
            self.known.add_pack(pack, pieces.iter().map(|piece| piece.cut).zip(lengths));
        }
        Ok(())
    }

    /// Stores listing, index and manifest of a tree whose pieces are all there. Returns the digest of the manifest.
    fn finish(&self, tree: &Tree) -> Result<Sha256Digest> {
        let (mut packs, mut numbers): (Vec<Promise>, HashMap<usize, usize>) = (Vec::new(), HashMap::new());
        let mut pieces: Vec<Vec<Piece>> = Vec::new();
        for content in &tree.contents {
            let own = self.known.pieces(content.digest, &self.cuts.pieces);
            let mut own = own.ok_or_else(|| Error::failure("a content was not sent"))?;
            for piece in &mut own {
                piece.place.pack = *numbers.entry(piece.place.pack).or_insert_with_key(|pack| {
                    packs.push(self.known.packs()[*pack]);
                    packs.len() - 1
                });
            }
            pieces.push(own);
        }
        if packs.len() > MOST_PACKS {
            return Err(Error::failure("the tree is in too many packs").fact("packs", packs.len()));
        }
        let (listing, index) = small::put_index(self.remote, tree.listing, &pieces, self.staging.path())?;
        let (about, digest) = (tree.outgoing.about.clone(), tree.outgoing.tree.digest);
        let text = TreeArtifact { listing, index, packs, about }.to_bytes(digest)?;
        self.remote.put_manifest(&text, MANIFEST, Some(&tags::of_tree(digest)))?;
        Ok(Sha256Digest::of(&text))
    }

    /// Leaves the hint by which a tree is found by its derivation.
    fn hint(&self, tree: &Tree, manifest: Sha256Digest) -> Result<()> {
        let tag = tags::of_derivation(tree.outgoing.derivation);
        let there = self.remote.manifest(Reference::Tag(&tag))?;
        if there.is_some_and(|there| Sha256Digest::of(&there) == manifest) {
            return Ok(());
        }
        let text = self.remote.manifest(Reference::Digest(manifest))?;
        let text = text.ok_or_else(|| Error::failure("the remote has lost a manifest that it was sent"))?;
        self.remote.put_manifest(&text, MANIFEST, Some(&tag))
    }
}
