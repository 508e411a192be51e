//! Finds the differing bytes of two ranges.

use crate::elf::FileBytes;
use crate::error::Result;

const CHUNK: u64 = 256 << 10;
const BLOCK: usize = 4096;
/// Number of runs that are kept. Bytes of further ones are only counted.
const MAX_RUNS: usize = 16;
/// Runs that are nearer than this are merged.
const GAP: u64 = 8;

/// The differing bytes of two ranges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Differing {
    /// Number of bytes, including those that only the longer range has.
    pub bytes: u64,
    /// Start and end of the first runs.
    pub runs: Vec<(u64, u64)>,
}

impl Differing {
    /// Returns the offset of the first difference.
    pub fn first(&self) -> u64 {
        self.runs.first().map_or(0, |(start, _)| *start)
    }

    fn add(&mut self, start: u64, end: u64) {
        self.bytes += end - start;
        let room = self.runs.len() < MAX_RUNS;
        match self.runs.last_mut() {
            Some((_, last)) if start <= last.saturating_add(GAP) => *last = end,
            _ if room => self.runs.push((start, end)),
            _ => {}
        }
    }
}

/// Compares two ranges to their ends. Returns `None` if they are equal.
pub(super) fn differing(one: &FileBytes, other: &FileBytes) -> Result<Option<Differing>> {
    let common = one.len().min(other.len());
    let mut found = Differing { bytes: 0, runs: Vec::new() };
    let mut offset = 0;
    while offset < common {
        let count = CHUNK.min(common - offset);
        let a = one.read("the contents", offset, count, CHUNK)?;
        let b = other.read("the contents", offset, count, CHUNK)?;
        for (index, (a, b)) in a.chunks(BLOCK).zip(b.chunks(BLOCK)).enumerate().filter(|(_, (a, b))| a != b) {
            let base = offset + (index * BLOCK) as u64;
            for (at, _) in a.iter().zip(b).enumerate().filter(|(_, (a, b))| a != b) {
                let at = base + at as u64;
                found.add(at, at + 1);
            }
        }
        offset += count;
    }
    let longest = one.len().max(other.len());
    if longest > common {
        found.add(common, longest);
    }
    Ok((found.bytes > 0).then_some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_and_counted() {
        let compare = |a: &[u8], b: &[u8]| differing(&FileBytes::memory(a), &FileBytes::memory(b)).unwrap();
        assert_eq!(compare(b"same", b"same"), None);
        let mut long = vec![0; 300_000];
        let same = long.clone();
        long[5] = 1;
        long[6] = 1;
        long[270_000] = 1;
        long.push(1);
        let found = compare(&same, &long).unwrap();
        assert_eq!(found, Differing { bytes: 4, runs: vec![(5, 7), (270_000, 270_001), (300_000, 300_001)] });
        let many = compare(&vec![0; 100_000], &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0].repeat(10_000)).unwrap();
        assert_eq!((many.bytes, many.runs.len()), (10_000, 16));
    }
}
