//! A few bytes around a place, for people and for guessing the cause.

use crate::elf::Source;
use crate::error::Result;

/// How far around a place is looked.
const AROUND: u64 = 256;
/// How much of a text is shown before and behind the place.
const SHOWN: (usize, usize) = (32, 64);
/// How many bytes are shown that are no text.
const HEX: usize = 16;

/// What is around a place.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Around {
    /// Up to 256 bytes on each side.
    bytes: Vec<u8>,
    /// Where in them the place is.
    at: usize,
}

impl Around {
    pub fn read(source: &Source, place: u64) -> Result<Self> {
        let start = place.saturating_sub(AROUND).min(source.len());
        let end = place.saturating_add(AROUND).min(source.len());
        let bytes = source.read("the contents", start, end - start, 2 * AROUND)?.into_owned();
        Ok(Self { bytes, at: (place - start) as usize })
    }

    /// The printable text that the place is in or ends at; empty where there is none.
    pub fn text(&self) -> &str {
        let (start, end) = self.run();
        std::str::from_utf8(&self.bytes[start..end]).unwrap_or_default()
    }

    /// The bytes from the place on.
    pub fn ahead(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// All bytes, and where among them the place is.
    pub fn all(&self) -> (&[u8], usize) {
        (&self.bytes, self.at)
    }

    /// For people: the text around the place, or bytes in hexadecimal.
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
        let around = |bytes: &[u8], at| Around::read(&Source::memory(bytes), at).unwrap();
        let text = around(b"\0\0built at 12:34:56\0x", 12);
        assert_eq!((text.text(), text.show().as_str()), ("built at 12:34:56", "\"built at 12:34:56\""));
        assert_eq!(around(b"\0\x01ab\0", 0).show(), "00 01 61 62 00 |..ab.|");
        assert_eq!(around(b"abc", 3).show(), "nothing");
        assert_eq!(around(b"", 0).show(), "nothing");
        let long = around("x".repeat(300).as_bytes(), 200).show();
        assert_eq!(long, format!("\"…{}…\"", "x".repeat(96)));
    }
}
