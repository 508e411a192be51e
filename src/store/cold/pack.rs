//! Packing: makes hot trees cold.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crossbeam_channel::{Receiver, Sender, bounded};
use fastcdc::v2020::FastCDC;
use serde::Serialize;

use super::{AVERAGE, Chunk, DistinctFile, LARGEST, SMALLEST, chunk_path, distinct_files, write_index};
use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::progress::{Doing, Progress, Task, Unit};
use crate::store::verify::{Modes, verify};
use crate::store::{Store, StoredTree};
use crate::threads::{cores, ended};
use crate::tree::Listing;
use crate::tree::confined::{MTIME, Root, seal_file};

/// Compression level of chunks. Keeps up with a disk; higher levels save a few per cent and take several times as long.
const LEVEL: i32 = 3;
/// Number of bytes in which cuts are searched at a time.
const WINDOW: usize = 4 << 20;
/// Length of each worker's queue, in chunks.
const QUEUE: usize = 8;

/// Result of packing.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Packed {
    /// The trees that became cold.
    pub trees: Vec<PackedTree>,
    /// Bytes of file contents that were removed.
    pub freed: u64,
}

/// One tree that was packed.
#[derive(Debug, Clone, Serialize)]
pub struct PackedTree {
    /// Its digest.
    pub tree: TreeDigest,
    /// The sum of its files' sizes.
    pub size: u64,
    /// The size of the chunks that no tree had before.
    pub adds: u64,
}

impl Store {
    /// Packs every tree except those of the current and the newest `keep_hot` generations of each profile, and those in
    /// use by running processes. The store must be held by [`Self::exclusive`].
    pub fn pack(&self, keep_hot: usize, progress: &dyn Progress) -> Result<Packed> {
        let mut hot = self.trees_in_use()?;
        for profile in self.profiles()? {
            for number in profile.generations()?.into_iter().rev().take(keep_hot).chain(profile.current()?) {
                hot.extend(profile.generation(number)?.outputs.values().map(|output| output.tree));
            }
        }
        let mut uses = Uses::new();
        for digest in self.trees()? {
            if let Some(tree) = self.tree(digest) {
                for contents in distinct_files(&tree.listing()?) {
                    *uses.entry((contents.digest, contents.executable)).or_default() += 1;
                }
            }
        }
        let mut packed = Packed::default();
        for digest in self.trees()?.into_iter().filter(|digest| !hot.contains(digest)) {
            let Some(tree) = self.tree(digest) else { continue };
            let listing = tree.listing()?;
            if !self.is_downloads(&listing) {
                packed.trees.push(self.pack_tree(&tree, &listing, progress)?);
                packed.freed += self.drop_contents(&listing, &mut uses)?;
            }
        }
        Ok(packed)
    }

    /// Returns whether all files of a tree are kept downloads, as those of a model are. Packing them would only take
    /// more space.
    fn is_downloads(&self, listing: &Listing) -> bool {
        let mut all = distinct_files(listing).peekable();
        all.peek().is_some() && all.all(|contents| self.download(contents.digest).is_some())
    }

    fn pack_tree(&self, tree: &StoredTree, listing: &Listing, progress: &dyn Progress) -> Result<PackedTree> {
        let staging = self.stage()?;
        let (chunks, new) = cut(&self.root, staging.path(), tree, listing, progress)?;
        let wrapper = staging.path().join("publish");
        fs_err::create_dir(&wrapper)?;
        fs_err::write(wrapper.join("listing"), listing.to_bytes())?;
        write_index(&wrapper.join("cold"), &chunks)?;
        self.sync()?;
        let mut adds = 0;
        for (staged, digest, size) in new {
            let place = self.chunk(digest);
            self.make_directory(&format!("chunks/{}", &digest.hex()[..2]))?;
            fs_err::rename(staged, place)?;
            adds += size;
        }
        // The chunks must be durable before the index that names them, and the cold form before the hot one is removed.
        self.sync()?;
        self.exchange_tree(&wrapper, tree.digest)?;
        self.sync()?;
        Ok(PackedTree { tree: tree.digest, size: listing.total_size(), adds })
    }

    /// Removes the blobs of a tree that became cold, except those that other hot trees use: `uses` counts the hot
    /// trees.
    fn drop_contents(&self, packed: &Listing, uses: &mut Uses) -> Result<u64> {
        let mut freed = 0;
        for DistinctFile { digest, executable, size, .. } in distinct_files(packed) {
            let Some(count) = uses.get_mut(&(digest, executable)) else { continue };
            *count -= 1;
            if *count == 0 {
                let blob = self.blob(digest, executable);
                // With other hard links, in a copy for example, removing the blob frees nothing.
                let last = fs_err::symlink_metadata(&blob).is_ok_and(|found| found.nlink() == 1);
                match fs_err::remove_file(blob) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                    _ => freed += if last { size } else { 0 },
                }
            }
        }
        Ok(freed)
    }
}

/// Number of hot trees that have a file's contents.
type Uses = HashMap<(Sha256Digest, bool), usize>;

/// A chunk that is new: its path in the staging directory, its digest, its compressed size.
pub(super) type NewChunk = (PathBuf, Sha256Digest, u64);

