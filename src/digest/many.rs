//! Hashes many files on one thread: side by side where the processor can ([`super::lanes`]), else one after the other.

use std::io::{self, Read};

use super::lanes::{Block, INITIAL, LANES, Lanes, States};
use super::{Sha256Digest, engine, hash_reader};

/// Bytes that a file has in memory at a time: sixteen of them fit into a core's second cache.
const BUFFER: usize = 32 * 1024;

/// The files to hash, and who wants to know.
pub trait Files {
    /// What is read.
    type File: Read;
    /// What it is known by.
    type Name;
    /// The next file, if there is one already or `wait` says to wait for it. `None` after a wait is the end.
    fn next(&mut self, wait: bool) -> Option<(Self::Name, Self::File)>;
    /// A file was read to its end, and has so many bytes; or it could not be read. They come in any order.
    fn done(&mut self, name: Self::Name, read: io::Result<(Sha256Digest, u64)>);
}

/// Whether many files given together are hashed several times as fast as one: with lanes, and without the SHA instructions, which
/// come close to them.
#[must_use]
pub fn side_by_side() -> bool {
    Lanes::detect().is_some() && !engine::has_instructions()
}

/// Hashes all of `files`.
pub fn hash_many<F: Files>(files: &mut F) {
    match Lanes::detect() {
        // With SHA instructions up to eight files are hashed faster one after the other. Without them only two are, and it is
        // worth to wait until all lanes are full.
        Some(lanes) if engine::has_instructions() => SideBySide::default().hash(files, Some(lanes), LANES / 2, 1),
        Some(lanes) => SideBySide::default().hash(files, Some(lanes), 2, LANES),
        None => hash_in_turn(files),
    }
}

fn hash_in_turn<F: Files>(files: &mut F) {
    while let Some((name, file)) = files.next(true) {
        files.done(name, hash_reader(file));
    }
}

/// As many files as there are lanes, each at its own place.
struct SideBySide<F: Files> {
    states: States,
    slots: [Slot<F>; LANES],
    /// No file has come after the last.
    over: bool,
}

impl<F: Files> Default for SideBySide<F> {
    fn default() -> Self {
        Self { states: [[0; LANES]; 8], slots: std::array::from_fn(|_| Slot::default()), over: false }
    }
}

impl<F: Files> SideBySide<F> {
    /// Hashes in `lanes` while more than `few` files are there, else one after the other; waits for more while fewer than
    /// `enough` are.
    fn hash(mut self, files: &mut F, lanes: Option<Lanes>, few: usize, enough: usize) {
        loop {
            self.feed(files, enough);
            let counts = self.slots.iter().map(|slot| slot.blocks().len()).filter(|count| *count > 0);
            let active = counts.clone().count();
            let Some(count) = counts.min() else { return };
            match lanes.filter(|_| active > few) {
                Some(lanes) => self.compress_all(lanes),
                None => self.compress_each(count),
            }
            for slot in &mut self.slots {
                slot.taken += if slot.blocks().is_empty() { 0 } else { count };
            }
        }
    }

    /// Sees to it that every slot has blocks, as far as there are files.
    fn feed(&mut self, files: &mut F, enough: usize) {
        let mut running = self.slots.iter().filter(|slot| slot.file.is_some()).count();
        for (lane, slot) in self.slots.iter_mut().enumerate() {
            while slot.blocks().is_empty() {
                match slot.advance() {
                    Step::Blocks => {}
                    Step::Done(name, read) => {
                        running -= 1;
                        files.done(name, read.map(|()| (digest_of(&state_of(&self.states, lane)), slot.size)));
                    }
                    Step::Idle => {
                        let wait = running < enough;
                        let next = if self.over { None } else { files.next(wait) };
                        let Some((name, file)) = next else {
                            self.over |= wait;
                            break;
                        };
                        running += 1;
                        slot.begin(name, file);
                        set_state(&mut self.states, lane, INITIAL);
                    }
                }
            }
        }
    }

