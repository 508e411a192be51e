//! The entries of a tree that is being written: the names are kept in a file, with a few bytes of memory for each.
//!
//! A nightly has 29,000 names and may have ten times as many, while the tarball streams through buffers of fixed size.
//! In memory the names would be the only thing that grows with it. So each entry is one record in an unnamed file,
//! found through the hash of its path, and the digest of each file is 32 bytes in a second unnamed file, where the
//! thread that hashed the file writes it.
//!
//! ```text
//! kind u8, length of path u16, length of target u16, id u64, size u64 (all little-endian), path, target
//! ```

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use hashbrown::HashTable;
use unicode_normalization::UnicodeNormalization as _;

use super::listing::{Entry, Node};
use crate::digest::Sha256Digest;

const HEADER: usize = 21;
/// Bytes of records that wait in memory before they are written.
const TAIL: usize = 64 * 1024;

const DIRECTORY: u8 = 0;
const PLAIN: u8 = 1;
const EXECUTABLE: u8 = 2;
const LINK: u8 = 3;

/// An entry that was added to the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Known {
    Directory,
    Link(Vec<u8>),
    /// A file whose digest has this id.
    File {
        id: u64,
        executable: bool,
        size: u64,
    },
}

/// The digests of files, in a file without a name, by ids that count up from zero.
pub(super) struct Digests(File);

impl Digests {
    pub(super) fn put(&self, id: u64, digest: Sha256Digest) -> io::Result<()> {
        self.0.write_all_at(digest.as_bytes(), id * 32)
    }

    pub(super) fn get(&self, id: u64) -> io::Result<Sha256Digest> {
        let mut bytes = [0; 32];
        self.0.read_exact_at(&mut bytes, id * 32)?;
        // A hole in the file reads as zeros, and no bytes are known to hash to them.
        if bytes == [0; 32] { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(Sha256Digest::from_bytes(bytes)) }
    }
}

/// The offset of a record, and the hash of its key.
struct Slot {
    hash: u64,
    at: u64,
}

pub(super) struct Names {
    file: File,
    /// Bytes of records that are in the file; the rest is in `tail`.
    written: u64,
    tail: Vec<u8>,
    hasher: RandomState,
    slots: HashTable<Slot>,
    /// The names that change when a file system folds case and Unicode normal form, by their folded form.
    folded: HashTable<Slot>,
    digests: Arc<Digests>,
}