/// Cuts an intact tree's contents into chunks and writes those that are not below `root` below `staging`. Fails for a
/// damaged tree.
pub(super) fn cut(
    root: &Path,
    staging: &Path,
    tree: &StoredTree,
    listing: &Listing,
    progress: &dyn Progress,
) -> Result<(Vec<Chunk>, Vec<NewChunk>)> {
    let name = format!("pack {}", &tree.digest.hex()[..12]);
    // Only an intact tree is packed, so that it can be thawed again.
    if let Some(damage) = verify(&name, &tree.path, listing, Modes::Store, progress)?.first() {
        return Err(Error::new(Kind::Damaged, "cannot pack a damaged tree")
            .fact("tree", tree.digest)
            .fact(damage.fault.label(), damage.display())
            .hint("`strixlock verify --repair` lists and repairs all damage"));
    }
    let task = progress.begin(Doing::Pack, &name, Some(listing.total_size()), Unit::Bytes);
    let from = Root::open(&tree.path)?;
    let claimed = Mutex::new(HashSet::new());
    let count = cores();
    std::thread::scope(|scope| {
        let (mut inputs, mut workers) = (Vec::new(), Vec::new());
        for number in 0..count {
            let (sender, receiver) = bounded(QUEUE);
            let worker = Worker { root, directory: staging.join(format!("chunks-{number}")), claimed: &claimed };
            inputs.push(sender);
            workers.push(scope.spawn(move || worker.run(&receiver)));
        }
        let cut = cut_files(&from, listing, &inputs, &*task);
        drop(inputs);
        let (mut parts, mut new) = (Vec::new(), Vec::new());
        for worker in workers {
            let (chunks, fresh) = ended(worker.join(), "a thread that packs")?;
            parts.push(chunks.into_iter());
            new.extend(fresh);
        }
        // A worker that failed is why cutting failed, so its error comes first.
        let total = cut?;
        // Worker `n % count` had chunk `n`.
        let chunks = (0..total).filter_map(|number| parts[number % count].next()).collect();
        Ok((chunks, new))
    })
}

/// Reads the files and sends their chunks to the workers in turn. Returns the number of chunks.
fn cut_files(root: &Root, listing: &Listing, workers: &[Sender<Vec<u8>>], task: &dyn Task) -> Result<usize> {
    let mut all = distinct_files(listing);
    let mut open: Option<std::fs::File> = None;
    let mut buffer = vec![0; WINDOW];
    let (mut filled, mut ended, mut number, mut done) = (0, false, 0, 0);
    while !ended || filled > 0 {
        while !ended && filled < WINDOW {
            let Some(file) = &mut open else {
                match all.next() {
                    Some(contents) => open = Some(root.open_file(&contents.entry.path)?),
                    None => ended = true,
                }
                continue;
            };
            match file.read(&mut buffer[filled..])? {
                0 => open = None,
                count => filled += count,
            }
        }
        let chunker = FastCDC::new(&buffer[..filled], SMALLEST, AVERAGE, LARGEST);
        let mut start = 0;
        // A cut is only final if the largest possible chunk was in the window.
        while filled - start >= LARGEST || (ended && start < filled) {
            let (_, end) = chunker.cut(start, filled - start);
            let sent = workers[number % workers.len()].send(buffer[start..end].to_vec());
            sent.map_err(|_| Error::failure("a thread that packs has stopped"))?;
            number += 1;
            start = end;
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
        done += start as u64;
        task.set_position(done);
    }
    Ok(number)
}

/// Hashes, compresses and writes chunks.
struct Worker<'a> {
    /// The directory that holds `chunks/`.
    root: &'a Path,
    /// The worker's own directory, so that workers do not contend for one.
    directory: PathBuf,
    claimed: &'a Mutex<HashSet<Sha256Digest>>,
}

impl Worker<'_> {
    fn run(&self, queue: &Receiver<Vec<u8>>) -> Result<(Vec<Chunk>, Vec<NewChunk>)> {
        fs_err::create_dir(&self.directory)?;
        let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
        let mut decompressor = zstd::bulk::Decompressor::new()?;
        let (mut chunks, mut new) = (Vec::new(), Vec::new());
        for plain in queue {
            let digest = Sha256Digest::of(&plain);
            chunks.push(Chunk { digest, size: plain.len() });
            let first = self.claimed.lock().is_ok_and(|mut claimed| claimed.insert(digest));
            if !first || holds(&mut decompressor, &chunk_path(self.root, digest), &plain) {
                continue;
            }
            let packed = compressor.compress(&plain)?;
            let staged = self.directory.join(digest.hex());
            let mut file = fs_err::File::create(&staged)?;
            file.write_all(&packed)?;
            seal_file(file.file(), 0o444)?;
            new.push((staged, digest, packed.len() as u64));
        }
        Ok((chunks, new))
    }
}

/// Returns whether the compressed chunk exists and decodes to `plain`. The uncompressed copy is removed on `true`.
fn holds(decompressor: &mut zstd::bulk::Decompressor, chunk: &Path, plain: &[u8]) -> bool {
    let sealed = std::fs::symlink_metadata(chunk)
        .is_ok_and(|found| found.is_file() && found.mtime() == MTIME && found.mode() & 0o7777 == 0o444);
    sealed
        && std::fs::read(chunk)
            .and_then(|packed| decompressor.decompress(&packed, plain.len()))
            .is_ok_and(|found| found == plain)
}
