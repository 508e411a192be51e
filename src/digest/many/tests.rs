use std::collections::BTreeMap;

use proptest::prelude::*;
use sha2::Digest as _;

use super::*;

/// A file that gives its bytes in pieces, is interrupted between them, and may break.
struct Piecemeal {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
    breaks: bool,
    interrupted: bool,
}

impl Piecemeal {
    fn new(size: usize, piece: usize, breaks: bool) -> Self {
        let bytes = (0..size).map(|at| (at * 7 + size) as u8).collect();
        Self { bytes, at: 0, piece, breaks, interrupted: false }
    }
}

impl Read for Piecemeal {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = self.piece.min(buffer.len()).min(self.bytes.len() - self.at);
        if count == 0 && self.breaks {
            return Err(io::Error::other("a bad block"));
        }
        buffer[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

struct Given {
    /// How often it was asked without waiting: every other time there is nothing yet.
    asked: usize,
    files: std::vec::IntoIter<(usize, Piecemeal)>,
    found: BTreeMap<usize, Option<(Sha256Digest, u64)>>,
}

impl Files for Given {
    type File = Piecemeal;
    type Name = usize;

    fn next(&mut self, wait: bool) -> Option<(usize, Piecemeal)> {
        self.asked += usize::from(!wait);
        if !wait && self.asked.is_multiple_of(2) { None } else { self.files.next() }
    }

    fn done(&mut self, name: usize, read: io::Result<(Sha256Digest, u64)>) {
        assert!(self.found.insert(name, read.ok()).is_none(), "{name} came twice");
    }
}

/// Sizes at every edge of padding and buffers.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![0..200usize, (BUFFER - 70)..(BUFFER + 70), (2 * BUFFER - 10)..(2 * BUFFER + 10), 0..100_000usize]
}

proptest! {
    // A case hashes some megabytes, in a build that is not optimized.
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn every_file_gets_its_own_digest(
        files in prop::collection::vec((size(), prop_oneof![Just(usize::MAX), 1..5000usize], prop::bool::weighted(0.1)), 0..40)
    ) {
        let expected: BTreeMap<usize, Option<(Sha256Digest, u64)>> = files.iter().enumerate().map(|(name, (size, _, breaks))| {
            let digest = sha2::Sha256::digest(&Piecemeal::new(*size, 1, false).bytes);
            (name, (!breaks).then(|| (Sha256Digest::from_bytes(digest.into()), *size as u64)))
        }).collect();
        let given = || {
            let files: Vec<_> = files.iter().enumerate()
                .map(|(name, (size, piece, breaks))| (name, Piecemeal::new(*size, *piece, *breaks))).collect();
            Given { asked: 0, files: files.into_iter(), found: BTreeMap::new() }
        };
        let by = |lanes, few, enough| move |files: &mut Given| SideBySide::default().hash(files, lanes, few, enough);
        let ways: [&dyn Fn(&mut Given); 5] = [
            &hash_many, &hash_in_turn, &by(None, 0, LANES), &by(Lanes::detect(), 2, LANES), &by(Lanes::detect(), LANES / 2, 1),
        ];
        for way in ways {
            let mut given = given();
            way(&mut given);
            prop_assert_eq!(&given.found, &expected);
        }
    }
}

#[test]
fn every_lane_is_a_hash_of_its_own() {
    let Some(lanes) = Lanes::detect() else { return };
    let blocks: Vec<Block> = (0..32 * LANES).map(|at| std::array::from_fn(|byte| (at * 31 + byte * 3) as u8)).collect();
    let given: [&[Block]; LANES] = std::array::from_fn(|lane| &blocks[lane * 32..lane * 32 + 20 + lane % 2]);
    let mut states: States = std::array::from_fn(|word| std::array::from_fn(|lane| (word * 1000 + lane) as u32));
    let before = states;
    lanes.compress(&mut states, &given);
    for (lane, blocks) in given.iter().enumerate() {
        let mut expected = state_of(&before, lane);
        sha2::block_api::compress256(&mut expected, &blocks[..20]);
        assert_eq!(state_of(&states, lane), expected, "{lane}");
        let mut alone = state_of(&before, lane);
        engine::compress(&mut alone, &blocks[..20]);
        assert_eq!(alone, expected, "{lane}");
    }
}
