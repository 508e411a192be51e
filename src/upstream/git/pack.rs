//! Checks a pack while it is received, and stops one that would unpack to too much.
//!
//! libgit2 trusts the sizes in a pack: a few hundred kilobytes can make it allocate hundreds of megabytes. This reader
//! checks every object's header and inflates with a small buffer; it keeps nothing. It leaves the digests to libgit2.

use flate2::{Decompress, FlushDecompress, Status};
use git2::ObjectType;

use super::bounds;
use crate::error::{Error, Kind, Result};
use crate::text;

/// Greatest length of the two sizes at the beginning of a delta.
const DELTA_HEAD: usize = 20;

/// Length of the digest at the end of a pack.
const TRAILER: usize = 20;

/// The state of a pack that is being received.
pub(super) struct PackWatch {
    at: Section,
    inflate: Decompress,
    objects: u32,
    received: u64,
    unpacked: u64,
}

enum Section {
    /// In the twelve-byte header.
    Head(Vec<u8>),
    /// In the type and length of an object.
    Object { kind: u8, size: u64, shift: u32 },
    /// In the reference to a delta's base: the number of bytes left, or none if it ends with a byte below 0x80.
    Base { left: Option<u8>, size: u64 },
    /// In compressed data; of a delta, with its first inflated bytes.
    Data { size: u64, seen: u64, delta: Option<Vec<u8>> },
    /// Behind all objects, with the number of bytes left of the pack's own digest.
    End { left: usize },
}

impl Default for PackWatch {
    fn default() -> Self {
        Self { at: Section::Head(Vec::new()), inflate: Decompress::new(true), objects: 0, received: 0, unpacked: 0 }
    }
}

