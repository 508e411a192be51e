//! Pieces of contents: cut where their bytes say so, and compressed each by itself.
//!
//! Small contents are one piece. Larger ones are cut by FastCDC, so that two versions of a library share the pieces in
//! which they agree, wherever in the file these are. The settings are part of the format in so far as other ones would
//! find nothing to share; what is read may be cut in any way.

use std::io::Read;

use fastcdc::v2020::StreamCDC;

use super::index::Content;
use crate::digest::{Sha256, Sha256Digest};
use crate::error::{Error, Kind, Result};

/// Smallest piece of a content with several, in bytes.
const SMALLEST: usize = 64 << 10;
/// Usual size of a piece. Contents up to this are one piece. A quarter of it compresses worse by several per cent, and
/// four times as much shares less.
const AVERAGE: usize = 256 << 10;
/// Greatest size of a piece.
pub const LARGEST: u64 = 1 << 20;
/// Compression level. Keeps up with most connections; higher levels save a few per cent and take several times as long.
const LEVEL: i32 = 3;

/// A piece that was cut: digest and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// SHA-256 of its bytes.
    pub digest: Sha256Digest,
    /// Number of its bytes.
    pub size: u64,
}

/// Cuts the bytes of a file into pieces. Returns them with the digest of all bytes.
pub fn cut(size: u64, mut from: impl Read) -> Result<(Vec<Cut>, Sha256Digest)> {
    if size <= AVERAGE as u64 {
        let mut bytes = Vec::with_capacity(size as usize);
        from.take(AVERAGE as u64 + 1).read_to_end(&mut bytes)?;
        let digest = Sha256Digest::of(&bytes);
        return Ok((vec![Cut { digest, size: bytes.len() as u64 }], digest));
    }
    let (mut pieces, mut hash) = (Vec::new(), Sha256::default());
    for piece in StreamCDC::new(&mut from, SMALLEST, AVERAGE, LARGEST as usize) {
        let bytes = piece.map_err(|error| Error::failure("cannot read a file").because(&error))?.data;
        hash.update(&bytes);
        pieces.push(Cut { digest: Sha256Digest::of(&bytes), size: bytes.len() as u64 });
    }
    Ok((pieces, hash.finish()))
}

/// Returns whether contents of this size can have more than one piece.
#[must_use]
pub fn is_cut(size: u64) -> bool {
    size > AVERAGE as u64
}

/// Compresses pieces.
pub struct Packer(zstd::bulk::Compressor<'static>);

impl Packer {
    /// Returns a new one, for one thread.
    pub fn new() -> Result<Self> {
        Ok(Self(zstd::bulk::Compressor::new(LEVEL)?))
    }

    /// Compresses a piece.
    pub fn pack(&mut self, plain: &[u8]) -> Result<Vec<u8>> {
        Ok(self.0.compress(plain)?)
    }
}

/// Decompresses pieces.
pub struct Unpacker {
    decompressor: zstd::bulk::Decompressor<'static>,
    /// The piece that was decompressed last.
    plain: Vec<u8>,
}

impl Unpacker {
    /// Returns a new one, for one thread.
    pub fn new() -> Result<Self> {
        Ok(Self { decompressor: zstd::bulk::Decompressor::new()?, plain: Vec::new() })
    }

    /// Decompresses a piece of this size. The caller compares the bytes with a digest: those of the piece or those of
    /// the file that it completes. Needs no more memory than the piece has.
    pub fn unpack(&mut self, packed: &[u8], size: u64) -> Result<&[u8]> {
        self.plain.clear();
        self.plain.reserve_exact(size as usize);
        let unpacked = self.decompressor.decompress_to_buffer(packed, &mut self.plain);
        if unpacked.is_ok() && self.plain.len() as u64 == size { Ok(&self.plain) } else { Err(damaged()) }
    }

    /// Decompresses a piece, and compares it with its digest.
    pub fn unpack_checked(&mut self, packed: &[u8], size: u64, digest: Sha256Digest) -> Result<&[u8]> {
        let plain = self.unpack(packed, size)?;
        if Sha256Digest::of(plain) == digest { Ok(plain) } else { Err(damaged().fact("expected", digest)) }
    }
}

/// Returns the error for a piece that is not what the index says.
pub fn damaged() -> Error {
    Error::new(Kind::Mismatch, "the remote's copy of a file is damaged")
}

/// Fails unless the bytes that were read of a file in the store are those of its content.
pub fn demand(content: &Content, found: Sha256Digest) -> Result<()> {
    if content.digest == found {
        return Ok(());
    }
    Err(Error::new(Kind::Damaged, "a file of the store is damaged")
        .about(crate::tree::named(content.path))
        .fact("expected", content.digest)
        .fact("found", found)
        .hint("`strixlock verify --repair` restores it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without a pattern.
    fn noise(count: usize, mut state: u64) -> Vec<u8> {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn two_versions_share_the_pieces_in_which_they_agree() {
        let first = noise(4_000_000, 1);
        let mut second = first.clone();
        second.splice(2_000_000..2_000_000, *b"something new");
        let pieces = |bytes: &[u8]| {
            let (pieces, digest) = cut(bytes.len() as u64, bytes).unwrap();
            assert_eq!(digest, Sha256Digest::of(bytes));
            assert_eq!(pieces.iter().map(|piece| piece.size).sum::<u64>(), bytes.len() as u64);
            assert!(pieces.iter().all(|piece| piece.size <= LARGEST));
            pieces
        };
        let (one, other) = (pieces(&first), pieces(&second));
        let new = other.iter().filter(|piece| !one.contains(piece)).count();
        assert!((1..=2).contains(&new), "{new} of {}", other.len());
        assert_eq!(pieces(&first[..1000]).len(), 1);
    }

    #[test]
    fn only_the_right_bytes_come_out() {
        let (plain, digest) = (noise(100_000, 2), Sha256Digest::of(&noise(100_000, 2)));
        let packed = Packer::new().unwrap().pack(&plain).unwrap();
        let mut unpacker = Unpacker::new().unwrap();
        assert_eq!(unpacker.unpack_checked(&packed, 100_000, digest).unwrap(), plain);
        assert_eq!(unpacker.unpack(&packed, 100_000).unwrap(), plain);
        for (packed, size, digest) in [
            (&packed[..], 99_999, digest),
            (&packed[..], 100_001, digest),
            (&packed[..packed.len() - 1], 100_000, digest),
            (&packed[..], 100_000, Sha256Digest::of(b"")),
            (&[][..], 100_000, digest),
        ] {
            assert_eq!(unpacker.unpack_checked(packed, size, digest).unwrap_err().kind(), Kind::Mismatch);
        }
    }
}
