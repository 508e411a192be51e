//! Reads a directory that is already on disk and gives its listing.

use std::collections::VecDeque;
use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::listing::{Entry, Listing, Node, show};
use crate::digest::{Sha256, Sha256Digest};
use crate::error::{Error, Kind, Result};

/// The listing of the tree at `directory`: walks it, and hashes its files on all cores.
/// Anything but directories, files and symbolic links is an error that names it.
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
                return Err(Error::new(Kind::Invalid, format!("`{}` is no directory, file or link", show(&name)))
                    .fact("in", directory.display())
                    .hint("a tree cannot hold devices, sockets or pipes"));
            }
        }
    }
    entries.extend(hash_all(files)?);
    Ok(Listing::new(entries))
}

/// The digest and size of the file at `path`.
pub fn hash_file(path: &Path) -> Result<(Sha256Digest, u64)> {
    let mut file = fs_err::File::open(path)?;
    let mut hash = Sha256::default();
    let mut size = 0;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hash.finish(), size)),
            Ok(count) => {
                hash.update(&buffer[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

type Found = (Vec<u8>, PathBuf, Metadata);

fn hash_all(files: Vec<Found>) -> Result<Vec<Entry>> {
    let queue = Mutex::new(files.into_iter());
    let worker = || {
        let mut entries = Vec::new();
        loop {
            let next = queue.lock().ok().and_then(|mut queue| queue.next());
            let Some((path, on_disk, metadata)) = next else { return Ok(entries) };
            let (digest, size) = hash_file(&on_disk)?;
            entries.push(Entry { path, node: Node::File { executable: metadata.mode() & 0o100 != 0, size, digest } });
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let mut all = Vec::new();
        for handle in handles {
            let entries: Result<Vec<Entry>> =
                handle.join().unwrap_or_else(|_| Err(Error::failure("a thread that hashes files panicked")));
            all.extend(entries?);
        }
        Ok(all)
    })
}
