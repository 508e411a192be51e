//! Git's pkt-line framing: four hex digits with the length, their own four bytes included, then the line; `0000` ends
//! a part.

use std::io::{self, Write};

/// Most bytes that one line can hold.
pub(super) const LARGEST: usize = 65_520 - 4;

/// Writes a line.
pub(super) fn write(out: &mut (impl Write + ?Sized), line: &[u8]) -> io::Result<()> {
    write!(out, "{:04x}", line.len() + 4)?;
    out.write_all(line)
}

/// Writes a line in a side band.
pub(super) fn write_band(out: &mut (impl Write + ?Sized), band: u8, bytes: &[u8]) -> io::Result<()> {
    write!(out, "{:04x}", bytes.len() + 5)?;
    out.write_all(&[band])?;
    out.write_all(bytes)
}

/// Ends a part.
pub(super) fn flush(out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    out.write_all(b"0000")
}

/// One packet of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// A line, without the line feed that may end it.
    Line(&'a str),
    /// `0000`
    Flush,
}

/// An iterator over packets; `None` in place of a malformed one, which is then the last.
pub(super) struct Packets<'a>(&'a [u8]);

impl<'a> Packets<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn read(&mut self) -> Option<Packet<'a>> {
        let (digits, rest) = self.0.split_at_checked(4)?;
        let digits =
            std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        let length = usize::from_str_radix(digits, 16).ok()?;
        if length == 0 {
            self.0 = rest;
            return Some(Packet::Flush);
        }
        let (line, rest) = rest.split_at_checked(length.checked_sub(4)?)?;
        self.0 = rest;
        let line = std::str::from_utf8(line).ok()?;
        Some(Packet::Line(line.strip_suffix('\n').unwrap_or(line)))
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Option<Packet<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let packet = self.read();
        if packet.is_none() {
            self.0 = &[];
        }
        Some(packet)
    }
}
