//! Incompressible bytes that are the same every time.

use std::io::{self, Read};

/// A reader of `length` bytes that depend only on the seed.
pub struct Noise {
    numbers: Numbers,
    left: u64,
    word: [u8; 8],
    used: usize,
}

impl Noise {
    /// Creates a reader.
    #[must_use]
    pub fn new(seed: u64, length: u64) -> Self {
        Self { numbers: Numbers(seed), left: length, word: [0; 8], used: 8 }
    }
}

/// A generator of pseudo-random numbers that depend only on the seed (SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.left.min(buffer.len() as u64) as usize;
        let mut rest = &mut buffer[..count];
        while !rest.is_empty() {
            if self.used == 8 {
                self.word = self.numbers.next().to_le_bytes();
                self.used = 0;
            }
            let part = rest.len().min(8 - self.used);
            rest[..part].copy_from_slice(&self.word[self.used..self.used + part]);
            self.used += part;
            rest = &mut rest[part..];
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// Derives a seed from a number and a name.
#[must_use]
pub fn seed(number: u64, name: &str) -> u64 {
    let digest = crate::digest::Sha256Digest::of(format!("{number} {name}").as_bytes());
    digest.as_bytes()[..8].iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_do_not_depend_on_how_they_are_read() {
        let mut whole = Vec::new();
        Noise::new(7, 1001).read_to_end(&mut whole).unwrap();
        let (mut pieces, mut noise, mut piece) = (Vec::new(), Noise::new(7, 1001), [0; 13]);
        loop {
            let count = noise.read(&mut piece).unwrap();
            if count == 0 {
                break;
            }
            pieces.extend_from_slice(&piece[..count]);
        }
        assert_eq!(whole.len(), 1001);
        assert!(whole == pieces);
    }
}
