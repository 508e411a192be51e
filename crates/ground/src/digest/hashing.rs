//! A running SHA-256, and a reader and a writer that hash the bytes that pass.

use std::io::{self, BufReader, Read, Write};

use sha2::Digest as _;

use super::Sha256Digest;

/// Size of the read buffer, in bytes.
const BUFFER: usize = 256 * 1024;

/// A running SHA-256. `sha2` uses the processor's SHA instructions, which every Strix Halo has.
#[derive(Clone, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Adds bytes to the hash.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all bytes so far.
    #[must_use]
    pub fn finish(self) -> Sha256Digest {
        Sha256Digest::from_bytes(self.0.finalize().into())
    }
}

/// Reads `reader` to its end. Returns the digest of its bytes and their number.
pub fn hash_reader(reader: impl Read) -> io::Result<(Sha256Digest, u64)> {
    let mut hashing = HashingWriter::new(io::sink());
    io::copy(&mut BufReader::with_capacity(BUFFER, reader), &mut hashing)?;
    let (digest, size, _) = hashing.finish();
    Ok((digest, size))
}

/// A writer that hashes and counts the bytes written through it.
pub struct HashingWriter<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> HashingWriter<W> {
    /// Wraps `inner`.
    pub fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::default(), size: 0 }
    }

    /// Returns the digest of all bytes written, their number, and the inner writer.
    pub fn finish(self) -> (Sha256Digest, u64, W) {
        (self.hash.finish(), self.size, self.inner)
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A reader that hashes and counts the bytes read through it.
pub struct HashingReader<R> {
    inner: R,
    hash: Sha256,
    size: u64,
}

impl<R: Read> HashingReader<R> {
    /// Wraps `inner`.
    pub fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::default(), size: 0 }
    }

    /// Returns the digest of all bytes read so far, and their number.
    pub fn finish(self) -> (Sha256Digest, u64) {
        (self.hash.finish(), self.size)
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }
}
