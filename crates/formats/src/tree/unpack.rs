//! Tarballs to trees: one pass over a stream, through [`TreeWriter`].
//!
//! [`super::entries`] reads; what becomes of what was read is decided here. Directories, files, symbolic and hard links are
//! what a tree is made of. Absolute names stand below the root, as tar and dpkg put them, and are told. Every other kind of
//! entry is the receiver's to refuse.

use std::io::Read;
use std::path::Path;

use super::compression::Compression;
use super::entries::{Entries, Member, MemberKind, refused};
use super::links::climbs_out;
use super::listing::{Listing, Node, named};
use super::ratio::Packed;
use super::receiver::Receiver;
use super::told::Told;
use super::writer::{Limits, TreeWriter};
use crate::error::{Error, Kind, Result};

/// A tree that came out of an archive.
pub struct Unpacked {
    /// What is in it.
    pub listing: Listing,
    /// Remarks on what else was in the archive.
    pub remarks: Remarks,
}

impl Unpacked {
    /// Absolute link targets, which AMD's build machines are said to leave behind: told, never followed.
    #[must_use]
    pub fn absolute_links(&self) -> Told {
        let mut told = Told::default();
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

/// Unpacks a tar stream into the empty `directory`; see [`unpack_into`]. What unpacks to far more than any tarball is a bomb.
pub fn unpack(stream: impl Read, directory: &Path, limits: Limits) -> Result<Unpacked> {
    let mut writer = TreeWriter::new(directory, limits)?;
    let packed = Packed::new(stream);
    let bound = packed.bound();
    let plain = bound.over(decompressed(packed)?);
    let remarks = untar(plain, &mut writer, SpecialBits::Refuse)?;
    Ok(Unpacked { listing: writer.finish()?, remarks })
}

/// Gives the entries of a tar stream, compressed with gzip, xz or zstd or not at all (told by its first bytes), to a
/// receiver. Reads the stream to its very end, so that every checksum of the compression is checked.
pub fn unpack_into(stream: impl Read, receiver: &mut dyn Receiver) -> Result<Remarks> {
    untar(decompressed(stream)?, receiver, SpecialBits::Refuse)
}

fn decompressed<'r>(stream: impl Read + 'r) -> Result<Box<dyn Read + 'r>> {
    match Compression::detect(stream)? {
        Some((compression, stream)) => compression.decoder(stream),
        None => Err(Error::new(Kind::Invalid, "the archive is empty")),
    }
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
    /// Files that were setuid or setgid.
    pub special: Told,
    /// Absolute names, and absolute targets of hard links. What they name stands below the root.
    pub absolute: Told,
    /// True if there was nothing at all, not even an archive's end.
    pub empty: bool,
}

/// Gives the entries of a tar stream that is no longer compressed to a receiver.
pub fn untar(stream: impl Read, receiver: &mut dyn Receiver, special: SpecialBits) -> Result<Remarks> {
    let mut entries = Entries::new(stream);
    let mut remarks = Remarks::default();
    while let Some(Member { name, kind, mode }) = entries.next()? {
        let path = clean(&name);
        if path.is_empty() && matches!(kind, MemberKind::Directory) {
            // The root, which is there.
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
                    // It would mean something else on every machine.
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
        // Only now: what the receiver refuses must not grow here.
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

/// `./a//b/` as `a/b`, and so `/a/b`. What is left of `..` is for the writer to refuse.
fn clean(name: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    parts.join(&b'/')
}

fn in_file(name: &[u8], error: Error) -> Error {
    if error.kind() == Kind::Failure { error.fact("entry", named(name)) } else { error }
}

#[cfg(test)]
mod tests;
