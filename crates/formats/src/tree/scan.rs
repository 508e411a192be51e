//! Reads a directory on disk and returns its listing.

use std::collections::VecDeque;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::listing::{Entry, Listing, Node, named};
use crate::digest::{Sha256Digest, hash_reader};
use crate::error::{Error, Kind, Result};
use crate::threads::{cores, on_threads};

/// Returns the listing of the tree at `directory`: walks it, and hashes its files on all cores. Fails for anything
/// but directories, files and symbolic links.
pub fn scan(directory: &Path) -> Result<Listing> {
    let mut entries = Vec::new();
    let mut files = Vec::new();
    let mut todo = VecDeque::from([PathBuf::new()]);
    while let Some(relative) = todo.pop_front() {
        for found in fs_err::read_dir(directory.join(&relative))? {
            let found = found?;
            let path = relative.join(found.file_name());
            let name = path.as_os_str().as_bytes().to_vec();
            let metadata = fs_err::symlink_metadata(found.path())?;
            if metadata.is_dir() {
                entries.push(Entry { path: name, node: Node::Directory });
                todo.push_back(path);
            } else if metadata.is_symlink() {
                let target = fs_err::read_link(found.path())?.into_os_string().as_bytes().to_vec();
                entries.push(Entry { path: name, node: Node::Link { target } });
            } else if metadata.is_file() {
                files.push((name, found.path(), metadata));
            } else {
                return Err(Error::new(Kind::Invalid, format!("`{}` is not a directory, file or link", named(&name)))
                    .fact("in", directory.display())
                    .hint("a tree cannot hold devices, sockets or pipes"));
            }
        }
    }
    entries.extend(hash_all(files)?);
    Ok(Listing::new(entries))
}

/// Returns the digest and size of the file at `path`.
pub fn hash_file(path: &Path) -> Result<(Sha256Digest, u64)> {
    Ok(hash_reader(fs_err::File::open(path)?)?)
}

type Found = (Vec<u8>, PathBuf, Metadata);

fn hash_all(mut files: Vec<Found>) -> Result<Vec<Entry>> {
    // Large files first, so that at the end no core waits for the last large file of another.
    files.sort_by_key(|(_, _, metadata)| std::cmp::Reverse(metadata.len()));
    let next = AtomicUsize::new(0);
    let hashed = on_threads(cores(), "a thread that hashes files", |_| {
        let mine = std::iter::from_fn(|| files.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.map(hash_found).collect::<Result<Vec<Entry>>>()
    })?;
    Ok(hashed.into_iter().flatten().collect())
}

fn hash_found((path, on_disk, metadata): &Found) -> Result<Entry> {
    let (digest, size) = hash_file(on_disk)?;
    let executable = metadata.mode() & 0o100 != 0;
    Ok(Entry { path: path.clone(), node: Node::File { executable, size, digest } })
}
