//! Thawing: makes cold trees hot, and verifies that they could be.

use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};
use std::io::Read as _;

use tracing::info;

use super::stream::{ColdStream, Faults};
use super::{ColdTree, DistinctFile, distinct_files};
use crate::digest::{DerivationId, Sha256, TreeDigest};
use crate::error::{About, Error, Kind, Result};
use crate::log::CACHE;
use crate::progress::{Doing, Progress, Unit};
use crate::store::verify::{Damage, Fault};
use crate::store::{Generation, OutputRecord, Store, StoredTree};
use crate::tree::Receiver as _;
use crate::tree::{Limits, Listing, Node, TreeWriter};

impl Store {
    /// Returns the tree with this digest, and thaws it if it is cold. `None` if the store has it in neither form.
    pub fn thaw(&self, digest: TreeDigest, name: &str, progress: &dyn Progress) -> Result<Option<StoredTree>> {
        // One process thaws a tree. Others wait for it and find the result.
        let _held = if self.tree(digest).is_none() { Some(self.partial(&format!("thaw {digest}"))?) } else { None };
        if let Some(hot) = self.tree(digest) {
            return Ok(Some(hot));
        }
        let Some(cold) = self.cold(digest) else { return Ok(None) };
        info!(target: CACHE, "{name}: thaw: the tree {digest} was packed");
        self.thaw_from(&cold, name, progress).map(Some)
    }

    /// Writes a cold tree, of this store or of a [`ColdShelf`](super::ColdShelf), as a hot one.
    pub(super) fn thaw_from(&self, cold: &ColdTree, name: &str, progress: &dyn Progress) -> Result<StoredTree> {
        let digest = cold.digest;
        let listing = cold.listing()?;
        self.demand_space(listing.total_size()).about(name)?;
        let staging = self.stage()?;
        let directory = staging.path().join("tree");
        fs_err::create_dir(&directory)?;
        let limits =
            Limits { entries: listing.entries().len() as u64, bytes: listing.total_size(), colliding_names: true };
        let mut writer = TreeWriter::new(&directory, limits)?;
        let task = progress.begin(Doing::Unpack, name, Some(listing.total_size()), Unit::Bytes);
        let mut stream = ColdStream::new(cold, &cold.chunks()?, Faults::Refuse);
        let (mut earlier, mut done) = (HashMap::<_, &[u8]>::new(), 0);
        for entry in listing.entries() {
            let path = entry.path.as_slice();
            match &entry.node {
                Node::Directory => writer.directory(path)?,
                Node::Link { target } => writer.link(path, target)?,
                Node::File { executable, size, digest } => {
                    match earlier.entry((*digest, *executable)) {
                        Slot::Occupied(first) => writer.hard_link(path, first.get())?,
                        Slot::Vacant(slot) => {
                            slot.insert(path);
                            writer.file(path, *executable, &mut (&mut stream).take(*size))?;
                        }
                    }
                    done += size;
                    task.set_position(done);
                }
            }
        }
        let found = writer.finish()?;
        if found.digest() != digest {
            return Err(Error::new(Kind::Damaged, "a cold tree does not have the digest that names it")
                .about(name)
                .fact("expected", digest)
                .fact("found", found.digest())
                .hint(cold.repair));
        }
        self.publish_tree(&staging, &found)
    }

    /// Returns the output with this derivation id and its tree, thawed if it is cold. Messages call the output `name`.
    pub fn hot_output(
        &self,
        id: DerivationId,
        name: &str,
        progress: &dyn Progress,
    ) -> Result<Option<(OutputRecord, StoredTree)>> {
        let Some(record) = self.output_record(id)? else { return Ok(None) };
        Ok(self.thaw(record.tree, name, progress)?.map(|tree| (record, tree)))
    }

    /// Thaws every tree of a generation.
    pub fn thaw_generation(&self, generation: &Generation, progress: &dyn Progress) -> Result<()> {
        for (name, output) in &generation.outputs {
            self.thaw(output.tree, name, progress)?;
        }
        Ok(())
    }
}

impl ColdTree {
    /// Reads the tree without writing it. Returns every file that could not be thawed, sorted by path.
    pub fn verify(&self, name: &str, progress: &dyn Progress) -> Result<Vec<Damage>> {
        let listing = self.listing()?;
        let chunks = match self.chunks() {
            // Without the index nobody knows which chunks belong to the tree.
            Err(error) if error.kind() == Kind::Damaged => {
                return Ok(lost(&listing, |node| matches!(node, Node::File { .. })));
            }
            other => other?,
        };
        let task = progress.begin(Doing::Verify, name, Some(listing.total_size()), Unit::Bytes);
        let mut stream = ColdStream::new(self, &chunks, Faults::Blank);
        let (mut spoilt, mut done) = (HashSet::new(), 0);
        let mut buffer = vec![0; 256 * 1024];
        for DistinctFile { digest, executable, size, .. } in distinct_files(&listing) {
            let mut plain = (&mut stream).take(size);
            let mut hash = Sha256::default();
            loop {
                match plain.read(&mut buffer)? {
                    0 => break,
                    count => hash.update(&buffer[..count]),
                }
            }
            if hash.finish() != digest {
                spoilt.insert((digest, executable));
            }
            done += size;
            task.set_position(done);
        }
        Ok(lost(&listing, |node| match node {
            Node::File { executable, digest, .. } => spoilt.contains(&(*digest, *executable)),
            _ => false,
        }))
    }
}

fn lost(listing: &Listing, which: impl Fn(&Node) -> bool) -> Vec<Damage> {
    let lost = listing.entries().iter().filter(|entry| which(&entry.node));
    lost.map(|entry| Damage { path: entry.path.clone(), fault: Fault::Contents }).collect()
}
