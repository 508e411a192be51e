//! Reads every byte of an archive and compares it with the digests.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::Serialize;

use super::place::LARGEST_LOCK;
use super::{Archive, ArchivedLock, Piece};
use crate::digest::{Sha256, Sha256Digest};
use crate::error::Result;
use crate::inputs::Kept;
use crate::progress::{Doing, Progress, Unit};
use crate::threads::{cores, on_threads};

/// The result of a verification.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verified {
    /// Number of locks.
    pub locks: u64,
    /// Number of files that were read, besides chunks.
    pub files: u64,
    /// Number of bytes that were read, besides chunks.
    pub bytes: u64,
    /// Number of cold trees that were read.
    pub trees: u64,
    /// Everything that is damaged or missing, sorted by path.
    pub faults: Vec<ArchiveFault>,
    /// Paths of files that have no place in an archive.
    pub others: Vec<String>,
    /// Number of files that no lock needs.
    pub unneeded: u64,
    /// The locks of an archive in a registry that need damaged files. The registry replaces none before they are dropped.
    pub drop: BTreeSet<Sha256Digest>,
}

/// A file that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ArchiveFault {
    /// Its path in the archive.
    pub path: String,
    /// The fault in one or two words: `damaged` or `missing`.
    pub fault: &'static str,
    /// More about it: the name of the input that needs it, or files of a tree.
    pub about: String,
}

impl ArchiveFault {
    /// Returns a fault of a piece.
    pub(super) fn new(piece: &Piece, fault: &'static str, about: impl Into<String>) -> Self {
        Self::at(piece.path(), fault, about)
    }

    /// Returns a fault at a path, or of a tag of a registry.
    pub(super) fn at(path: String, fault: &'static str, about: impl Into<String>) -> Self {
        Self { path, fault, about: about.into() }
    }
}

/// Verifies an archive.
pub fn verify(archive: &Archive, progress: &dyn Progress) -> Result<Verified> {
    let (pieces, others) = archive.pieces()?;
    let locks = archive.locks()?;
    let needed = needed(archive, &locks);
    let mut verified = Verified { locks: locks.len() as u64, others, ..Verified::default() };
    for one in &locks {
        if let Err(error) = &one.lock {
            verified.faults.push(ArchiveFault::new(&Piece::Lock(one.digest), "damaged", error.message()));
        }
    }
    verified.faults.extend(needed.missing.iter().cloned());
    let is_chunk = |piece: &&Piece| matches!(piece, Piece::Chunk(_));
    verified.unneeded = pieces.iter().filter(|piece| is_part(piece) && !needed.pieces.contains(*piece)).count() as u64;
    let files: Vec<(Piece, u64)> = pieces
        .iter()
        .filter(|piece| !is_chunk(piece))
        .filter_map(|piece| Some((piece.clone(), archive.size(piece)?)))
        .collect();
    verified.files = files.len() as u64;
    verified.bytes = files.iter().map(|(_, size)| size).sum();
    let sums = listed_sums(archive);
    verified.faults.extend(read_all(archive, files, &sums, progress)?);
    for piece in &pieces {
        let Piece::Cold(digest) = piece else { continue };
        let Some(cold) = archive.shelf().get(*digest) else { continue };
        verified.trees += 1;
        match cold.verify(&format!("tree {}", &digest.hex()[..12]), progress) {
            Ok(damages) => {
                let about = damages.first().map(|first| match damages.len() {
                    1 => first.display(),
                    count => format!("{} and {} more files of the tree", first.display(), count - 1),
                });
                verified.faults.extend(about.map(|about| ArchiveFault::new(piece, "damaged", about)));
            }
            Err(error) => verified.faults.push(ArchiveFault::new(piece, "damaged", error.message())),
        }
    }
    verified.faults.sort();
    verified.faults.dedup_by(|one, other| one.path == other.path);
    Ok(verified)
}

/// Returns whether a piece is there because of locks, and not derived from them.
pub(super) fn is_part(piece: &Piece) -> bool {
    !matches!(
        piece,
        Piece::Marker
            | Piece::Page
            | Piece::Sums
            | Piece::Newest
            | Piece::OciLayout
            | Piece::OciIndex
            | Piece::Lock(_)
            | Piece::Tarball(_)
    )
}

/// The files that locks need.
pub(super) struct Needed {
    /// The pieces that are there.
    pub pieces: BTreeSet<Piece>,
    /// The files that are not there.
    pub missing: Vec<ArchiveFault>,
}

