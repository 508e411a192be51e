//! Receives a tree from a remote: only the pieces of contents that the store lacks, as ranges of packs.
//!
//! Files are written at their places in a staged tree, compared with the SHA-256 in the listing, and given to the store in
//! batches, so that a pull that is killed goes on where it was. Then the rest of the tree is linked from the store's
//! contents, and it is published, as any tree. A large content of which the store has another version is put together
//! from the pieces in which both agree.

mod arrive;
mod local;
mod spans;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::Serialize;

use super::artifact::TreeArtifact;
use super::index::{Content, Piece, contents};
use super::piece::Unpacker;
use super::repository::Repository;
use super::small;
use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::Result;
use crate::progress::{Doing, Progress, Unit};
use crate::store::{Staging, Store, StoredTree};
use crate::threads::{ended, on_threads};
use crate::tree::flush::Flush;
use crate::tree::{Entry, Listing, Node};

use arrive::{Arrivals, Hand};
use local::LocalPieces;
use spans::{Span, runs};

/// Number of runs that are received or unpacked at a time. The fetcher allows two connections to each host; the
/// others unpack meanwhile.
const WORKERS: usize = 4;

/// The amounts that were received of a tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Received {
    /// Number of compressed bytes that came from the remote.
    pub bytes: u64,
    /// Number of plain bytes that the store had.
    pub had: u64,
    /// The size of the tree.
    pub size: u64,
}

/// A file of the tree that the store lacks. Equal contents with and without the execute bit are two.
pub(super) struct Lack<'l> {
    entry: &'l Entry,
    digest: Sha256Digest,
    executable: bool,
    size: u64,
}

/// Receives a tree into the store.
pub fn pull(
    remote: &dyn Repository,
    store: &Store,
    manifest: &TreeArtifact,
    tree: TreeDigest,
    name: &str,
    progress: &dyn Progress,
) -> Result<(StoredTree, Received)> {
    // One process receives a tree. Others wait for it and find the result.
    let _held = store.partial(&format!("pull {tree}"))?;
    if let Some(there) = store.thaw(tree, name, progress)? {
        return Ok((there, Received::default()));
    }
    let listing = small::read_listing(remote, manifest, tree)?;
    let contents = contents(&listing);
    let lacks = lacks(store, &listing);
    let missing = lacks.iter().map(|lack| lack.size).sum();
    let size = listing.total_size();
    let mut received = Received { bytes: 0, had: size.saturating_sub(missing), size };
    let staging = store.stage_directories(&listing)?;
    if !lacks.is_empty() {
        store.demand_space(missing)?;
        let index = small::read_index(remote, manifest, &contents)?;
        let small = manifest.listing.size + manifest.index.size;
        received.bytes =
            small + Pull { remote, store, manifest, name, progress }.run(&staging, &lacks, &contents, index)?;
    }
    let new: HashSet<&[u8]> = lacks.iter().map(|lack| lack.entry.path.as_slice()).collect();
    Ok((store.publish_filled(&staging, &listing, &|entry| new.contains(entry.path.as_slice()))?, received))
}

/// Returns the files that the store lacks.
fn lacks<'l>(store: &Store, listing: &'l Listing) -> Vec<Lack<'l>> {
    let mut lacks: BTreeMap<(Sha256Digest, bool), Lack> = BTreeMap::new();
    for entry in listing.entries() {
        if let Node::File { executable, size, digest } = entry.node
            && !store.has_contents(entry)
        {
            lacks.entry((digest, executable)).or_insert(Lack { entry, digest, executable, size });
        }
    }
    lacks.into_values().collect()
}

struct Pull<'a> {
    remote: &'a dyn Repository,
    store: &'a Store,
    manifest: &'a TreeArtifact,
    name: &'a str,
    progress: &'a dyn Progress,
}

impl Pull<'_> {
    /// Receives the contents that are lacking. Returns the number of bytes that the remote sent.
    fn run(&self, staging: &Staging, lacks: &[Lack], contents: &[Content], index: Vec<Vec<Piece>>) -> Result<u64> {
        let of: HashMap<Sha256Digest, Vec<Piece>> = contents.iter().map(|content| content.digest).zip(index).collect();
        let local = LocalPieces::find(self.store, self.name, lacks, &of)?;
        let (flush, flusher) = Flush::start();
        let remote = (self.remote.address(), self.manifest.packs.as_slice());
        let arrivals = Arrivals::new(self.store, staging, remote, lacks, &of, flush)?;
        arrivals.take_empty()?;
        let wanted = arrivals.wanted().filter(|piece| !local.has(piece.digest));
        let runs = runs(wanted, &self.manifest.packs, |piece| arrivals.file_of(piece));
        let total = runs.iter().flatten().map(|span| span.length).sum::<u64>();
        local.give(&arrivals)?;
        let task = self.progress.begin(Doing::Fetch, self.name, Some(total), Unit::Bytes);
        let (next, done, stop) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        let received = on_threads(WORKERS.min(runs.len()), "a thread that receives files", |_| {
            let (mut unpacker, mut hand) = (Unpacker::new()?, Hand::default());
            while !stop.load(Ordering::Relaxed)
                && let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed))
            {
                for span in run {
                    self.receive(span, &arrivals, &mut unpacker, &mut hand)
                        .inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
                    let length = span.length as usize;
                    task.set_position((done.fetch_add(length, Ordering::Relaxed) + length) as u64);
                }
            }
            Ok(())
        });
        if let Err(error) = received {
            // Files that are whole are not received again. If they cannot be kept, the first error says more.
            let _ = arrivals.give();
            return Err(error);
        }
        arrivals.finish()?;
        ended(flusher.join(), "the thread that flushes files")?;
        task.done(None);
        Ok(total)
    }

    /// Receives a range of a pack and takes its pieces apart.
    fn receive(&self, span: &Span, arrivals: &Arrivals, unpacker: &mut Unpacker, hand: &mut Hand) -> Result<()> {
        let bytes = self.remote.part(self.manifest.packs[span.pack], span.offset, span.length)?;
        for piece in &span.pieces {
            let begin = (piece.place.offset - span.offset) as usize;
            let packed = bytes.get(begin..begin + piece.place.length as usize).unwrap_or_default();
            let plain = unpacker.unpack(packed, piece.size);
            let plain = plain.map_err(|error| arrivals.at(error, piece).about(arrivals.name_of(piece)))?;
            arrivals.take(piece.digest, plain, hand)?;
        }
        Ok(())
    }
}
