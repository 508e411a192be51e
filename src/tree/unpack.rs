//! Tarballs to trees: one pass over a stream, through [`TreeWriter`].
//!
//! The tar crate parses; extraction is ours. Directories, files, symbolic and hard links are what a tree is made of;
//! every other kind of entry is refused by name, and so is whatever parsers disagree about: entries named twice,
//! bytes behind the end.

use std::cell::Cell;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use tar::EntryType;

use super::compression::Compression;
use super::links::climbs_out;
use super::listing::{Listing, show};
use super::writer::{Limits, TreeWriter};
use crate::error::{Error, Kind, Result};

/// A tree that came out of an archive.
pub struct Unpacked {
    /// What is in it.
    pub listing: Listing,
    /// Absolute link targets, which AMD's build machines are said to leave behind: told, never followed.
    pub absolute_links: Vec<String>,
}

/// Takes the entries of an archive, one after the other.
pub trait Receiver {
    /// A directory. It may be named again.
    fn directory(&mut self, path: &[u8]) -> Result<()>;
    /// A file with all that `contents` gives.
    fn file(&mut self, path: &[u8], executable: bool, contents: &mut dyn Read) -> Result<()>;
    /// A symbolic link.
    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()>;
    /// A second name for an earlier entry.
    fn hard_link(&mut self, path: &[u8], earlier: &[u8]) -> Result<()>;
    /// A device or a named pipe, which no tree can hold; `what` says which. The archive is refused, unless a receiver leaves
    /// such entries out.
    fn node(&mut self, path: &[u8], what: &'static str) -> Result<()> {
        Err(refused(path, &format!("it is {what}")))
    }
}

/// Unpacks a tar stream into the empty `directory`; see [`unpack_into`].
pub fn unpack(stream: impl Read, directory: &Path, limits: Limits) -> Result<Unpacked> {
    let mut writer = TreeWriter::new(directory, limits)?;
    let absolute_links = unpack_into(stream, &mut writer)?;
    Ok(Unpacked { listing: writer.finish()?, absolute_links })
}

/// Gives the entries of a tar stream, compressed with gzip, xz or zstd or not at all (told by its first bytes), to a
/// receiver. Reads the stream to its very end, so that every checksum of the compression is checked. Returns the absolute
/// link targets.
pub fn unpack_into(stream: impl Read, receiver: &mut dyn Receiver) -> Result<Vec<String>> {
    let Some((compression, stream)) = Compression::detect(stream)? else {
        return Err(Error::new(Kind::Invalid, "the archive is empty"));
    };
    Ok(untar(compression.decoder(stream)?, receiver, SpecialBits::Refuse)?.absolute_links)
}

/// What becomes of files that are setuid or setgid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpecialBits {
    /// They are refused: nobody whose archives are unpacked here has a use for them.
    Refuse,
    /// They become plain files and are told.
    Drop,
}

/// What an archive holds that a tree cannot say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Remarks {
    /// Absolute link targets.
    pub absolute_links: Vec<String>,
    /// Files that were setuid or setgid.
    pub special: Vec<Vec<u8>>,
}

/// Gives the entries of a tar stream that is no longer compressed to a receiver.
pub fn untar(stream: impl Read, receiver: &mut dyn Receiver, special: SpecialBits) -> Result<Remarks> {
    let left = Rc::new(Cell::new(MOST_HEADER));
    let mut archive = tar::Archive::new(Guarded { inner: stream, left: Rc::clone(&left) });
    let mut remarks = Remarks::default();
    let mut entries = archive.entries()?;
    loop {
        left.set(MOST_HEADER);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(broken)?;
        // From here on the writer's limits count.
        left.set(u64::MAX);
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let name = entry.path_bytes().into_owned();
        let path = clean(&name);
        if path.is_empty() && kind.is_dir() {
            continue;
        }
        if is_pax_sparse(&mut entry)? {
            return Err(refused(&name, "it is a sparse file in PAX form, which parsers read differently"));
        }
        let mode = entry.header().mode().map_err(broken)?;
        if mode & 0o6000 != 0 && !kind.is_dir() {
            if special == SpecialBits::Refuse {
                return Err(refused(&name, "it is setuid or setgid"));
            }
            remarks.special.push(path.clone());
        }
        match kind {
            EntryType::Directory => receiver.directory(&path)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                receiver.file(&path, mode & 0o100 != 0, &mut entry).map_err(|error| in_file(&name, error))?;
            }
            EntryType::Symlink => {
                let target = link_name(&entry, &name)?;
                check_link(&path, &target, &mut remarks.absolute_links)?;
                receiver.link(&path, &target)?;
            }
            EntryType::Link => {
                let target = link_name(&entry, &name)?;
                receiver.hard_link(&path, &clean(&target))?;
            }
            EntryType::Char => receiver.node(&path, "a character device")?,
            EntryType::Block => receiver.node(&path, "a block device")?,
            EntryType::Fifo => receiver.node(&path, "a named pipe")?,
            _ => return Err(refused(&name, "it is no directory, file, or link")),
        }
    }
    left.set(u64::MAX);
    at_end(archive.into_inner())?;
    Ok(remarks)
}

