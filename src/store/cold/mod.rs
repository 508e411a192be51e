//! Cold trees: trees that nobody uses now, stored as compressed chunks that they share.
//!
//! ```text
//! trees/<hex>/listing      as for a hot tree
//! trees/<hex>/cold         the chunks of its files' contents, in order: zstd of
//!                            strixlock-cold 1
//!                            <64 hex> <bytes>
//! chunks/<2 hex>/<62 hex>  zstd of a chunk; the name is the SHA-256 of the plain bytes
//! ```
//!
//! The contents of a tree's distinct files (by digest and execute bit), in the listing's order, form one stream. Cuts
//! depend on the contents (FastCDC), so what two nightlies have in common becomes the same chunks.
//!
//! A tree is hot or cold, never both and never neither: one exchange replaces the directory `trees/<hex>` of one form
//! by that of the other, after everything that the new form needs is on disk.

mod pack;
mod shelf;
mod stream;
mod thaw;

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::Store;
use super::trees::read_listing;
use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::tree::{Entry, Listing, Node};

pub use shelf::{ColdShelf, LARGEST_CHUNK, LARGEST_INDEX};

const HEADER: &str = "strixlock-cold 1";
/// Greatest size of an index, in bytes. It is enough for 128 GB of small chunks.
const MOST_INDEX: u64 = 512 << 20;
/// Chunks have 16 to 256 KiB, 64 KiB on average: smaller ones compress badly, larger ones share less.
const SMALLEST: usize = 16 << 10;
const AVERAGE: usize = 64 << 10;
const LARGEST: usize = 256 << 10;

/// A tree that a store, or a [`ColdShelf`], has as chunks.
#[derive(Debug, Clone)]
pub struct ColdTree {
    /// Its digest.
    pub digest: TreeDigest,
    /// The directory that holds `trees/` and `chunks/`.
    root: PathBuf,
    /// The hint for damage.
    repair: &'static str,
}

/// A piece of a cold tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The digest of its plain bytes.
    pub digest: Sha256Digest,
    /// The number of plain bytes.
    pub size: usize,
}

impl ColdTree {
    /// Returns the cold tree with this digest below `root`, if it is there.
    fn below(root: &Path, digest: TreeDigest, repair: &'static str) -> Option<Self> {
        let cold = Self { digest, root: root.to_path_buf(), repair };
        cold.directory().join("cold").is_file().then_some(cold)
    }

    fn directory(&self) -> PathBuf {
        self.root.join("trees").join(self.digest.hex())
    }

    /// Returns the path of a chunk of the tree.
    fn chunk(&self, digest: Sha256Digest) -> PathBuf {
        chunk_path(&self.root, digest)
    }

    /// Returns the tree's listing. Fails if that is damaged.
    pub fn listing(&self) -> Result<Listing> {
        read_listing(&self.directory(), self.digest)
    }

    pub(super) fn chunks(&self) -> Result<Vec<Chunk>> {
        let path = self.directory().join("cold");
        let mut text = String::new();
        let file = fs_err::File::open(&path)?;
        let read = zstd::Decoder::new(file).and_then(|decoder| decoder.take(MOST_INDEX).read_to_string(&mut text));
        let chunks = read.ok().and_then(|_| parse(&text));
        chunks.ok_or_else(|| {
            Error::new(Kind::Damaged, "the index of a cold tree is damaged")
                .fact("file", path.display())
                .hint(self.repair)
        })
    }
}

/// Returns the path that the chunk with this digest has below `root`.
fn chunk_path(root: &Path, digest: Sha256Digest) -> PathBuf {
    let hex = digest.hex();
    root.join("chunks").join(&hex[..2]).join(&hex[2..])
}

const REPAIR: &str = "`strixlock verify --repair` fetches it again";

fn parse(text: &str) -> Option<Vec<Chunk>> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    (lines.next()? == HEADER).then_some(())?;
    lines
        .map(|line| {
            let (digest, size) = line.split_once(' ')?;
            let size = size.parse().ok().filter(|size| (1..=LARGEST).contains(size))?;
            Some(Chunk { digest: Sha256Digest::from_hex(digest)?, size })
        })
        .collect()
}

fn write_index(path: &Path, chunks: &[Chunk]) -> Result<()> {
    let mut encoder = zstd::Encoder::new(fs_err::File::create(path)?, 3)?;
    encoder.include_checksum(true)?;
    writeln!(encoder, "{HEADER}")?;
    for chunk in chunks {
        writeln!(encoder, "{} {}", chunk.digest.hex(), chunk.size)?;
    }
    encoder.finish()?;
    Ok(())
}

/// A file of a tree that has the contents of no file before it.
struct DistinctFile<'a> {
    entry: &'a Entry,
    digest: Sha256Digest,
    executable: bool,
    size: u64,
}

/// Returns the distinct files of a tree, in order. A cold tree's stream consists of their contents.
fn distinct_files(listing: &Listing) -> impl Iterator<Item = DistinctFile<'_>> {
    let mut seen = HashSet::new();
    listing.entries().iter().filter_map(move |entry| match entry.node {
        Node::File { executable, size, digest } => {
            seen.insert((digest, executable)).then_some(DistinctFile { entry, digest, executable, size })
        }
        _ => None,
    })
}

impl Store {
    /// Returns the tree with this digest, if the store has it cold.
    #[must_use]
    pub fn cold(&self, digest: TreeDigest) -> Option<ColdTree> {
        ColdTree::below(&self.root, digest, REPAIR)
    }

    /// Returns the paths of a cold tree's chunks, with their sizes on disk.
    pub(super) fn chunk_files(&self, tree: &ColdTree) -> Result<Vec<(PathBuf, u64)>> {
        let file = |chunk: Chunk| {
            let path = self.chunk(chunk.digest);
            // A missing chunk takes no space. `verify` reports it.
            let size = std::fs::symlink_metadata(&path).map_or(0, |about| about.len());
            (path, size)
        };
        Ok(tree.chunks()?.into_iter().map(file).collect())
    }

    /// Returns the path that the chunk with this digest has, or would have.
    pub(super) fn chunk(&self, digest: Sha256Digest) -> PathBuf {
        chunk_path(&self.root, digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_comes_back_and_others_do_not_pass() {
        let directory = tempfile::tempdir().unwrap();
        let chunks: Vec<Chunk> =
            (1..5).map(|size| Chunk { digest: Sha256Digest::of(&[size]), size: usize::from(size) }).collect();
        let digest = TreeDigest(Sha256Digest::of(b""));
        let place = directory.path().join("trees").join(digest.hex());
        fs_err::create_dir_all(&place).unwrap();
        write_index(&place.join("cold"), &chunks).unwrap();
        let cold = ColdTree::below(directory.path(), digest, REPAIR).unwrap();
        assert_eq!(cold.chunks().unwrap(), chunks);
        let hex = Sha256Digest::of(b"").hex();
        for wrong in ["", "x\n", "strixlock-cold 2\n", "strixlock-cold 1"] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
        for line in [String::new(), format!("{hex} 0"), format!("{hex} 262145"), "ab 1".to_owned(), format!("{hex}1")] {
            assert!(parse(&format!("{HEADER}\n{line}\n")).is_none(), "{line}");
        }
    }
}