impl PackWatch {
    /// Checks the next bytes of the pack.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.received = self.received.saturating_add(bytes.len() as u64);
        if self.received > bounds::PACK {
            return Err(Error::new(Kind::Invalid, "the git server sends a pack that is too large")
                .fact("limit", text::bytes(bounds::PACK)));
        }
        while let Some(first) = bytes.first().copied() {
            match &mut self.at {
                Section::End { left } => {
                    *left = left.checked_sub(bytes.len()).ok_or_else(|| garbled("its end: more bytes follow"))?;
                    return Ok(());
                }
                Section::Data { .. } => {
                    let used = self.data(bytes)?;
                    bytes = &bytes[used..];
                    continue;
                }
                Section::Head(head) => {
                    head.push(first);
                    if let Some([b'P', b'A', b'C', b'K', 0, 0, 0, 2 | 3, count @ ..]) = head.first_chunk::<12>() {
                        self.objects = u32::from_be_bytes(*count);
                        if self.objects > bounds::OBJECTS {
                            return Err(Error::new(Kind::Invalid, "the git server sends too many objects")
                                .fact("objects", self.objects)
                                .fact("limit", bounds::OBJECTS));
                        }
                        self.next_object();
                    } else if head.len() >= 12 {
                        return Err(garbled("its beginning"));
                    }
                }
                Section::Object { kind, size, shift } => {
                    if *shift == 0 {
                        (*kind, *size, *shift) = ((first >> 4) & 7, u64::from(first & 15), 4);
                    } else {
                        let bits = u64::from(first & 0x7f);
                        let moved = bits.checked_shl(*shift).filter(|moved| moved >> *shift == bits);
                        *size |= moved.ok_or_else(|| garbled("a length"))?;
                        *shift += 7;
                    }
                    if first & 0x80 == 0 {
                        let (kind, size) = (*kind, *size);
                        self.begin(kind, size)?;
                    }
                }
                Section::Base { left, size } => {
                    let size = *size;
                    let ended = match left {
                        None => first & 0x80 == 0,
                        Some(left) => {
                            *left -= 1;
                            *left == 0
                        }
                    };
                    if ended {
                        self.at = Section::Data { size, seen: 0, delta: Some(Vec::with_capacity(DELTA_HEAD)) };
                    }
                }
            }
            bytes = &bytes[1..];
        }
        Ok(())
    }

    /// Returns whether the whole pack was received.
    pub fn is_complete(&self) -> bool {
        matches!(self.at, Section::End { left: 0 })
    }

    fn next_object(&mut self) {
        self.inflate.reset(true);
        self.at = match self.objects.checked_sub(1) {
            None => Section::End { left: TRAILER },
            Some(left) => {
                self.objects = left;
                Section::Object { kind: 0, size: 0, shift: 0 }
            }
        };
    }

    fn begin(&mut self, kind: u8, size: u64) -> Result<()> {
        let (kind, base) = match kind {
            1 => (ObjectType::Commit, None),
            2 => (ObjectType::Tree, None),
            3 => (ObjectType::Blob, None),
            4 => (ObjectType::Tag, None),
            6 => (ObjectType::Any, Some(None)),
            7 => (ObjectType::Any, Some(Some(20))),
            _ => return Err(garbled("a type")),
        };
        self.count(kind, size)?;
        self.at = match base {
            Some(left) => Section::Base { left, size },
            None => Section::Data { size, seen: 0, delta: None },
        };
        Ok(())
    }

    /// Inflates a piece and returns the number of input bytes consumed.
    fn data(&mut self, bytes: &[u8]) -> Result<usize> {
        let Section::Data { size, seen, delta } = &mut self.at else { return Ok(0) };
        let mut out = [0; 16 << 10];
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(bytes, &mut out, FlushDecompress::None);
        let status = status.map_err(|_| garbled("compressed bytes"))?;
        let used = (self.inflate.total_in() - before_in) as usize;
        let made = (self.inflate.total_out() - before_out) as usize;
        *seen += made as u64;
        if *seen > *size {
            return Err(garbled("an object, which is longer than announced"));
        }
        if let Some(head) = delta {
            head.extend(out[..made].iter().take(DELTA_HEAD - head.len()));
        }
        match status {
            Status::StreamEnd => {
                if seen != size {
                    return Err(garbled("an object, which is shorter than announced"));
                }
                if let Some(head) = delta.take() {
                    let (base, result) = delta_sizes(&head).ok_or_else(|| garbled("a delta"))?;
                    Self::demand(ObjectType::Any, base)?;
                    self.count(ObjectType::Any, result)?;
                }
                self.next_object();
            }
            // No progress with input and room in the buffer: the data is damaged.
            _ if used == 0 && made == 0 => return Err(garbled("compressed bytes")),
            _ => {}
        }
        Ok(used)
    }

    fn demand(kind: ObjectType, size: u64) -> Result<()> {
        let limit = bounds::of(kind);
        if size <= limit {
            return Ok(());
        }
        let what = if kind == ObjectType::Any { "delta" } else { kind.str() };
        Err(Error::new(Kind::Invalid, format!("the git server sends a {what} that is too large"))
            .fact("size", text::bytes(size))
            .fact("limit", text::bytes(limit)))
    }

    fn count(&mut self, kind: ObjectType, size: u64) -> Result<()> {
        Self::demand(kind, size)?;
        self.unpacked = self.unpacked.saturating_add(size);
        let limit = bounds::unpacked(self.received);
        if self.unpacked > limit {
            return Err(Error::new(Kind::Invalid, "the git server's pack unpacks to too much")
                .fact("received", text::bytes(self.received))
                .fact("limit", text::bytes(limit)));
        }
        Ok(())
    }
}

/// Returns the two sizes at the beginning of a delta: of the base and of the result.
fn delta_sizes(head: &[u8]) -> Option<(u64, u64)> {
    let mut bytes = head.iter();
    let mut number = || {
        let (mut number, mut shift) = (0u64, 0);
        loop {
            let byte = bytes.next()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift).filter(|_| shift < 63)?;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
    };
    Some((number()?, number()?))
}

