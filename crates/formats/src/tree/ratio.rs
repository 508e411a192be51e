//! Limits how much a stream may unpack to, relative to its own size. Real programs reach ten times their size; zeros
//! reach a thousand times, and are a bomb.

use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;

use crate::error::{Error, Kind};

/// Greatest multiple of its own size that an archive may unpack to.
const RATIO: u64 = 200;
/// Number of bytes that every archive may unpack to.
const ALWAYS: u64 = 1 << 30;

/// A compressed stream that counts the bytes read from it.
pub(crate) struct Packed<R> {
    inner: R,
    taken: Rc<Cell<u64>>,
}

impl<R: Read> Packed<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, taken: Rc::default() }
    }

    /// Returns the bound for the decompressed bytes of this stream.
    pub fn bound(&self) -> Bound {
        Bound { taken: Rc::clone(&self.taken), always: ALWAYS }
    }
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.taken.set(self.taken.get() + count as u64);
        Ok(count)
    }
}

/// A bound for the output of a decompressor.
pub(crate) struct Bound {
    taken: Rc<Cell<u64>>,
    always: u64,
}

impl Bound {
    /// Wraps a decompressor's output in a reader that fails if too much comes out.
    pub fn over<R: Read>(self, inner: R) -> Bounded<R> {
        Bounded { inner, bound: self, given: 0 }
    }
}

/// The output of a decompressor, within its bound.
pub(crate) struct Bounded<R> {
    inner: R,
    bound: Bound,
    given: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.given += count as u64;
        if self.given > self.bound.always.saturating_add(self.bound.taken.get().saturating_mul(RATIO)) {
            let why = "the archive is refused: it unpacks to more than 1 GiB and 200 times its own size";
            return Err(Error::new(Kind::Invalid, why).into());
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_grows_with_what_was_taken() {
        let read = |packed: usize, plain: u64| {
            let mut packed = Packed::new(std::io::repeat(0).take(packed as u64));
            let bound = Bound { always: 1000, ..packed.bound() };
            std::io::copy(&mut packed, &mut std::io::sink()).unwrap();
            std::io::copy(&mut bound.over(std::io::repeat(0).take(plain)), &mut std::io::sink())
        };
        assert_eq!(read(10, 3000).unwrap(), 3000);
        let error = Error::from(read(10, 3001).unwrap_err());
        assert!(error.kind() == Kind::Invalid && error.message().contains("200 times its own size"), "{error}");
        assert_eq!(read(0, 1000).unwrap(), 1000);
        read(0, 1001).unwrap_err();
    }
}
