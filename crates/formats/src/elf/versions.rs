//! Symbol versions: those that a file needs of its libraries (`DT_VERNEED`), and those that it defines (`DT_VERDEF`).
//!
//! Both are lists in which each entry holds the distance to the next. They are walked as ld.so walks them: the counts
//! in the dynamic table are ignored. Distances only lead forward and the lists have a limit, so that every walk ends.

use std::borrow::Cow;

use super::header::Header;
use super::{FileBytes, damaged};
use crate::error::Result;

/// The versions that a file needs of one library.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VersionNeed {
    /// The library, as in `DT_NEEDED`.
    pub library: Vec<u8>,
    /// The versions that the library must define.
    pub versions: Vec<NeededVersion>,
}

/// A version that a library must define.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeededVersion {
    /// Its name, such as `GLIBC_2.34`.
    pub name: Vec<u8>,
    /// True if the file can do without it (`VER_FLG_WEAK`).
    pub weak: bool,
}

/// Longest list, in bytes; real ones have some kilobytes.
const MOST_BYTES: u64 = 64 << 10;
/// Most versions in a list; glibc has some forty.
const MOST: usize = 4096;
const WEAK: u32 = 2;

/// The bytes from the start of a list to its latest possible end.
pub(super) struct List<'s> {
    bytes: Cow<'s, [u8]>,
    start: u64,
}

impl<'s> List<'s> {
    /// Finds the list at an address that the dynamic table at offset `table` gives.
    pub fn read(source: &FileBytes<'s>, header: &Header, table: u64, address: u64) -> Result<Self> {
        let range = header.offset_of(address);
        let (start, end) = range.ok_or_else(|| damaged("a list of symbol versions is not in a segment", table))?;
        let size = end.saturating_sub(start).min(MOST_BYTES);
        Ok(Self { bytes: source.read("a list of symbol versions", start, size, MOST_BYTES)?, start })
    }

    /// Returns the versions needed, by library; `string` returns the text at an index of the string table.
    pub fn needs(&self, string: &mut dyn FnMut(u64) -> Result<Vec<u8>>) -> Result<Vec<VersionNeed>> {
        let mut needs = Vec::new();
        let (mut at, mut left) = (0, MOST);
        loop {
            // Elf64_Verneed: vn_version, vn_cnt (2 bytes each), vn_file, vn_aux, vn_next (4 each).
            self.revision(at)?;
            let library = string(self.word(at, 4)?.into())?;
            let mut versions = Vec::new();
            let mut inner = at.saturating_add(self.word(at, 8)?.into());
            loop {
                // Elf64_Vernaux: vna_hash (4), vna_flags, vna_other (2 each), vna_name, vna_next (4 each).
                left = self.count(left, inner)?;
                let weak = self.half(inner, 4)? & WEAK != 0;
                versions.push(NeededVersion { name: string(self.word(inner, 8)?.into())?, weak });
                let Some(next) = self.next(inner, 12)? else { break };
                inner = next;
            }
            needs.push(VersionNeed { library, versions });
            let Some(next) = self.next(at, 12)? else { return Ok(needs) };
            at = next;
        }
    }

    /// Returns the versions defined. The first one is the file itself in most files.
    pub fn definitions(&self, string: &mut dyn FnMut(u64) -> Result<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
        let mut definitions = Vec::new();
        let (mut at, mut left) = (0, MOST);
        loop {
            // Elf64_Verdef: vd_version, vd_flags, vd_ndx, vd_cnt (2 bytes each), vd_hash, vd_aux, vd_next (4 each).
            left = self.count(left, at)?;
            self.revision(at)?;
            // Of its Elf64_Verdaux the first has the name; the others are the versions that it succeeds.
            let name = at.saturating_add(self.word(at, 12)?.into());
            definitions.push(string(self.word(name, 0)?.into())?);
            let Some(next) = self.next(at, 16)? else { return Ok(definitions) };
            at = next;
        }
    }

    fn count(&self, left: usize, at: u64) -> Result<usize> {
        left.checked_sub(1).ok_or_else(|| damaged(format!("more than {MOST} symbol versions"), self.place(at)))
    }

    /// Fails unless the entry has revision 1, the only one that exists.
    fn revision(&self, at: u64) -> Result<()> {
        let revision = self.half(at, 0)?;
        if revision == 1 {
            return Ok(());
        }
        Err(damaged(format!("unknown revision {revision} of a list of symbol versions"), self.place(at)))
    }

    /// Returns the offset of the entry after the one at `at`, whose distance stands at `inside`. Distance 0 ends
    /// the list.
    fn next(&self, at: u64, inside: u64) -> Result<Option<u64>> {
        let step = self.word(at, inside)?;
        Ok((step != 0).then(|| at.saturating_add(step.into())))
    }

