//! Packet lines, the framing of git's protocol: four hex digits of length, then the line.

use super::bounds;
use crate::error::{Error, Kind, Result};
use crate::text;

/// The unread rest of an answer in memory.
pub(super) struct Packets<'a>(pub &'a [u8]);

/// A line, or the flush packet that ends a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Line(&'a [u8]),
    Flush,
}

impl<'a> Packets<'a> {
    /// Returns the next packet; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Packet<'a>>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (head, rest) = self.0.split_first_chunk::<4>().ok_or_else(garbled)?;
        let length = length(*head).ok_or_else(garbled)?;
        if length == 0 {
            self.0 = rest;
            return Ok(Some(Packet::Flush));
        }
        let (line, rest) = length.checked_sub(4).and_then(|line| rest.split_at_checked(line)).ok_or_else(garbled)?;
        self.0 = rest;
        Ok(Some(Packet::Line(line)))
    }
}

/// Extracts the pack from an answer that is received in pieces: the bytes of the first side band or, from a server
/// without side bands, everything from `PACK` on.
#[derive(Default)]
pub(super) struct Bands {
    head: [u8; 4],
    filled: usize,
    left: usize,
    at: PacketPart,
    /// Number of bytes outside the pack: acknowledgements, progress, empty packets.
    besides: u64,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum PacketPart {
    #[default]
    Head,
    Band,
    Pack,
    Other,
    Raw,
}

impl Bands {
    /// Passes those of `bytes` that belong to the pack to `pack`.
    pub fn feed(&mut self, mut bytes: &[u8], pack: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        while let Some(first) = bytes.first() {
            match self.at {
                PacketPart::Raw => return pack(bytes),
                PacketPart::Head => {
                    self.head[self.filled] = *first;
                    self.filled += 1;
                    bytes = &bytes[1..];
                    if self.filled < self.head.len() {
                        continue;
                    }
                    self.filled = 0;
                    if self.head == *b"PACK" {
                        self.at = PacketPart::Raw;
                        pack(&self.head)?;
                        continue;
                    }
                    self.left = match length(self.head).ok_or_else(garbled)? {
                        0 => 0,
                        all => all.checked_sub(4).ok_or_else(garbled)?,
                    };
                    if self.left <= 1 {
                        self.besides(4)?;
                    }
                    self.at = if self.left == 0 { PacketPart::Head } else { PacketPart::Band };
                }
                PacketPart::Band => {
                    self.at = if *first == 1 { PacketPart::Pack } else { PacketPart::Other };
                    bytes = &bytes[1..];
                    self.pass(1);
                }
                PacketPart::Pack | PacketPart::Other => {
                    let (part, rest) = bytes.split_at(self.left.min(bytes.len()));
                    if self.at == PacketPart::Pack {
                        pack(part)?;
                    } else {
                        self.besides(part.len() as u64)?;
                    }
                    bytes = rest;
                    self.pass(part.len());
                }
            }
        }
        Ok(())
    }

    /// Counts bytes outside the pack, and fails if there are too many: libgit2 keeps every acknowledgement.
    fn besides(&mut self, count: u64) -> Result<()> {
        self.besides += count;
        if self.besides <= bounds::BESIDES {
            return Ok(());
        }
        Err(Error::new(Kind::Invalid, "the git server sends too much besides the pack")
            .fact("limit", text::bytes(bounds::BESIDES)))
    }

    fn pass(&mut self, count: usize) {
        self.left -= count;
        if self.left == 0 {
            self.at = PacketPart::Head;
        }
    }
}

/// Parses the length at the head of a packet.
pub(super) fn length(head: [u8; 4]) -> Option<usize> {
    // `from_str_radix` would accept a sign.
    let digits = std::str::from_utf8(&head).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    usize::from_str_radix(digits, 16).ok()
}

pub(super) fn garbled() -> Error {
    Error::new(Kind::Mismatch, "the git server's answer is garbled: its packet lines have no valid length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack_of(answer: &[u8], piece: usize) -> Result<Vec<u8>> {
        let (mut bands, mut found) = (Bands::default(), Vec::new());
        for part in answer.chunks(piece) {
            bands.feed(part, &mut |bytes| {
                found.extend_from_slice(bytes);
                Ok(())
            })?;
        }
        Ok(found)
    }

    #[test]
    fn the_pack_is_found_however_the_answer_is_cut() {
        let banded = b"0008NAK\n000b\x01PACKab000a\x02hello0005\x010006\x01c0000";
        let raw = b"0008NAK\nPACKabc0000";
        for piece in 1..banded.len() {
            assert_eq!(pack_of(banded, piece).unwrap(), b"PACKabc");
            assert_eq!(pack_of(raw, piece).unwrap(), b"PACKabc0000");
        }
        for bad in [b"zzzz".as_slice(), b"0003", b"+00a", b"0001"] {
            assert!(pack_of(bad, 1).is_err());
        }
    }

    #[test]
    fn talk_beside_the_pack_has_an_end() {
        let progress = [b"fff0\x02".as_slice(), &vec![b'.'; 0xffeb]].concat();
        let acknowledged = [b"0038ACK ".as_slice(), &[b'1'; 40], b" common\n"].concat();
        for packet in [progress.as_slice(), &acknowledged, b"0000", b"0005\x01"] {
            let mut bands = Bands::default();
            let many = packet.repeat((1 << 20) / packet.len());
            let error = (0..100).find_map(|_| bands.feed(&many, &mut |_| Ok(())).err()).unwrap();
            assert_eq!(error.kind(), Kind::Invalid);
        }
    }

    #[test]
    fn lines_end_where_they_say() {
        let mut packets = Packets(b"0006ab00000004");
        assert_eq!(packets.next().unwrap(), Some(Packet::Line(b"ab")));
        assert_eq!(packets.next().unwrap(), Some(Packet::Flush));
        assert_eq!(packets.next().unwrap(), Some(Packet::Line(b"")));
        assert_eq!(packets.next().unwrap(), None);
        for bad in [b"00".as_slice(), b"0003", b"ffff", b"-001"] {
            assert!(Packets(bad).next().is_err());
        }
    }
}
