//! The map of a sparse file in the old GNU form: the pieces of the file that are in the archive, one after the other.
//!
//! The map must be readable in one way only: pieces in order, none after an empty slot, and their sum as long as the
//! archive says.

use std::collections::VecDeque;

use super::header::{BLOCK, Header, number};

const SLOT: usize = 24;
/// Offset of the first slot, number of slots, and offset of the byte that tells if more follow: in the header, and
/// in a block after it.
const IN_HEADER: (usize, usize, usize) = (386, 4, 482);
const IN_BLOCK: (usize, usize, usize) = (0, 21, 504);
const REAL_SIZE: usize = 483;

/// The next part of a file, with its number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Hole(u64),
    Data(u64),
    End,
}

/// A sparse file that is being read.
#[derive(Debug)]
pub(super) struct Sparse {
    /// The pieces not read yet: their begin and end in the file.
    pieces: VecDeque<(u64, u64)>,
    at: u64,
    size: u64,
    /// The end of the last piece.
    end: u64,
    archived: u64,
    goes_on: bool,
}

impl Sparse {
    pub fn begin(header: &Header) -> Result<Self, &'static str> {
        let size = number(&header.bytes[REAL_SIZE..REAL_SIZE + 12]).map_err(|_| WRONG)?;
        let mut sparse = Self { pieces: VecDeque::new(), at: 0, size, end: 0, archived: 0, goes_on: true };
        sparse.slots(&header.bytes, IN_HEADER)?;
        Ok(sparse)
    }

    pub fn extend(&mut self, block: &[u8; BLOCK]) -> Result<(), &'static str> {
        self.slots(block, IN_BLOCK)
    }

    /// Returns whether another block of the map follows.
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    fn slots(&mut self, block: &[u8; BLOCK], (first, count, more): (usize, usize, usize)) -> Result<(), &'static str> {
        let mut ended = false;
        for slot in block[first..first + count * SLOT].chunks_exact(SLOT) {
            let (offset, length) = slot.split_at(SLOT / 2);
            // GNU tar ends the map at the first slot without a length.
            ended |= length[0] == 0;
            if ended {
                if slot.iter().any(|byte| *byte != 0) {
                    return Err(WRONG);
                }
                continue;
            }
            let (offset, length) = (number(offset).map_err(|_| WRONG)?, number(length).map_err(|_| WRONG)?);
            let end = offset.checked_add(length).filter(|end| offset >= self.end && *end <= self.size).ok_or(WRONG)?;
            // GNU tar begins each piece at a new block, other programs continue in the same block.
            if !self.archived.is_multiple_of(BLOCK as u64) && length > 0 {
                return Err(WRONG);
            }
            self.end = end;
            self.archived += length;
            if length > 0 {
                self.pieces.push_back((offset, end));
            }
        }
        self.goes_on = block[more] != 0;
        if ended && self.goes_on { Err(WRONG) } else { Ok(()) }
    }

    /// Fails unless the archive has as many bytes as the pieces need and the pieces reach the file's end. If the
    /// last piece does not, an empty one must, or GNU tar makes a shorter file.
    pub fn demand_whole(&self, size: u64) -> Result<(), &'static str> {
        if self.archived == size && self.end == self.size { Ok(()) } else { Err(WRONG) }
    }

    pub fn holes(&self) -> u64 {
        self.size - self.archived
    }

    pub fn step(&mut self) -> Step {
        while let Some((begin, end)) = self.pieces.front().copied() {
            if self.at < begin {
                return Step::Hole(begin - self.at);
            }
            if self.at < end {
                return Step::Data(end - self.at);
            }
            self.pieces.pop_front();
        }
        if self.at < self.size { Step::Hole(self.size - self.at) } else { Step::End }
    }

    pub fn advance(&mut self, count: u64) {
        self.at += count;
    }

    /// Returns how many bytes of the archive remain to be read.
    pub fn archived_left(&self) -> u64 {
        self.pieces.iter().map(|(begin, end)| end.saturating_sub(self.at.max(*begin))).sum()
    }
}

const WRONG: &str = "the map of its sparse file is ambiguous";