    fn half(&self, at: u64, inside: u64) -> Result<u32> {
        self.number::<2>(at, inside).map(|bytes| u16::from_le_bytes(bytes).into())
    }

    fn word(&self, at: u64, inside: u64) -> Result<u32> {
        self.number::<4>(at, inside).map(u32::from_le_bytes)
    }

    fn number<const SIZE: usize>(&self, at: u64, inside: u64) -> Result<[u8; SIZE]> {
        let at = at.saturating_add(inside);
        let bytes = usize::try_from(at).ok().and_then(|at| self.bytes.get(at..)?.first_chunk());
        bytes.copied().ok_or_else(|| damaged("a list of symbol versions is not terminated", self.place(at)))
    }

    fn place(&self, at: u64) -> u64 {
        self.start.saturating_add(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(numbers: &[u8]) -> List<'_> {
        List { bytes: Cow::Borrowed(numbers), start: 1000 }
    }

    /// Returns a function that gives each index as text.
    fn text() -> impl FnMut(u64) -> Result<Vec<u8>> {
        |index| Ok(index.to_string().into_bytes())
    }

    fn bytes(halves: &[u16], words: &[u32]) -> Vec<u8> {
        let halves = halves.iter().flat_map(|half| half.to_le_bytes());
        halves.chain(words.iter().flat_map(|word| word.to_le_bytes())).collect()
    }

    fn wanted(name: u32, flags: u16, next: u32) -> Vec<u8> {
        [bytes(&[], &[0]), bytes(&[flags, 2], &[name, next])].concat()
    }

    fn names(needs: &[VersionNeed]) -> Vec<(String, Vec<(String, bool)>)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let versions = |need: &VersionNeed| need.versions.iter().map(|v| (text(&v.name), v.weak)).collect();
        needs.iter().map(|need| (text(&need.library), versions(need))).collect()
    }

    #[test]
    fn needs_are_read_by_their_steps() {
        let all = [
            bytes(&[1, 9], &[7, 16, 48]),
            wanted(8, 0, 16),
            wanted(9, 2, 0),
            bytes(&[1, 1], &[17, 16, 0]),
            wanted(18, 0, 0),
        ]
        .concat();
        let needs = list(&all).needs(&mut text()).unwrap();
        let version = |name: &str, weak| (name.to_owned(), weak);
        assert_eq!(
            names(&needs),
            [
                ("7".to_owned(), vec![version("8", false), version("9", true)]),
                ("17".to_owned(), vec![version("18", false)])
            ]
        );
        for len in 0..all.len() {
            let error = list(&all[..len]).needs(&mut text()).unwrap_err().to_string();
            assert!(error.contains("is not terminated") && error.contains("offset  10"), "{len}: {error}");
        }
    }

    #[test]
    fn definitions_are_read_by_their_steps() {
        let all = [
            bytes(&[1, 1, 1, 1], &[0, 20, 28]),
            bytes(&[], &[5, 0]),
            bytes(&[1, 0, 2, 1], &[0, 20, 0]),
            bytes(&[], &[6, 0]),
        ]
        .concat();
        assert_eq!(list(&all).definitions(&mut text()).unwrap(), [b"5", b"6"]);
        assert!(list(&all[..40]).definitions(&mut text()).is_err());
    }

    #[test]
    fn lists_of_another_form_or_without_an_end_are_refused() {
        let said = |error: crate::error::Error| error.to_string();
        let other = bytes(&[2, 1], &[7, 16, 0]);
        assert!(said(list(&other).needs(&mut text()).unwrap_err()).contains("unknown revision 2"));
        // Distances of one byte over a run of ones: each entry looks like the one before.
        let ones = vec![1; 60_000];
        assert!(list(&ones).needs(&mut text()).is_err());
        let steps: Vec<u8> = wanted(1, 0, 16).repeat(4097);
        let all = [bytes(&[1, 1], &[7, 16, 0]), steps].concat();
        assert!(said(list(&all).needs(&mut text()).unwrap_err()).contains("more than 4096 symbol versions"));
    }

    proptest! {
        #[test]
        fn any_list_is_read_or_refused(mut bytes in prop::collection::vec(0u8..4, 0..400)) {
            let _ = list(&bytes).needs(&mut text());
            let _ = list(&bytes).definitions(&mut text());
            if let Some(start) = bytes.first_chunk_mut() {
                *start = [1, 0];
            }
            let _ = list(&bytes).needs(&mut text());
            let _ = list(&bytes).definitions(&mut text());
        }
    }
}
