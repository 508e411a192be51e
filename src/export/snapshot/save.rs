//! Writes a snapshot.

use std::collections::HashSet;
use std::fs::{File, Permissions};
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::delta::{Contents, contents};
use super::{Base, DELTA, FORMAT, INDEX, Index, LISTING, SnapshotOutput};
use crate::digest::{HashingWriter, Sha256Digest, TreeDigest};
use crate::error::{About, Error, Result};
use crate::progress::{Doing, Progress, Unit};
use crate::store::StoredTree;
use crate::tree::confined::Root;
use crate::tree::{ArchiveWriter, Entry, Listing, Node};

/// An output that goes into a snapshot.
#[derive(Debug, Clone)]
pub struct Part {
    /// Description in the index.
    pub output: SnapshotOutput,
    /// Tree in the store.
    pub tree: StoredTree,
}

/// Options of zstd. Level and window change the bytes, threads do not.
#[derive(Debug, Clone, Copy)]
pub struct ZstdOptions {
    /// Level, 1 to 22.
    pub level: i32,
    /// Long-distance matching in a window of 128 MiB, like `zstd --long`.
    pub long: bool,
    /// Number of threads.
    pub threads: u32,
}

/// A snapshot that was written.
#[derive(Debug, Clone, Copy)]
pub struct Saved {
    /// Size in bytes.
    pub size: u64,
    /// Digest.
    pub digest: Sha256Digest,
}

/// Writes a snapshot of `parts` to `file`, atomically. With `beside`, writes a delta to these trees, of which there may be
/// none. Files are verified as they are read, so damage in the store is not exported.
pub fn save(
    mut parts: Vec<Part>,
    beside: Option<&[Base]>,
    file: &Path,
    compression: ZstdOptions,
    progress: &dyn Progress,
) -> Result<Saved> {
    parts.sort_by(|a, b| a.output.name.cmp(&b.output.name));
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent)?;
    let cannot = |error: &std::io::Error| Error::failure(format!("cannot write {}", file.display())).because(error);
    let mut new = tempfile::Builder::new()
        .prefix(".strixlock-snapshot-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(parent)
        .map_err(|error| cannot(&error))?;
    let (digest, size, _) = write(&parts, beside, new.as_file_mut(), compression, progress)?.finish();
    new.as_file().sync_all().map_err(|error| cannot(&error))?;
    new.persist(file).map_err(|error| cannot(&error.error))?;
    fs_err::File::open(parent)?.sync_all()?;
    Ok(Saved { size, digest })
}

fn write<'f>(
    parts: &[Part],
    beside: Option<&[Base]>,
    file: &'f mut File,
    compression: ZstdOptions,
    progress: &dyn Progress,
) -> Result<HashingWriter<&'f mut File>> {
    let mut encoder = zstd::Encoder::new(HashingWriter::new(file), compression.level)?;
    encoder.include_checksum(true)?;
    encoder.multithread(compression.threads.max(1))?;
    if compression.long {
        encoder.long_distance_matching(true)?;
        encoder.window_log(27)?;
    }
    let mut archive = ArchiveWriter::new(BufWriter::with_capacity(128 * 1024, encoder));
    let mut bases: Vec<TreeDigest> = beside.unwrap_or_default().iter().map(|base| base.digest).collect();
    bases.sort_unstable();
    bases.dedup();
    let index = Index {
        format: if beside.is_some() { DELTA } else { FORMAT }.to_owned(),
        outputs: parts.iter().map(|part| part.output.clone()).collect(),
        beside: bases,
    };
    let text = serde_json::to_vec_pretty(&index)
        .map_err(|error| Error::failure("cannot write the index of a snapshot").because(&error))?;
    archive.file(INDEX, 0o644, &text)?;
    let mut trees: Vec<OpenTree> = Vec::new();
    for part in parts {
        let listing = part.tree.listing().about(&part.output.name)?;
        archive.file(format!("{}{LISTING}", part.output.name).as_bytes(), 0o644, &listing.to_bytes())?;
        trees.push(OpenTree { name: &part.output.name, root: Root::open(&part.tree.path)?, listing });
    }
    let mut entries: Vec<(&Entry, &OpenTree)> =
        trees.iter().flat_map(|tree| tree.listing.entries().iter().map(move |entry| (entry, tree))).collect();
    // The sort is stable: entries with the same path stay in the order of their outputs.
    entries.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    if let Some(beside) = beside {
        let mut known: HashSet<Contents> =
            beside.iter().flat_map(|base| base.listing.entries()).filter_map(contents).collect();
        entries.retain(|(entry, _)| contents(entry).is_none_or(|one| known.insert(one)));
    }
    let total = entries.iter().map(|(entry, _)| size(entry)).sum();
    let task = progress.begin(Doing::Pack, "the snapshot", Some(total), Unit::Bytes);
    let mut done = 0;
    for (entry, tree) in entries {
        let path = [tree.name.as_bytes(), &entry.path].join(&b'/');
        archive.entry(&path, &tree.root, entry, None).about(tree.name)?;
        done += size(entry);
        task.set_position(done);
    }
    let encoder = archive.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    Ok(encoder.finish()?)
}

/// Returns the size of a file, and 0 for anything else.
fn size(entry: &Entry) -> u64 {
    if let Node::File { size, .. } = entry.node { size } else { 0 }
}

/// A tree that is being written, opened.
struct OpenTree<'a> {
    name: &'a str,
    root: Root,
    listing: Listing,
}
