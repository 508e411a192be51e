//! Cold trees outside of a store, in the same form: `trees/` and `chunks/` below a directory.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::pack::{NewChunk, cut};
use super::{Chunk, ColdTree, LARGEST, chunk_path, write_index};
use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::progress::Progress;
use crate::store::{Store, StoredTree};
use crate::threads::{cores, on_threads};
use crate::tree::confined::seal_file;

/// Greatest size of a compressed chunk: zstd adds a few bytes to what it cannot compress.
pub const LARGEST_CHUNK: u64 = LARGEST as u64 + 4096;
/// Greatest size of the compressed index of a cold tree.
pub const LARGEST_INDEX: u64 = 256 << 20;

const REPAIR: &str = "`strixlock archive verify` lists all damage of an archive; archive the lock again where a store has \
                      the tree";

/// A directory with cold trees.
#[derive(Debug, Clone)]
pub struct ColdShelf {
    root: PathBuf,
}

impl ColdShelf {
    /// Returns the shelf at a directory.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// Returns the tree with this digest, if the shelf has it.
    #[must_use]
    pub fn get(&self, digest: TreeDigest) -> Option<ColdTree> {
        ColdTree::below(&self.root, digest, REPAIR)
    }

    /// Returns whether the shelf has a tree with a file for each of its chunks. Does not read the chunks.
    #[must_use]
    pub fn has(&self, digest: TreeDigest) -> bool {
        self.get(digest).is_some_and(|cold| {
            let there = |chunk: &Chunk| cold.chunk(chunk.digest).metadata().is_ok_and(|found| found.len() > 0);
            cold.listing().is_ok() && cold.chunks().is_ok_and(|chunks| chunks.iter().all(there))
        })
    }

    /// Returns the digests of the chunks of a tree.
    pub fn chunks(&self, digest: TreeDigest) -> Result<BTreeSet<Sha256Digest>> {
        let cold = self.get(digest).ok_or_else(|| Error::new(Kind::NotFound, "there is no such cold tree"))?;
        Ok(cold.chunks()?.into_iter().map(|chunk| chunk.digest).collect())
    }

    /// Returns those chunks of a tree that have no file.
    pub fn missing(&self, digest: TreeDigest) -> Result<Vec<Sha256Digest>> {
        let all = self.chunks(digest)?.into_iter();
        Ok(all.filter(|chunk| !chunk_path(&self.root, *chunk).is_file()).collect())
    }

    /// Adds a tree of a store, hot or cold, with those chunks that the shelf lacks. `staging` is an empty directory on the
    /// file system of the shelf. Returns the number of bytes that this added, or `None` if the store does not have the
    /// tree.
    pub fn add(
        &self,
        store: &Store,
        digest: TreeDigest,
        staging: &Path,
        progress: &dyn Progress,
    ) -> Result<Option<u64>> {
        if self.has(digest) {
            return Ok(Some(0));
        }
        let (listing, chunks, new) = if let Some(tree) = store.tree(digest) {
            let listing = tree.listing()?;
            let (chunks, new) = cut(&self.root, staging, &tree, &listing, progress)?;
            (listing, chunks, new)
        } else if let Some(cold) = store.cold(digest) {
            let chunks = cold.chunks()?;
            let new = self.copy(&cold, &chunks, staging)?;
            (cold.listing()?, chunks, new)
        } else {
            return Ok(None);
        };
        let wrapper = staging.join("publish");
        fs_err::create_dir(&wrapper)?;
        fs_err::write(wrapper.join("listing"), listing.to_bytes())?;
        write_index(&wrapper.join("cold"), &chunks)?;
        let index = wrapper.join("cold").metadata()?.len() + wrapper.join("listing").metadata()?.len();
        // As in a store: chunks are durable before the index that names them.
        self.sync()?;
        let mut adds = index;
        for (staged, digest, size) in new {
            let place = chunk_path(&self.root, digest);
            fs_err::create_dir_all(place.parent().unwrap_or(&self.root))?;
            fs_err::rename(staged, place)?;
            adds += size;
        }
        self.sync()?;
        let place = self.root.join("trees").join(digest.hex());
        if place.exists() {
            // Its index or listing is damaged.
            fs_err::remove_dir_all(&place)?;
        }
        fs_err::create_dir_all(self.root.join("trees"))?;
        fs_err::rename(&wrapper, &place)?;
        self.sync()?;
        Ok(Some(adds))
    }