impl Names {
    /// Creates both files, empty and without names, on the file system of `place`.
    pub(super) fn new(place: &Path) -> io::Result<Self> {
        Ok(Self {
            file: tempfile::tempfile_in(place)?,
            written: 0,
            tail: Vec::new(),
            hasher: RandomState::new(),
            slots: HashTable::new(),
            folded: HashTable::new(),
            digests: Arc::new(Digests(tempfile::tempfile_in(place)?)),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn digests(&self) -> &Arc<Digests> {
        &self.digests
    }

    pub(super) fn get(&self, path: &[u8]) -> io::Result<Option<Known>> {
        let hash = self.hasher.hash_one(path);
        for slot in self.slots.iter_hash(hash).filter(|slot| slot.hash == hash) {
            let (found, known) = self.read(slot.at)?;
            if found == path {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    /// Returns another name that some file system takes for `path`, if there is one.
    pub(super) fn taken_for(&self, path: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let fold = folded(path);
        if let Some(plain) = &fold
            && self.get(plain.as_bytes())?.is_some()
        {
            return Ok(Some(plain.clone().into_bytes()));
        }
        let seen = fold.as_ref().map_or(path, |fold| fold.as_bytes());
        let hash = self.hasher.hash_one(seen);
        for slot in self.folded.iter_hash(hash).filter(|slot| slot.hash == hash) {
            let (other, _) = self.read(slot.at)?;
            if folded(&other).is_some_and(|other| other.as_bytes() == seen) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// Adds a name that is not there yet. Path and target have at most 4096 bytes each.
    pub(super) fn insert(&mut self, path: &[u8], known: &Known) -> io::Result<()> {
        let at = self.written + self.tail.len() as u64;
        let (kind, target, id, size): (_, &[u8], _, _) = match known {
            Known::Directory => (DIRECTORY, b"", 0, 0),
            Known::Link(target) => (LINK, target, 0, 0),
            Known::File { id, executable, size } => (if *executable { EXECUTABLE } else { PLAIN }, b"", *id, *size),
        };
        let length = |bytes: &[u8]| u16::try_from(bytes.len()).map_err(|_| io::Error::other("a name is too long"));
        self.tail.push(kind);
        self.tail.extend_from_slice(&length(path)?.to_le_bytes());
        self.tail.extend_from_slice(&length(target)?.to_le_bytes());
        self.tail.extend_from_slice(&id.to_le_bytes());
        self.tail.extend_from_slice(&size.to_le_bytes());
        self.tail.extend_from_slice(path);
        self.tail.extend_from_slice(target);
        if self.tail.len() >= TAIL {
            self.flush()?;
        }
        let hash = self.hasher.hash_one(path);
        self.slots.insert_unique(hash, Slot { hash, at }, |slot| slot.hash);
        if let Some(fold) = folded(path) {
            let hash = self.hasher.hash_one(fold.as_bytes());
            self.folded.insert_unique(hash, Slot { hash, at }, |slot| slot.hash);
        }
        Ok(())
    }

    /// Returns all entries, in the order in which they were added.
    pub(super) fn into_entries(mut self) -> io::Result<Vec<Entry>> {
        self.flush()?;
        let Self { file, digests, slots, folded, .. } = self;
        let count = slots.len();
        // The entries take the place of the tables in memory.
        drop((slots, folded));
        let mut records = BufReader::with_capacity(TAIL, FromOffset { file: &file, offset: 0 });
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            let (path, known) = record(&mut records)?;
            let node = match known {
                Known::Directory => Node::Directory,
                Known::Link(target) => Node::Link { target },
                Known::File { id, executable, size } => Node::File { executable, size, digest: digests.get(id)? },
            };
            entries.push(Entry { path, node });
        }
        Ok(entries)
    }

    fn read(&self, at: u64) -> io::Result<(Vec<u8>, Known)> {
        match at.checked_sub(self.written) {
            Some(in_tail) => record(&mut self.tail.get(in_tail as usize..).unwrap_or_default()),
            None => record(&mut BufReader::with_capacity(512, FromOffset { file: &self.file, offset: at })),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.tail, self.written)?;
        self.written += self.tail.len() as u64;
        self.tail.clear();
        Ok(())
    }
}

/// A reader of a file from an offset, which does not move the shared position.
struct FromOffset<'f> {
    file: &'f File,
    offset: u64,
}

impl Read for FromOffset<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

fn record(from: &mut impl Read) -> io::Result<(Vec<u8>, Known)> {
    let mut header = [0; HEADER];
    from.read_exact(&mut header)?;
    let [kind, p0, p1, t0, t1, numbers @ ..] = header;
    let [i0, i1, i2, i3, i4, i5, i6, i7, s0, s1, s2, s3, s4, s5, s6, s7] = numbers;
    let mut path = vec![0; usize::from(u16::from_le_bytes([p0, p1]))];
    from.read_exact(&mut path)?;
    let mut target = vec![0; usize::from(u16::from_le_bytes([t0, t1]))];
    from.read_exact(&mut target)?;
    let known = match kind {
        DIRECTORY => Known::Directory,
        LINK => Known::Link(target),
        _ => Known::File {
            id: u64::from_le_bytes([i0, i1, i2, i3, i4, i5, i6, i7]),
            executable: kind == EXECUTABLE,
            size: u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
        },
    };
    Ok((path, known))
}

/// Returns a name as a file system sees it that folds case and Unicode normal form; `None` if it does not change,
/// or is not UTF-8.
fn folded(path: &[u8]) -> Option<String> {
    if path.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return None;
    }
    let text = std::str::from_utf8(path).ok()?;
    let folded: String = text.nfc().flat_map(char::to_lowercase).collect();
    (folded != text).then_some(folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_memory_and_in_the_file() {
        let mut names = Names::new(&std::env::temp_dir()).unwrap();
        let path = |index: u64| format!("lib/{index}/{}", "x".repeat(index as usize % 300)).into_bytes();
        let known = |index: u64| match index % 3 {
            0 => Known::Directory,
            1 => Known::Link(path(index + 1)),
            _ => Known::File { id: index, executable: index.is_multiple_of(2), size: index << 33 },
        };
        for index in 0..2000 {
            assert_eq!(names.get(&path(index)).unwrap(), None);
            names.insert(&path(index), &known(index)).unwrap();
            names.digests().put(index, Sha256Digest::of(&path(index))).unwrap();
        }
        assert!(names.written > 0 && !names.tail.is_empty());
        for index in 0..2000 {
            assert_eq!(names.get(&path(index)).unwrap(), Some(known(index)));
        }
        for (index, entry) in (0..).zip(names.into_entries().unwrap()) {
            assert_eq!(entry.path, path(index));
            if let Node::File { executable, size, digest } = entry.node {
                assert_eq!((executable, size), (index.is_multiple_of(2), index << 33));
                assert_eq!(digest, Sha256Digest::of(&path(index)));
            }
        }
    }

    #[test]
    fn names_that_fold_to_one_are_found_whichever_came_first() {
        for [first, second] in [["A", "a"], ["a", "A"], ["\u{e9}A", "e\u{301}a"], ["AB", "Ab"]] {
            let mut names = Names::new(&std::env::temp_dir()).unwrap();
            names.insert(first.as_bytes(), &Known::Directory).unwrap();
            names.insert(b"other", &Known::Directory).unwrap();
            assert_eq!(
                names.taken_for(second.as_bytes()).unwrap(),
                Some(first.as_bytes().to_vec()),
                "{first} {second}"
            );
            assert_eq!(names.taken_for(b"neither").unwrap(), None);
        }
    }

    #[test]
    fn a_file_whose_digest_nobody_put_is_an_error() {
        let mut names = Names::new(&std::env::temp_dir()).unwrap();
        for id in 0..2 {
            names.insert(&[b'a' + id], &Known::File { id: id.into(), executable: false, size: 1 }).unwrap();
        }
        names.digests().put(1, Sha256Digest::of(b"")).unwrap();
        assert!(names.into_entries().is_err());
    }
}