/// Returns what the readable ones of these locks need.
pub(super) fn needed(archive: &Archive, locks: &[ArchivedLock]) -> Needed {
    let mut needed = Needed { pieces: BTreeSet::new(), missing: Vec::new() };
    for (name, input) in locks.iter().filter_map(|one| one.lock.as_ref().ok()).flat_map(|lock| &lock.inputs) {
        for kept in input.kept() {
            let held = archive.held(&kept);
            if held.is_none() {
                needed.missing.push(ArchiveFault::new(&wanted(&kept), "missing", name));
            }
            needed.pieces.extend(held.into_iter().flatten());
            // The cold form of a tarball may be there beside it.
            if let Kept::File(file) = &kept
                && let Some(tree) = file.tree
                && archive.shelf().get(tree).is_some()
            {
                needed.pieces.extend([Piece::Listing(tree), Piece::Cold(tree)]);
            }
        }
    }
    // What is wrong with a layout is told when it is written.
    if let Ok(Some(layout)) = super::layout::documents(archive, locks) {
        needed.pieces.extend(layout.blobs.iter().map(|blob| Piece::Blob(Sha256Digest::of(blob))));
    }
    let trees: Vec<_> =
        needed.pieces.iter().filter_map(|one| if let Piece::Cold(tree) = one { Some(*tree) } else { None }).collect();
    for tree in trees {
        // The tree's own verification tells of an index that cannot be read.
        let chunks = archive.shelf().chunks(tree).unwrap_or_default();
        needed.pieces.extend(chunks.into_iter().map(Piece::Chunk));
    }
    needed
}

/// Returns the piece by which a missing part is named.
pub(super) fn wanted(kept: &Kept) -> Piece {
    match kept {
        Kept::File(file) => Piece::Blob(file.digest),
        Kept::Commit(one) => Piece::Commit(one.commit.clone()),
        Kept::Tree(tree) => Piece::Directory(tree.digest),
    }
}

/// Returns the digests in SHA256SUMS of those files whose names do not have them.
fn listed_sums(archive: &Archive) -> BTreeMap<Piece, Sha256Digest> {
    let text = archive.read(&Piece::Sums, LARGEST_LOCK).unwrap_or_default();
    parse_sums(&String::from_utf8_lossy(&text)).into_iter().collect()
}

/// Reads the lines of SHA256SUMS. Passes over those that name no piece.
pub(super) fn parse_sums(text: &str) -> Vec<(Piece, Sha256Digest)> {
    let line = |line: &str| {
        let (hex, path) = line.split_once("  ")?;
        Some((Piece::parse(path)?, Sha256Digest::from_hex(hex)?))
    };
    text.lines().filter_map(line).collect()
}

/// Hashes files on all threads, large ones first. Returns those that do not have their digest.
fn read_all(
    archive: &Archive,
    mut files: Vec<(Piece, u64)>,
    sums: &BTreeMap<Piece, Sha256Digest>,
    progress: &dyn Progress,
) -> Result<Vec<ArchiveFault>> {
    files.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let total = files.iter().map(|(_, size)| size).sum();
    let task = progress.begin(Doing::Verify, "archive", Some(total), Unit::Bytes);
    let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
    let found = on_threads(cores(), "a thread that verifies files", |_| {
        let (mut faults, mut buffer) = (Vec::new(), vec![0; 256 << 10]);
        while let Some((piece, _)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut hash = Sha256::default();
            let read = archive.open_piece(piece).and_then(|mut file| {
                loop {
                    match file.read(&mut buffer)? {
                        0 => return Ok(()),
                        count => {
                            hash.update(&buffer[..count]);
                            task.set_position(done.fetch_add(count as u64, Ordering::Relaxed) + count as u64);
                        }
                    }
                }
            });
            let digest = hash.finish();
            let expected = match piece {
                Piece::Blob(digest) | Piece::Lock(digest) => Some(*digest),
                Piece::Listing(tree) => Some(tree.0),
                other => sums.get(other).copied(),
            };
            match read {
                Err(error) => faults.push(ArchiveFault::new(piece, "damaged", error.to_string())),
                Ok(()) if expected.is_some_and(|expected| expected != digest) => {
                    faults.push(ArchiveFault::new(piece, "damaged", format!("found {digest}")));
                }
                Ok(()) => {}
            }
        }
        Ok(faults)
    })?;
    Ok(found.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_hostile_name_names_nothing() {
        let hex = Sha256Digest::of(b"").hex();
        let text = format!(
            "{hex}  blobs/sha256/{hex}\n{hex}  ../../etc/passwd\n{hex}  /etc/passwd\n{hex}  blobs/sha256/../x\n{hex} *strix.lock\n\
             x  strix.lock\n{hex}  strix.lock\n"
        );
        let found: Vec<Piece> = parse_sums(&text).into_iter().map(|(piece, _)| piece).collect();
        assert_eq!(found, [Piece::Blob(Sha256Digest::of(b"")), Piece::Newest]);
    }
}