fn garbled(what: &str) -> Error {
    Error::new(Kind::Mismatch, format!("the git server sent a pack that is damaged in {what}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const OFFSET: u8 = 6;

    fn pack(objects: &[(u8, u64, &[u8], Vec<u8>)]) -> Vec<u8> {
        let mut bytes = b"PACK\0\0\0\x02".to_vec();
        bytes.extend((objects.len() as u32).to_be_bytes());
        for (kind, size, base, data) in objects {
            let (mut rest, mut byte) = (size >> 4, (kind << 4) | (size & 15) as u8);
            while rest > 0 {
                bytes.push(byte | 0x80);
                byte = (rest & 0x7f) as u8;
                rest >>= 7;
            }
            bytes.push(byte);
            bytes.extend_from_slice(base);
            let mut encoder = flate2::write::ZlibEncoder::new(&mut bytes, flate2::Compression::fast());
            encoder.write_all(data).unwrap();
            encoder.finish().unwrap();
        }
        bytes.extend([7; 20]);
        bytes
    }

    fn watch(bytes: &[u8], piece: usize) -> Result<PackWatch> {
        let mut watch = PackWatch::default();
        bytes.chunks(piece).try_for_each(|part| watch.feed(part))?;
        Ok(watch)
    }

    /// Two lengths, as a delta begins.
    fn delta(base: u8, result: u64) -> Vec<u8> {
        let (mut bytes, mut rest) = (vec![base], result);
        while rest > 0x7f {
            bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        bytes
    }

    #[test]
    fn a_pack_is_followed_to_its_end_however_it_is_cut() {
        let tree = vec![7; 5000];
        let objects = [
            (1, 6, b"".as_slice(), b"commit".to_vec()),
            (2, 5000, b"", tree),
            (OFFSET, 2, &[0x81, 0x05], delta(6, 9)),
            (7, 3, &[9; 20], delta(6, 300)),
            (3, 0, b"", Vec::new()),
        ];
        let bytes = pack(&objects);
        for piece in [1, 2, 3, 7, 64, 100_000] {
            let watch = watch(&bytes, piece).unwrap();
            assert!(watch.is_complete());
            assert_eq!(watch.unpacked, 6 + 5000 + 2 + 9 + 3 + 300);
        }
    }

    #[test]
    fn what_would_unpack_to_too_much_is_stopped_by_its_header() {
        let too_many = [b"PACK\0\0\0\x02".as_slice(), &u32::MAX.to_be_bytes()].concat();
        let huge = |kind, size| pack(&[(kind, size, b"".as_slice(), Vec::new())]);
        let many_deltas: Vec<_> = (0..200).map(|_| (OFFSET, 5, [5].as_slice(), delta(1, bounds::DELTA))).collect();
        for (bytes, message) in [
            (too_many, "too many objects"),
            (huge(1, 400 << 20), "sends a commit that is too large"),
            (huge(2, 200 << 20), "sends a tree that is too large"),
            (huge(3, 200 << 20), "sends a blob that is too large"),
            (huge(4, 5 << 20), "sends a tag that is too large"),
            (huge(OFFSET, 200 << 20), "sends a delta that is too large"),
            (pack(&[(OFFSET, 6, [5].as_slice(), delta(1, 1 << 33))]), "sends a delta that is too large"),
            (
                pack(&[(OFFSET, 6, [5].as_slice(), vec![0x80, 0x80, 0x80, 0x80, 1, 1])]),
                "sends a delta that is too large",
            ),
            (pack(&many_deltas), "unpacks to too much"),
        ] {
            let error = watch(&bytes, 11).err().unwrap();
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn a_pack_has_a_longest_length_and_nothing_behind_it() {
        let bytes = pack(&[(3, 0, b"".as_slice(), Vec::new())]);
        let mut whole = watch(&bytes, 9).unwrap();
        assert!(whole.is_complete());
        assert!(whole.feed(b"x").unwrap_err().to_string().contains("its end: more bytes follow"));
        assert!(!watch(&bytes[..bytes.len() - 1], 9).unwrap().is_complete());
        let mut long = PackWatch { received: bounds::PACK, ..PackWatch::default() };
        assert!(long.feed(b"P").unwrap_err().to_string().contains("sends a pack that is too large"));
    }

    #[test]
    fn damage_is_named() {
        for (bytes, message) in [
            (b"PACK\0\0\0\x09....".to_vec(), "its beginning"),
            (pack(&[(3, 3, b"".as_slice(), vec![1; 4])]), "longer than announced"),
            (pack(&[(3, 5, b"".as_slice(), vec![1; 4])]), "shorter than announced"),
            (pack(&[(5, 4, b"".as_slice(), vec![1; 4])]), "a type"),
            (pack(&[(OFFSET, 1, [5].as_slice(), vec![0x80])]), "a delta"),
            ([b"PACK\0\0\0\x02\0\0\0\x01".as_slice(), &[0xff; 12]].concat(), "a length"),
            ([b"PACK\0\0\0\x02\0\0\0\x01\x31".as_slice(), &[0; 12]].concat(), "compressed bytes"),
        ] {
            let error = watch(&bytes, 5).err().unwrap().to_string();
            assert!(error.contains(message), "{message}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), piece in 1usize..30) {
            let head = [b"PACK\0\0\0\x02\0\0\0\x09".as_slice(), &bytes].concat();
            let _ = watch(&head, piece);
            let _ = watch(&bytes, piece);
        }
    }
}
