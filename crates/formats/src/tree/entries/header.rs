//! The header block of an entry: 512 bytes of fields.
//!
//! Three forms of header are known by their magic: POSIX's (`ustar`, zero, `00`), whose names may have a prefix;
//! GNU's, which has times in the place of that prefix; and all others, which are as old as Unix Version 7 and have
//! neither.

/// Size of a header in bytes. Contents are padded to a multiple of it.
pub(in crate::tree) const BLOCK: usize = 512;

const POSIX: &[u8] = b"ustar\x0000";
const GNU: &[u8] = b"ustar  \0";

/// A header whose checksum is right.
pub(in crate::tree) struct Header {
    pub bytes: [u8; BLOCK],
}

impl Header {
    pub fn new(bytes: &[u8; BLOCK]) -> Result<Self, &'static str> {
        let header = Self { bytes: *bytes };
        let said = number(header.field(148, 8)).map_err(|_| "expected a header")?;
        // The checksum field itself counts as blanks. Some programs added up signed bytes.
        let others = || header.bytes[..148].iter().chain(&header.bytes[156..]);
        let unsigned: i64 = others().map(|byte| i64::from(*byte)).sum::<i64>() + 8 * 32;
        let signed: i64 = others().map(|byte| i64::from(byte.cast_signed())).sum::<i64>() + 8 * 32;
        if [unsigned, signed].contains(&(said as i64)) { Ok(header) } else { Err("wrong checksum of a header") }
    }

    fn field(&self, at: usize, length: usize) -> &[u8] {
        &self.bytes[at..at + length]
    }

    pub fn kind(&self) -> u8 {
        self.bytes[156]
    }

    /// Returns whether this header only describes another entry, or all that follow.
    pub fn is_extension(&self) -> bool {
        matches!(self.kind(), b'x' | b'g' | b'L' | b'K')
    }

    pub fn is_sparse(&self) -> bool {
        self.kind() == b'S'
    }

    pub fn size(&self) -> Result<u64, &'static str> {
        number(self.field(124, 12)).map_err(|why| match why {
            Wrong::Unreadable => "invalid size",
            Wrong::TooLarge => "the size is too large",
        })
    }

    /// Returns the permission bits, including setuid and setgid. Old programs put the file's type into the field
    /// too.
    pub fn mode(&self) -> Result<u32, &'static str> {
        number(self.field(100, 8)).map(|mode| (mode & 0o7777) as u32).map_err(|_| "invalid mode")
    }

    /// Returns the name that this header gives.
    pub fn name(&self) -> Result<Vec<u8>, &'static str> {
        let (name, prefix) = (text(self.field(0, 100)), text(self.field(345, 155)));
        if prefix.is_empty() || self.field(257, 8) == GNU {
            return Ok(name.to_vec());
        }
        if self.field(257, 8) != POSIX {
            return Err("a name prefix in a form of header that has none");
        }
        if name.is_empty() {
            return Err("a name prefix without a name");
        }
        Ok([prefix, b"/", name].concat())
    }

    /// Returns a name for messages, whatever form the header has.
    pub fn shown(&self) -> Vec<u8> {
        self.name().unwrap_or_else(|_| text(self.field(0, 100)).to_vec())
    }

    /// Returns the link target that this header gives.
    pub fn target(&self) -> &[u8] {
        text(self.field(157, 100))
    }
}

/// Returns a text field up to its first zero.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The reason why a number is invalid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wrong {
    Unreadable,
    TooLarge,
}

/// Parses a number: octal digits after optional blanks, ended by a blank or zero; or binary, after a byte of 128. A
/// field of zeros is zero.
pub(super) fn number(field: &[u8]) -> Result<u64, Wrong> {
    if let Some((first @ 0x80.., binary)) = field.split_first() {
        // Programs disagree about negative numbers, and about bits of the number in the first byte.
        let (high, low) = binary.split_at(binary.len().saturating_sub(8));
        if *first != 0x80 || high.iter().any(|byte| *byte != 0) {
            return Err(Wrong::TooLarge);
        }
        let value = low.iter().fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
        return if i64::try_from(value).is_ok() { Ok(value) } else { Err(Wrong::TooLarge) };
    }
    if field.first() == Some(&0) {
        return if field.iter().all(|byte| *byte == 0) { Ok(0) } else { Err(Wrong::Unreadable) };
    }
    let field = field.trim_ascii_start();
    let end = field.iter().position(|byte| !matches!(byte, b'0'..=b'7')).unwrap_or(field.len());
    let (digits, rest) = field.split_at(end);
    if digits.is_empty() || text(rest).iter().any(|byte| *byte != b' ') {
        return Err(Wrong::Unreadable);
    }
    // Twelve digits have 36 bits.
    Ok(digits.iter().fold(0, |value: u64, digit| value << 3 | u64::from(digit - b'0')))
}