    fn compress_all(&mut self, lanes: Lanes) {
        // A lane without a file goes along with another one's blocks; what comes out is looked at by nobody.
        let any = self.slots.iter().map(Slot::blocks).find(|blocks| !blocks.is_empty()).unwrap_or_default();
        let blocks = self.slots.each_ref().map(|slot| if slot.blocks().is_empty() { any } else { slot.blocks() });
        lanes.compress(&mut self.states, &blocks);
    }

    fn compress_each(&mut self, count: usize) {
        for (lane, slot) in self.slots.iter().enumerate().filter(|(_, slot)| !slot.blocks().is_empty()) {
            let mut state = state_of(&self.states, lane);
            engine::compress(&mut state, &slot.blocks()[..count]);
            set_state(&mut self.states, lane, state);
        }
    }
}

/// What stands in a lane.
struct Slot<F: Files> {
    file: Option<(F::Name, F::File)>,
    buffer: Vec<Block>,
    /// Blocks of the buffer that are filled, and those of them that were hashed.
    filled: usize,
    taken: usize,
    /// Bytes so far.
    size: u64,
    /// The end was read, and the padding stands in the buffer.
    padded: bool,
}

impl<F: Files> Default for Slot<F> {
    fn default() -> Self {
        Self { file: None, buffer: Vec::new(), filled: 0, taken: 0, size: 0, padded: false }
    }
}

enum Step<Name> {
    /// There are blocks to hash now.
    Blocks,
    /// The file is over.
    Done(Name, io::Result<()>),
    /// There is no file.
    Idle,
}

impl<F: Files> Slot<F> {
    fn blocks(&self) -> &[Block] {
        &self.buffer[self.taken..self.filled]
    }

    fn begin(&mut self, name: F::Name, file: F::File) {
        // Two more than are read at a time: what the padding may need.
        self.buffer.resize(BUFFER / 64 + 2, [0; 64]);
        (self.filled, self.taken, self.size, self.padded) = (0, 0, 0, false);
        self.file = Some((name, file));
    }

    /// Goes on when all blocks were hashed.
    fn advance(&mut self) -> Step<F::Name> {
        let Some((name, mut file)) = self.file.take() else { return Step::Idle };
        if self.padded {
            return Step::Done(name, Ok(()));
        }
        match self.fill(&mut file) {
            Ok(()) => {
                self.file = Some((name, file));
                Step::Blocks
            }
            Err(error) => {
                (self.filled, self.taken) = (0, 0);
                Step::Done(name, Err(error))
            }
        }
    }

    /// Reads until the buffer is full or the file over, and then pads: a one, zeros, the length in bits (FIPS 180-4, 5.1.1).
    fn fill(&mut self, file: &mut F::File) -> io::Result<()> {
        let bytes = self.buffer.as_flattened_mut();
        let mut length = 0;
        while length < BUFFER && !self.padded {
            match read(file, &mut bytes[length..BUFFER])? {
                0 => self.padded = true,
                count => length += count,
            }
        }
        self.size += length as u64;
        if self.padded {
            let end = (length + 9).next_multiple_of(64);
            bytes[length..end].fill(0);
            bytes[length] = 0x80;
            bytes[end - 8..end].copy_from_slice(&(self.size * 8).to_be_bytes());
            length = end;
        }
        (self.filled, self.taken) = (length / 64, 0);
        Ok(())
    }
}

fn read(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn state_of(states: &States, lane: usize) -> [u32; 8] {
    states.map(|word| word[lane])
}

fn set_state(states: &mut States, lane: usize, state: [u32; 8]) {
    for (words, word) in states.iter_mut().zip(state) {
        words[lane] = word;
    }
}

fn digest_of(state: &[u32; 8]) -> Sha256Digest {
    let mut bytes = [0; 32];
    for (place, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *place = word.to_be_bytes();
    }
    Sha256Digest::from_bytes(bytes)
}

#[cfg(test)]
mod tests;
