//! The changelog in a package, and its newest entries.
//!
//! Debian Policy 12.7 has its place: `usr/share/doc/NAME/changelog.Debian.gz`, or `changelog.gz` for a package that
//! Debian makes itself. Only this file is read; nothing is unpacked.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::ar;
use super::version::DebVersion;
use crate::error::{Error, Kind, Result};
use crate::tree::Compression;
use crate::tree::Receiver;
use crate::tree::unpack::{SpecialBits, untar};

/// Bytes of a changelog that are read. The newest entries stand first.
const MOST_TEXT: u64 = 256 << 10;
/// Bytes of the package's archive that are searched, unpacked.
const MOST_SEARCHED: u64 = 2 << 30;
/// Most lines of an entry that are kept.
const MOST_LINES: usize = 40;

/// An entry of a changelog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangelogEntry {
    /// The version that it describes.
    pub version: String,
    /// Its text, a line an item or a continuation, without the trailer.
    pub lines: Vec<String>,
}

/// Returns the entries of the changelog in the `.deb` at `path` that are newer than `since`, the newest first and at
/// most `most`. `None` if the package `name` has no changelog of its own.
pub fn changelog_since(
    path: &Path,
    name: &str,
    since: &DebVersion,
    most: usize,
) -> Result<Option<Vec<ChangelogEntry>>> {
    let mut file = fs_err::File::open(path)?;
    let parts = ar::parts(&mut file)?;
    file.seek(SeekFrom::Start(parts.data.offset))?;
    let stream = BufReader::with_capacity(64 * 1024, file.take(parts.data.size));
    let data = parts.data.compression.decoder(stream)?.take(MOST_SEARCHED);
    let places = ["changelog.Debian.gz", "changelog.gz"].map(|file| format!("usr/share/doc/{name}/{file}"));
    let mut search = Search { places: places.map(String::into_bytes), found: [None, None] };
    // A search that found the first place ends with an error of its own.
    match untar(data, &mut search, SpecialBits::Drop) {
        Err(error) if search.found[0].is_none() => return Err(error),
        _ => {}
    }
    let Some(text) = search.found.into_iter().flatten().next() else { return Ok(None) };
    Ok(Some(entries(&text).take_while(|entry| is_newer(entry, since)).take(most).collect()))
}

fn is_newer(entry: &ChangelogEntry, since: &DebVersion) -> bool {
    DebVersion::as_written(&entry.version).compare(since).is_gt()
}

/// Parses the entries of a changelog, as deb-changelog(5) describes it, lazily and without refusing anything.
fn entries(text: &str) -> impl Iterator<Item = ChangelogEntry> + '_ {
    let mut lines = text.lines().peekable();
    std::iter::from_fn(move || {
        let version = lines.by_ref().find_map(heading)?;
        let mut entry = ChangelogEntry { version: version.to_owned(), lines: Vec::new() };
        while let Some(line) = lines.next_if(|line| heading(line).is_none()) {
            let is_text = line.starts_with("  ") && !line.trim().is_empty();
            if is_text && entry.lines.len() < MOST_LINES {
                entry.lines.push(line.trim().to_owned());
            }
        }
        Some(entry)
    })
}

/// Returns the version in a line such as `gcc-13 (13.2.0-4) unstable; urgency=medium`.
fn heading(line: &str) -> Option<&str> {
    let is_name = |name: &str| name.starts_with(|c: char| c.is_ascii_alphanumeric()) && !name.contains(' ');
    let (name, rest) = line.split_once(" (")?;
    let (version, rest) = rest.split_once(')')?;
    (is_name(name) && rest.contains(';')).then_some(version)
}

/// Receiver that keeps the beginning of the files at two places.
struct Search {
    places: [Vec<u8>; 2],
    found: [Option<String>; 2],
}

impl Receiver for Search {
    fn directory(&mut self, _path: &[u8]) -> Result<()> {
        Ok(())
    }

    fn file(&mut self, path: &[u8], _executable: bool, contents: &mut dyn Read) -> Result<()> {
        let Some(place) = self.places.iter().position(|place| place == path) else { return Ok(()) };
        let stream = BufReader::new(contents);
        let mut text = Vec::new();
        // The beginning of a damaged file is as good as it goes.
        let _ = Compression::Gzip.decoder(stream)?.take(MOST_TEXT).read_to_end(&mut text);
        self.found[place] = Some(String::from_utf8_lossy(&text).into_owned());
        if place == 0 { Err(Error::new(Kind::Failure, "the search is over")) } else { Ok(()) }
    }

    fn link(&mut self, _path: &[u8], _target: &[u8]) -> Result<()> {
        Ok(())
    }

    fn hard_link(&mut self, _path: &[u8], _earlier: &[u8]) -> Result<()> {
        Ok(())
    }

    fn node(&mut self, _path: &[u8], _what: &'static str) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use strixlock_demo::deb_maker::{Compression, Deb, compress};

    use super::*;

    const TEXT: &str = "libx (1.2-3) noble; urgency=medium\n\n  * Third fix.\n    Of two lines.\n  [ Name ]\n  * \u{1b}[31mRed.\n\n \
                        -- A <a@example.org>  Mon, 02 Nov 2026 10:00:00 +0000\n\nlibx (1.2-2) noble; urgency=low\n\n  * Second fix.\n\n -- A <a@example.org>  \
                        Sun, 01 Nov 2026 10:00:00 +0000\n\nlibx (1.2-1) noble; urgency=low\n\n  * First.\n";

    fn since(deb: &Deb, version: &str) -> Option<Vec<ChangelogEntry>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&deb.make()).unwrap();
        changelog_since(file.path(), "libx", &DebVersion::as_written(version), 9).unwrap()
    }

    #[test]
    fn the_entries_since_a_version_are_read_from_the_package() {
        let text = compress(TEXT.as_bytes(), Compression::Gzip);
        let deb = |file: &str| {
            Deb::new("libx", "1.2-3").file("usr/lib/libx.so", b"x").file(&format!("usr/share/doc/libx/{file}"), &text)
        };
        for file in ["changelog.Debian.gz", "changelog.gz"] {
            let found = since(&deb(file), "1.2-1").unwrap();
            let versions: Vec<_> = found.iter().map(|entry| entry.version.as_str()).collect();
            assert_eq!(versions, ["1.2-3", "1.2-2"]);
            assert_eq!(found[0].lines, ["* Third fix.", "Of two lines.", "[ Name ]", "* \u{1b}[31mRed."]);
        }
        assert_eq!(since(&deb("changelog.Debian.gz"), "1.2-3"), Some(Vec::new()));
        assert_eq!(since(&deb("copyright"), "1.2-1"), None);
    }

    #[test]
    fn a_changelog_of_any_bytes_has_entries_or_none() {
        let deb = |bytes: &[u8]| Deb::new("libx", "1").file("usr/share/doc/libx/changelog.Debian.gz", bytes);
        assert_eq!(since(&deb(b"not gzip"), "0"), Some(Vec::new()));
        let odd = compress(b"(\n) (1;\nx (2) ;\n  \xff\n", Compression::Gzip);
        let found = since(&deb(&odd), "0").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].lines, ["\u{fffd}"]);
        let cut = compress(TEXT.as_bytes(), Compression::Gzip);
        assert!(since(&deb(&cut[..cut.len() / 2]), "0").is_some());
    }
}