    /// Makes a tree of the shelf hot in a store. Returns `None` if the shelf does not have it.
    pub fn thaw(
        &self,
        store: &Store,
        digest: TreeDigest,
        name: &str,
        progress: &dyn Progress,
    ) -> Result<Option<StoredTree>> {
        match (store.tree(digest), self.get(digest)) {
            (Some(hot), _) => Ok(Some(hot)),
            (None, Some(cold)) => store.thaw_from(&cold, name, progress).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Writes listing and index of a tree that were received from elsewhere. Both are checked when they are read.
    pub fn put(&self, digest: TreeDigest, listing: &[u8], index: &[u8]) -> Result<()> {
        let place = self.root.join("trees").join(digest.hex());
        fs_err::create_dir_all(&place)?;
        fs_err::write(place.join("listing"), listing)?;
        Ok(fs_err::write(place.join("cold"), index)?)
    }

    /// Writes a chunk that was received from elsewhere. It is checked when it is read.
    pub fn put_chunk(&self, digest: Sha256Digest, packed: &[u8]) -> Result<()> {
        let place = chunk_path(&self.root, digest);
        fs_err::create_dir_all(place.parent().unwrap_or(&self.root))?;
        Ok(fs_err::write(place, packed)?)
    }

    /// Copies the chunks of another shelf or store that this one lacks to `staging`. Fails for a damaged one.
    fn copy(&self, cold: &ColdTree, chunks: &[Chunk], staging: &Path) -> Result<Vec<NewChunk>> {
        let mut seen = BTreeSet::new();
        let lacks = |chunk: &&Chunk| seen.insert(chunk.digest) && !chunk_path(&self.root, chunk.digest).is_file();
        let wanted: Vec<&Chunk> = chunks.iter().filter(lacks).collect();
        let threads = cores();
        let copied = on_threads(threads, "a thread that copies chunks", |number| {
            let mut decompressor = zstd::bulk::Decompressor::new()?;
            let mut new = Vec::new();
            for chunk in wanted.iter().skip(number).step_by(threads) {
                let path = cold.chunk(chunk.digest);
                let packed = fs_err::read(&path)?;
                let plain = decompressor.decompress(&packed, chunk.size);
                if !plain.is_ok_and(|plain| Sha256Digest::of(&plain) == chunk.digest) {
                    return Err(Error::new(Kind::Damaged, "a chunk of a cold tree is missing or damaged")
                        .fact("file", path.display())
                        .hint(cold.repair));
                }
                let staged = staging.join(chunk.digest.hex());
                let mut file = fs_err::File::create(&staged)?;
                file.write_all(&packed)?;
                seal_file(file.file(), 0o444)?;
                new.push((staged, chunk.digest, packed.len() as u64));
            }
            Ok(new)
        })?;
        Ok(copied.into_iter().flatten().collect())
    }

    /// Flushes the shelf's file system to the disk.
    fn sync(&self) -> Result<()> {
        let directory = fs_err::File::open(&self.root)?;
        Ok(rustix::fs::syncfs(directory.file()).map_err(std::io::Error::from)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::tree::{Limits, Receiver as _, TreeWriter};

    /// A store with a tree of two files.
    fn store(place: &Path, second: &[u8]) -> (Store, TreeDigest) {
        let store = Store::open(place).unwrap();
        let staging = store.stage().unwrap();
        let directory = staging.path().join("tree");
        fs_err::create_dir(&directory).unwrap();
        let mut writer = TreeWriter::new(&directory, Limits::default()).unwrap();
        writer.file(b"a", false, &mut vec![7; 300_000].as_slice()).unwrap();
        writer.file(b"b", true, &mut &second[..]).unwrap();
        let listing = writer.finish().unwrap();
        let digest = store.publish_tree(&staging, &listing).unwrap().digest;
        (store, digest)
    }

    #[test]
    fn trees_of_two_stores_share_chunks_and_come_back() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| {
            let path = place.path().join(name);
            fs_err::create_dir(&path).unwrap();
            path
        };
        let (one, first) = store(&at("one"), b"first");
        let (two, second) = store(&at("two"), b"second");
        let shelf = ColdShelf::at(&at("shelf"));
        let add = |store: &Store, digest, staging: &str| shelf.add(store, digest, &at(staging), &Silent).unwrap();
        assert_eq!(add(&one, second, "s0"), None);
        let adds = add(&one, first, "s1").unwrap();
        assert!(adds > 0 && shelf.has(first) && !shelf.has(second));
        assert_eq!(add(&one, first, "s2"), Some(0));
        add(&two, second, "s3").unwrap();
        assert!(shelf.chunks(first).unwrap().intersection(&shelf.chunks(second).unwrap()).count() > 0);
        let (third, _) = store(&at("three"), b"third");
        assert_eq!(shelf.thaw(&third, second, "x", &Silent).unwrap().unwrap().digest, second);
        assert_eq!(shelf.get(first).unwrap().verify("x", &Silent).unwrap(), []);
        // A missing chunk is seen without reading, and added again.
        let chunk = *shelf.chunks(first).unwrap().difference(&shelf.chunks(second).unwrap()).next().unwrap();
        fs_err::remove_file(chunk_path(&shelf.root, chunk)).unwrap();
        assert!(!shelf.has(first) && shelf.missing(first).unwrap() == [chunk]);
        assert!(shelf.thaw(&third, first, "x", &Silent).is_err());
        add(&one, first, "s4").unwrap();
        assert!(shelf.has(first));
    }
}
