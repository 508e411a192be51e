//! Excerpts around a difference, for people and for guessing the cause.

use crate::elf::FileBytes;
use crate::error::Result;

/// Number of bytes that are read on each side.
const AROUND: u64 = 256;
/// Number of characters that are shown before and after the offset.
const SHOWN: (usize, usize) = (32, 64);
/// Number of bytes that are shown in hexadecimal.
const HEX: usize = 16;

/// The bytes around an offset.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Excerpt {
    /// Up to 256 bytes on each side.
    bytes: Vec<u8>,
    /// Position of the offset in `bytes`.
    at: usize,
}

impl Excerpt {
    pub fn read(source: &FileBytes, offset: u64) -> Result<Self> {
        let start = offset.saturating_sub(AROUND).min(source.len());
        let end = offset.saturating_add(AROUND).min(source.len());
        let bytes = source.read("the contents", start, end - start, 2 * AROUND)?.into_owned();
        Ok(Self { bytes, at: (offset - start) as usize })
    }

    /// Returns the printable text around or up to the offset.
    pub fn text(&self) -> &str {
        let (start, end) = self.run();
        std::str::from_utf8(&self.bytes[start..end]).unwrap_or_default()
    }

    /// Returns the bytes from the offset on.
    pub fn ahead(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Returns all bytes, and the position of the offset in them.
    pub fn all(&self) -> (&[u8], usize) {
        (&self.bytes, self.at)
    }

    /// Returns the excerpt for people: the text around the offset, or bytes in hexadecimal.
    pub fn show(&self) -> String {
        let (start, end) = self.run();
        if end.saturating_sub(start) >= 6 {
            let (from, to) = (start.max(self.at.saturating_sub(SHOWN.0)), end.min(self.at + SHOWN.1));
            let text = String::from_utf8_lossy(&self.bytes[from..to.max(from)]).replace('\t', " ");
            let dots = |cut: bool| if cut { "…" } else { "" };
            return format!("\"{}{text}{}\"", dots(from > start), dots(to < end));
        }
        let bytes: Vec<String> = self.ahead().iter().take(HEX).map(|byte| format!("{byte:02x}")).collect();
        let text: String =
            self.ahead().iter().take(HEX).map(|byte| if is_text(*byte) { *byte as char } else { '.' }).collect();
        if bytes.is_empty() { "nothing".to_owned() } else { format!("{} |{text}|", bytes.join(" ")) }
    }

    fn run(&self) -> (usize, usize) {
        let at = self.at.min(self.bytes.len());
        let before = self.bytes[..at].iter().rev().take_while(|byte| is_text(**byte)).count();
        let behind = self.bytes[at..].iter().take_while(|byte| is_text(**byte)).count();
        (at - before, at + behind)
    }
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_text_and_bytes_as_bytes() {
        let around = |bytes: &[u8], at| Excerpt::read(&FileBytes::memory(bytes), at).unwrap();
        let text = around(b"\0\0built at 12:34:56\0x", 12);
        assert_eq!((text.text(), text.show().as_str()), ("built at 12:34:56", "\"built at 12:34:56\""));
        assert_eq!(around(b"\0\x01ab\0", 0).show(), "00 01 61 62 00 |..ab.|");
        assert_eq!(around(b"abc", 3).show(), "nothing");
        assert_eq!(around(b"", 0).show(), "nothing");
        let long = around("x".repeat(300).as_bytes(), 200).show();
        assert_eq!(long, format!("\"…{}…\"", "x".repeat(96)));
    }
}
