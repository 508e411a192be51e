//! Unpacks tarballs to trees: one pass over a stream, through [`TreeWriter`].
//!
//! [`super::entries`] reads the archive; this module decides what becomes of each entry. Directories, files, symbolic
//! and hard links are passed on. Absolute names stand below the root, as with tar and dpkg, and are reported. The
//! receiver decides about every other kind of entry.

mod wrapped;

use std::io::Read;
use std::path::Path;

use super::compression::Compression;
use super::entries::{Entries, Member, MemberKind, refused};
use super::links::climbs_out;
use super::listing::{Listing, Node, named};
use super::notes::Notes;
use super::ratio::Packed;
use super::receiver::Receiver;
use super::writer::{Limits, TreeWriter};
use crate::error::{Error, Kind, Result};

pub use wrapped::unpack_file;

/// A tree that was unpacked from an archive.
pub struct Unpacked {
    /// Its listing.
    pub listing: Listing,
    /// Reports of what a tree cannot express.
    pub remarks: Remarks,
}

impl Unpacked {
    /// Lists absolute link targets, which AMD's build machines are said to leave behind: reported, never followed.
    #[must_use]
    pub fn absolute_links(&self) -> Notes {
        let mut told = Notes::default();
        for entry in self.listing.entries() {
            if let Node::Link { target } = &entry.node
                && target.starts_with(b"/")
            {
                told.push(|| format!("{} -> {}", named(&entry.path), named(target)));
            }
        }
        told
    }
}

/// Unpacks a tar stream into the empty `directory`; see [`unpack_into`]. Fails for a decompression bomb: a stream
/// that unpacks to far more than any real tarball.
pub fn unpack(stream: impl Read, directory: &Path, limits: Limits) -> Result<Unpacked> {
    let mut writer = TreeWriter::new(directory, limits)?;
    let packed = Packed::new(stream);
    let bound = packed.bound();
    let plain = bound.over(decompressed(packed)?);
    let remarks = untar(plain, &mut writer, SpecialBits::Refuse)?;
    Ok(Unpacked { listing: writer.finish()?, remarks })
}

/// Passes the entries of a tar stream to a receiver. The stream may be compressed with gzip, xz or zstd, which its
/// first bytes tell. Reads it to its end, so that every checksum of the compression is verified.
pub fn unpack_into(stream: impl Read, receiver: &mut dyn Receiver) -> Result<Remarks> {
    untar(decompressed(stream)?, receiver, SpecialBits::Refuse)
}

fn decompressed<'r>(stream: impl Read + 'r) -> Result<Box<dyn Read + 'r>> {
    match Compression::detect(stream)? {
        Some((compression, stream)) => compression.decoder(stream),
        None => Err(Error::new(Kind::Invalid, "the archive is empty")),
    }
}

/// The treatment of setuid and setgid files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpecialBits {
    /// They are an error: no archive that uses this has reason to hold them.
    Refuse,
    /// They become plain files and are reported.
    Drop,
}

/// Contents of an archive that a tree cannot express.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Remarks {
    /// Files that were setuid or setgid.
    pub special: Notes,
    /// Absolute names, and absolute targets of hard links. They are placed below the root.
    pub absolute: Notes,
    /// True if the stream was empty, without even an end of archive.
    pub empty: bool,
}

/// Passes the entries of a decompressed tar stream to a receiver.
pub fn untar(stream: impl Read, receiver: &mut dyn Receiver, special: SpecialBits) -> Result<Remarks> {
    let mut entries = Entries::new(stream);
    let mut remarks = Remarks::default();
    while let Some(Member { name, kind, mode }) = entries.next()? {
        let path = clean(&name);
        if path.is_empty() && matches!(kind, MemberKind::Directory) {
            // The root exists already.
            continue;
        }
        let privileged = mode & 0o6000 != 0 && matches!(kind, MemberKind::File | MemberKind::HardLink(_));
        if privileged && special == SpecialBits::Refuse {
            return Err(refused(&name, "it is setuid or setgid"));
        }
        let mut absolute = name.starts_with(b"/");
        match kind {
            MemberKind::Directory => receiver.directory(&path)?,
            MemberKind::File => {
                receiver.file(&path, mode & 0o100 != 0, &mut entries).map_err(|error| in_file(&name, error))?;
            }
            MemberKind::Link(target) => {
                if climbs_out(&path, &target) {
                    // The link would mean something else on every machine.
                    return Err(refused(&path, "its link leads out of the tree").fact("target", named(&target)));
                }
                receiver.link(&path, &target)?;
            }
            MemberKind::HardLink(target) => {
                absolute |= target.starts_with(b"/");
                receiver.hard_link(&path, &clean(&target))?;
            }
            MemberKind::Node(what) => receiver.node(&path, what)?,
        }
        // After the receiver took the entry, so that refused entries use no memory here.
        if privileged {
            remarks.special.push(|| named(&path));
        }
        if absolute {
            remarks.absolute.push(|| named(&name));
        }
    }
    remarks.empty = entries.is_empty();
    entries.finish()?;
    Ok(remarks)
}

/// Returns `./a//b/` and `/a/b` as `a/b`. Keeps `..`, which the writer refuses.
fn clean(name: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    parts.join(&b'/')
}

fn in_file(name: &[u8], error: Error) -> Error {
    if error.kind() == Kind::Failure { error.fact("entry", named(name)) } else { error }
}

#[cfg(test)]
mod tests;
