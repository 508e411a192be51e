//! Writes a layer: part of a root file system as a tar archive, compressed.
//!
//! One pass: files are read and hashed, the archive is hashed for the diff id on a thread of its own, compressed on
//! more, and hashed once more for the blob's digest. Memory is bounded by the buffers. Equal contents give equal
//! bytes on every machine: entries in the order of the tree's listing, headers as in [`crate::tree::ArchiveWriter`];
//! zstd always runs with workers, whose jobs do not depend on their number.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};

use serde::{Deserialize, Serialize};

use super::apply::WHITEOUT;
use super::compression::{Compression, Encoder};
use super::document::Descriptor;
use crate::digest::{HashingWriter, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::progress::Task;
use crate::tree::confined::Root;
use crate::tree::{ArchiveWriter, Listing, Node, named};

/// A layer that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The compressed archive.
    pub blob: Descriptor,
    /// The digest of the archive before compression.
    pub diff_id: Sha256Digest,
}

/// The contents of a layer.
pub enum Contents<'a> {
    /// A tree below a directory.
    Tree {
        /// Its path in the image, without `/` at its ends; empty for the root.
        prefix: &'a str,
        /// The directory on disk.
        root: &'a Root,
        /// Its listing.
        listing: &'a Listing,
        /// Paths in the tree with modes that a tree cannot express.
        modes: &'a [(&'a str, u32)],
    },
    /// Directories and small files, by path.
    Small(&'a BTreeMap<String, Small>),
}

/// A directory or small file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Small {
    /// Its mode.
    pub mode: u32,
    /// A file's contents; `None` for a directory.
    pub contents: Option<Vec<u8>>,
}

/// Writes a layer to `out`, and reports to `task` how many bytes of files were read. Fails before any work if a
/// name is that of a whiteout.
pub fn write(
    contents: &Contents,
    compression: Compression,
    threads: u32,
    out: &mut File,
    task: &dyn Task,
) -> Result<Layer> {
    match contents {
        Contents::Tree { prefix, listing, .. } => {
            demand_plain(prefix.as_bytes())?;
            listing.entries().iter().try_for_each(|entry| demand_plain(&entry.path))?;
        }
        Contents::Small(files) => files.keys().try_for_each(|path| demand_plain(path.as_bytes()))?,
    }
    let encoder = Encoder::new(compression, HashingWriter::new(out), threads)?;
    let mut archive = ArchiveWriter::new(BufWriter::with_capacity(128 * 1024, HashingWriter::new(encoder)));
    match contents {
        Contents::Tree { prefix, root, listing, modes } => {
            let mut above = 0;
            while let Some(end) = prefix[above..].find('/').map(|at| above + at) {
                archive.directory(&prefix.as_bytes()[..end], 0o755)?;
                above = end + 1;
            }
            if !prefix.is_empty() {
                archive.directory(prefix.as_bytes(), 0o755)?;
            }
            let mut done = 0;
            for entry in listing.entries() {
                let mode = modes.iter().find(|(path, _)| path.as_bytes() == entry.path).map(|(_, mode)| *mode);
                let inside = [prefix.as_bytes(), &entry.path].join(&b'/');
                archive.entry(inside.strip_prefix(b"/").unwrap_or(&inside), root, entry, mode)?;
                if let Node::File { size, .. } = entry.node {
                    done += size;
                    task.set_position(done);
                }
            }
        }
        Contents::Small(files) => {
            for (path, small) in *files {
                match &small.contents {
                    None => archive.directory(path.as_bytes(), small.mode)?,
                    Some(contents) => archive.file(path.as_bytes(), small.mode, contents)?,
                }
            }
        }
    }
    let hasher = archive.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    let (diff_id, _, encoder) = hasher.finish();
    let (digest, size, _) = encoder.finish()?.finish();
    Ok(Layer { blob: Descriptor::new(compression.media_type(), digest, size), diff_id })
}

