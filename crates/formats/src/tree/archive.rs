//! Writes trees as tar archives, with the same bytes on every machine.
//!
//! Header format: GNU tar's, as the tar crate writes it; names and link targets of more than 100 bytes go into `L`
//! and `K` entries before their own. Targets are written byte for byte: `a//b` is not `a/b`, though both lead to one
//! place. Nothing else in a header is taken from the disk: the owner is 0:0 without names, the time 1980-01-01
//! (315532800), and the caller gives the mode. Entries stand in the order of the calls. Files are hashed as they are
//! read, so that damaged files of a store are not exported.

use std::ffi::OsStr;
use std::io::{Read as _, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use tar::{EntryType, Header};

use super::confined::{MTIME, Root};
use super::listing::{Entry, Node};
use crate::digest::HashingReader;
use crate::error::Result;

/// Bytes of a link's target that a header has room for.
const LINK_FIELD: usize = 100;

/// A tar archive being written.
pub struct ArchiveWriter<W: Write>(tar::Builder<W>);

impl<W: Write> ArchiveWriter<W> {
    /// Begins an archive that is written to `out`.
    pub fn new(out: W) -> Self {
        Self(tar::Builder::new(out))
    }

    /// Adds a directory with this mode.
    pub fn directory(&mut self, path: &[u8], mode: u32) -> Result<()> {
        Ok(self.0.append_data(&mut header(EntryType::Directory, mode, 0), as_path(path), &[][..])?)
    }

    /// Adds a file with these contents and this mode.
    pub fn file(&mut self, path: &[u8], mode: u32, contents: &[u8]) -> Result<()> {
        let mut header = header(EntryType::Regular, mode, contents.len() as u64);
        Ok(self.0.append_data(&mut header, as_path(path), contents)?)
    }

    /// Adds an entry of the tree below `root`, under the name `path`. Without a `mode`, files get 0644, directories
    /// and executable files 0755. Fails if a file's contents differ from the entry's digest.
    pub fn entry(&mut self, path: &[u8], root: &Root, entry: &Entry, mode: Option<u32>) -> Result<()> {
        match &entry.node {
            Node::Directory => self.directory(path, mode.unwrap_or(0o755))?,
            Node::Link { target } => self.link(path, target)?,
            Node::File { executable, size, .. } => {
                let mode = mode.unwrap_or(if *executable { 0o755 } else { 0o644 });
                let mut contents = HashingReader::new(root.open_file(&entry.path)?.take(*size));
                self.0.append_data(&mut header(EntryType::Regular, mode, *size), as_path(path), &mut contents)?;
                let (found, read) = contents.finish();
                entry.demand_contents(found, read)?;
            }
        }
        Ok(())
    }

    /// Adds a symbolic link. The tar crate's own method would tidy the target.
    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        let mut header = header(EntryType::Symlink, 0o777, 0);
        let (field, rest) = target.split_at(target.len().min(LINK_FIELD));
        if !rest.is_empty() {
            self.0.append(&long_link(target.len() as u64), target.chain(&[0_u8][..]))?;
        }
        header.set_link_name_literal(field)?;
        Ok(self.0.append_data(&mut header, as_path(path), &[][..])?)
    }

    /// Ends the archive and returns the writer.
    pub fn finish(self) -> Result<W> {
        Ok(self.0.into_inner()?)
    }
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Returns the header before a long target of this length. The target and a zero byte follow as contents.
fn long_link(length: u64) -> Header {
    let mut long = header(EntryType::GNULongLink, 0o644, length + 1);
    for (slot, byte) in long.as_old_mut().name.iter_mut().zip(b"././@LongLink") {
        *slot = *byte;
    }
    // As in GNU tar.
    long.set_mtime(0);
    long.set_cksum();
    long
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(MTIME as u64);
    header.set_uid(0);
    header.set_gid(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Limits;
    use crate::tree::scan::scan;
    use crate::tree::testing::odd_links;
    use crate::tree::unpack::unpack;

    #[test]
    fn targets_come_out_of_an_archive_as_they_went_in() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| {
            fs_err::create_dir(directory.path().join(name)).unwrap();
            directory.path().join(name)
        };
        let from = place("from");
        let listing = odd_links(&from);
        let root = Root::open(&from).unwrap();
        let mut archive = ArchiveWriter::new(Vec::new());
        for entry in listing.entries() {
            archive.entry(&entry.path, &root, entry, None).unwrap();
        }
        let archive = archive.finish().unwrap();
        let unpacked = unpack(&archive[..], &place("by-us"), Limits::default()).unwrap();
        assert_eq!(unpacked.listing.digest(), listing.digest(), "{:?}", unpacked.listing);
        // GNU tar reads the same.
        let (by_tar, file) = (place("by-tar"), directory.path().join("archive.tar"));
        fs_err::write(&file, &archive).unwrap();
        let tar = std::process::Command::new("tar").arg("-xf").arg(&file).arg("-C").arg(&by_tar).status().unwrap();
        assert!(tar.success());
        assert_eq!(scan(&by_tar).unwrap().digest(), listing.digest());
    }
}
