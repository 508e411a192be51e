//! Unpacks archives as people publish sources: everything lies in one directory, such as `NAME-1.2/`, which is taken
//! off.

use std::io::Read;
use std::path::Path;

use super::super::entries::refused;
use super::super::links::climbs_out;
use super::super::listing::named;
use super::super::ratio::Packed;
use super::super::receiver::Receiver;
use super::super::writer::{Limits, TreeWriter};
use super::{SpecialBits, Unpacked, decompressed, untar};
use crate::error::{Error, Kind, Result};

/// Like [`super::unpack`], for an archive on disk. If all of it lies in one directory, the tree is that directory's, and
/// true is returned with it.
pub fn unpack_file(archive: &Path, directory: &Path, limits: Limits) -> Result<(Unpacked, bool)> {
    let mut seen = Top::default();
    read(archive, &mut seen)?;
    let writer = TreeWriter::new(directory, limits)?;
    let mut inner = Inner { writer, wrapper: seen.wrapper() };
    let remarks = read(archive, &mut inner)?;
    let wrapped = !inner.wrapper.is_empty();
    Ok((Unpacked { listing: inner.writer.finish()?, remarks }, wrapped))
}

fn read(archive: &Path, receiver: &mut dyn Receiver) -> Result<super::Remarks> {
    let packed = Packed::new(fs_err::File::open(archive)?);
    let bound = packed.bound();
    untar(bound.over(decompressed(packed)?), receiver, SpecialBits::Refuse)
}

/// The first part of all names, as far as they agree. Reads no contents.
#[derive(Debug, Default)]
struct Top {
    first: Option<Vec<u8>>,
    /// True if another entry begins with another name, or the first part is not a directory.
    several: bool,
}

impl Top {
    fn see(&mut self, path: &[u8], is_directory: bool) {
        let (first, below) = split(path);
        let agrees = self.first.get_or_insert_with(|| first.to_vec()) == first;
        self.several |= !agrees || (below.is_empty() && !is_directory);
    }

    fn wrapper(self) -> Vec<u8> {
        self.first.filter(|_| !self.several).unwrap_or_default()
    }
}

impl Receiver for Top {
    fn directory(&mut self, path: &[u8]) -> Result<()> {
        self.see(path, true);
        Ok(())
    }

    fn file(&mut self, path: &[u8], _: bool, contents: &mut dyn Read) -> Result<()> {
        self.see(path, false);
        std::io::copy(contents, &mut std::io::sink()).map(drop).map_err(Error::from)
    }

    fn link(&mut self, path: &[u8], _: &[u8]) -> Result<()> {
        self.see(path, false);
        Ok(())
    }

    fn hard_link(&mut self, path: &[u8], _: &[u8]) -> Result<()> {
        self.see(path, false);
        Ok(())
    }
}

/// A writer that takes the wrapping directory off. Without one it changes nothing.
struct Inner {
    writer: TreeWriter,
    wrapper: Vec<u8>,
}

impl Inner {
    fn inside<'p>(&self, path: &'p [u8]) -> Result<&'p [u8]> {
        if self.wrapper.is_empty() {
            return Ok(path);
        }
        match split(path) {
            (first, below) if first == self.wrapper => Ok(below),
            _ => Err(Error::new(Kind::Invalid, "the archive changed while it was read").fact("entry", named(path))),
        }
    }
}

impl Receiver for Inner {
    fn directory(&mut self, path: &[u8]) -> Result<()> {
        match self.inside(path)? {
            b"" => Ok(()),
            path => self.writer.directory(path),
        }
    }

    fn file(&mut self, path: &[u8], executable: bool, contents: &mut dyn Read) -> Result<()> {
        self.writer.file(self.inside(path)?, executable, contents)
    }

    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        let inner = self.inside(path)?;
        if climbs_out(inner, target) {
            return Err(refused(path, "its link leads out of the tree").fact("target", named(target)));
        }
        self.writer.link(inner, target)
    }

    fn hard_link(&mut self, path: &[u8], earlier: &[u8]) -> Result<()> {
        self.writer.hard_link(self.inside(path)?, self.inside(earlier)?)
    }
}

/// Splits a path into its first part and the rest.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().position(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (path, b""),
    }
}

#[cfg(test)]
mod tests {
    use strixlock_demo::raw_tar::{RawEntry, raw_tar};

    use super::*;

    fn names(entries: &[RawEntry]) -> Result<Vec<String>> {
        let directory = tempfile::tempdir().unwrap();
        let (archive, place) = (directory.path().join("a.tar"), directory.path().join("tree"));
        std::fs::write(&archive, raw_tar(entries)).unwrap();
        std::fs::create_dir(&place).unwrap();
        let (unpacked, _) = unpack_file(&archive, &place, Limits::default())?;
        assert_eq!(super::super::super::scan::scan(&place).unwrap(), unpacked.listing);
        Ok(unpacked.listing.entries().iter().map(super::super::super::Entry::display).collect())
    }

    #[test]
    fn one_directory_around_everything_is_taken_off() {
        let whole = [
            RawEntry::directory(b"a-1.2/"),
            RawEntry::file(b"a-1.2/CMakeLists.txt", b"x"),
            RawEntry::link(b"a-1.2/src/link", b"../CMakeLists.txt"),
            RawEntry::new(tar::EntryType::Link, b"a-1.2/hard", b"a-1.2/CMakeLists.txt", b"", 0o644),
        ];
        assert_eq!(names(&whole).unwrap(), ["CMakeLists.txt", "hard", "src", "src/link"]);
        // Tools differ in whether they write an entry for it.
        assert_eq!(names(&whole[1..2]).unwrap(), ["CMakeLists.txt"]);
        let two = [RawEntry::file(b"a/x", b""), RawEntry::file(b"b/x", b"")];
        assert_eq!(names(&two).unwrap(), ["a", "a/x", "b", "b/x"]);
        assert_eq!(names(&[RawEntry::file(b"x", b"")]).unwrap(), ["x"]);
    }

    #[test]
    fn a_link_is_judged_by_the_tree_that_it_comes_into() {
        let out = [RawEntry::file(b"a/x", b""), RawEntry::link(b"a/y", b"../a/x")];
        let error = names(&out).unwrap_err();
        assert!(error.kind() == Kind::Invalid && error.to_string().contains("leads out of the tree"), "{error}");
        assert_eq!(names(&[&out[..], &[RawEntry::file(b"z", b"")]].concat()).unwrap(), ["a", "a/x", "a/y", "z"]);
    }

    #[test]
    fn a_bomb_and_what_is_no_archive_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let archive = directory.path().join("a");
        // Nothing at all; what another URL leads to; an archive that is cut off.
        let zip = b"PK\x03\x04 a zip file";
        for (bytes, kind) in [(&b""[..], Kind::Invalid), (zip, Kind::Mismatch), (&[0; 100], Kind::Mismatch)] {
            std::fs::write(&archive, bytes).unwrap();
            let place = tempfile::tempdir().unwrap();
            let error = unpack_file(&archive, place.path(), Limits::default()).err().unwrap();
            assert_eq!(error.kind(), kind, "{error}");
        }
        let limits = Limits { bytes: 3, ..Limits::default() };
        std::fs::write(&archive, raw_tar(&[RawEntry::file(b"a/x", b"four")])).unwrap();
        let place = tempfile::tempdir().unwrap();
        assert!(unpack_file(&archive, place.path(), limits).is_err());
    }
}