fn is_pax_sparse<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<bool> {
    let Some(extensions) = entry.pax_extensions().map_err(broken)? else { return Ok(false) };
    for extension in extensions {
        if extension.map_err(broken)?.key_bytes().starts_with(b"GNU.sparse.") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Stands under the parser, which reads long names and extended headers whole, however long they claim to be.
struct Guarded<R> {
    inner: R,
    /// How many bytes may be read until it is set again.
    left: Rc<Cell<u64>>,
}

/// The longest that one entry's headers may be; PATH_MAX names in every form are far below it.
const MOST_HEADER: u64 = 1 << 20;

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            let error =
                Error::new(Kind::Invalid, "the archive is refused: the headers of an entry are longer than 1 MiB");
            return Err(error.into());
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.inner.read(&mut buffer[..most]).map_err(|error| {
            // Errors of the system are what they are; all others come from a decompressor that does not like its input.
            if error.raw_os_error().is_some() { error } else { broken(error).into() }
        })?;
        self.left.set(left - count as u64);
        Ok(count)
    }
}

/// `./a//b/` as `a/b`. What is left of `..` and of absolute names is for the writer to refuse.
fn clean(name: &[u8]) -> Vec<u8> {
    if name.starts_with(b"/") {
        return name.to_vec();
    }
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    parts.join(&b'/')
}

fn link_name<R: Read>(entry: &tar::Entry<'_, R>, name: &[u8]) -> Result<Vec<u8>> {
    let target = entry.link_name_bytes().ok_or_else(|| refused(name, "it is a link without a target"))?;
    Ok(target.into_owned())
}

/// A relative link may not climb out of the tree: it would mean something else on every machine.
fn check_link(path: &[u8], target: &[u8], absolute: &mut Vec<String>) -> Result<()> {
    if target.starts_with(b"/") {
        absolute.push(format!("{} -> {}", show(path), show(target)));
        return Ok(());
    }
    if climbs_out(path, target) {
        return Err(refused(path, "its link leads out of the tree").fact("target", show(target)));
    }
    Ok(())
}

/// Only zeros may follow the last entry, and the compression's own checksums must hold.
fn at_end(mut rest: impl Read) -> Result<()> {
    let mut buffer = [0; 8192];
    loop {
        match rest.read(&mut buffer).map_err(broken)? {
            0 => return Ok(()),
            count if buffer[..count].iter().all(|byte| *byte == 0) => {}
            _ => {
                return Err(Error::new(Kind::Invalid, "the archive is refused: there are bytes behind its last entry"));
            }
        }
    }
}

fn refused(name: &[u8], why: &str) -> Error {
    Error::new(Kind::Invalid, format!("the archive is refused at `{}`: {why}", show(name)))
}

/// Errors of the parser and the decompressor; errors of our own that passed through them stay what they are.
fn broken(error: std::io::Error) -> Error {
    let error = Error::from(error);
    if error.kind() == Kind::Failure {
        Error::new(Kind::Mismatch, "the archive is damaged").because(&error)
    } else {
        error
    }
}

fn in_file(name: &[u8], error: Error) -> Error {
    if error.kind() == Kind::Failure { error.fact("entry", show(name)) } else { error }
}

#[cfg(test)]
mod tests;