/// Fails for a name that means the removal of another one wherever layers are unpacked: the file would not be in
/// the image, and the lower layer's entry would be gone.
fn demand_plain(path: &[u8]) -> Result<()> {
    if path.split(|byte| *byte == b'/').all(|part| !part.starts_with(WHITEOUT)) {
        return Ok(());
    }
    let why = "invalid name in a layer: the prefix `.wh.` removes an entry of the layers below";
    Err(Error::new(Kind::Invalid, why).fact("path", named(path)))
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;

    use super::*;
    use crate::progress::Silent;
    use crate::tree::Limits;
    use crate::tree::scan::scan;
    use crate::tree::testing::odd_links;
    use crate::tree::unpack::unpack;

    fn layer(compression: Compression, threads: u32) -> Layer {
        let directory = tempfile::tempdir().unwrap();
        fs_err::create_dir(directory.path().join("lib")).unwrap();
        // Enough for several of zstd's jobs, and compressible in more than one way.
        let noise: Vec<u8> = (0..20_u32 << 20).map(|at| ((at >> 3).wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        fs_err::write(directory.path().join("lib/noise"), noise).unwrap();
        fs_err::os::unix::fs::symlink("noise", directory.path().join("lib/link")).unwrap();
        let listing = scan(directory.path()).unwrap();
        let root = Root::open(directory.path()).unwrap();
        let contents = Contents::Tree { prefix: "opt/rocm", root: &root, listing: &listing, modes: &[("lib", 0o700)] };
        write(&contents, compression, threads, &mut tempfile::tempfile().unwrap(), &Silent).unwrap()
    }

    /// A failure means that layers are compressed differently now: increase the revision of the recipe `image`.
    #[test]
    fn the_bytes_of_a_layer_are_the_same_for_ever() {
        let zstd = layer(Compression::Zstd, 1);
        assert_eq!(zstd, layer(Compression::Zstd, 3));
        let gzip = layer(Compression::Gzip, 1);
        assert_eq!(zstd.diff_id, gzip.diff_id);
        let digests = [zstd.diff_id, zstd.blob.digest, gzip.blob.digest].map(|digest| digest.hex()[..16].to_owned());
        assert_eq!(digests, ["5c49ee59ed8ec382", "c75c3546db095615", "43085cf51ceb44d7"]);
    }

    #[test]
    fn links_in_a_layer_lead_where_they_lead_in_the_tree() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let listing = odd_links(from.path());
        let root = Root::open(from.path()).unwrap();
        let contents = Contents::Tree { prefix: "", root: &root, listing: &listing, modes: &[] };
        let mut file = tempfile::tempfile().unwrap();
        write(&contents, Compression::Zstd, 1, &mut file, &Silent).unwrap();
        file.rewind().unwrap();
        let unpacked = unpack(&file, to.path(), Limits::default()).unwrap();
        assert_eq!(unpacked.listing.digest(), listing.digest());
    }

    #[test]
    fn names_that_mean_the_removal_of_others_are_refused() {
        let small = |path: &str| BTreeMap::from([(path.to_owned(), Small { mode: 0o755, contents: None })]);
        let made = |contents: &Contents| {
            write(contents, Compression::Gzip, 1, &mut tempfile::tempfile().unwrap(), &Silent).map(|_| ())
        };
        for path in ["a/.wh.b", ".wh..wh..opq", ".wh.a/b", ".wh."] {
            let error = made(&Contents::Small(&small(path))).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.to_string().contains(path) && error.to_string().contains("removes an entry"), "{error}");
        }
        made(&Contents::Small(&small("a/.who/x.wh.y"))).unwrap();

        let directory = tempfile::tempdir().unwrap();
        fs_err::create_dir(directory.path().join("etc")).unwrap();
        fs_err::write(directory.path().join("etc/.wh.passwd"), "").unwrap();
        let (root, listing) = (Root::open(directory.path()).unwrap(), scan(directory.path()).unwrap());
        let tree = |prefix| Contents::Tree { prefix, root: &root, listing: &listing, modes: &[] };
        assert!(made(&tree("")).unwrap_err().to_string().contains("etc/.wh.passwd"));
        let empty = Listing::default();
        let prefixed = Contents::Tree { prefix: "opt/.wh.rocm", root: &root, listing: &empty, modes: &[] };
        assert!(made(&prefixed).is_err());
    }
}
