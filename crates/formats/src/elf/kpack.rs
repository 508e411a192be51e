//! Parses a `.rocm_kpack_ref` section, which names the archives that hold the GPU code of a library.
//!
//! TheRock writes a MessagePack map, `{"kernel_name": "lib/librocblas.so.5", "kpack_search_paths": ["../.kpack/…"]}`,
//! which may be followed by padding. Plain NUL-separated paths are read as well.

/// Deepest nesting, so that damage cannot exhaust the stack. Real references have two levels.
const DEEPEST: u8 = 8;

/// Returns the paths, or `None` if the bytes have neither form.
pub(super) fn refs(bytes: &[u8]) -> Option<Vec<String>> {
    match bytes.first() {
        Some(0x80..=0x8f | 0xde | 0xdf) => search_paths(bytes),
        _ => bytes.split(|byte| *byte == 0).filter(|text| !text.is_empty()).map(path).collect(),
    }
}

fn path(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn search_paths(bytes: &[u8]) -> Option<Vec<String>> {
    let mut reader = Reader(bytes);
    let Value::Map(count) = reader.value()? else { return None };
    for _ in 0..count {
        let key = reader.value()?;
        if !matches!(key, Value::Text(b"kpack_search_paths")) {
            reader.skip(&key, DEEPEST)?;
            let value = reader.value()?;
            reader.skip(&value, DEEPEST)?;
            continue;
        }
        let Value::Array(count) = reader.value()? else { return None };
        // Each path takes at least a byte, so a false count ends the reading before it exhausts the memory.
        return (0..count)
            .map(|_| match reader.value()? {
                Value::Text(text) => path(text),
                _ => None,
            })
            .collect();
    }
    None
}

enum Value<'a> {
    Map(u32),
    Array(u32),
    Text(&'a [u8]),
    Other,
}

/// A reader of the part of MessagePack that a reference needs. Extension types are refused.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<u32> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn text(&mut self, len: u32) -> Option<Value<'a>> {
        self.take(len as usize).map(Value::Text)
    }

    fn other(&mut self, len: usize) -> Option<Value<'a>> {
        self.take(len).map(|_| Value::Other)
    }

    fn value(&mut self) -> Option<Value<'a>> {
        let kind = self.take(1)?[0];
        match kind {
            0x80..=0x8f => Some(Value::Map(u32::from(kind & 0x0f))),
            0x90..=0x9f => Some(Value::Array(u32::from(kind & 0x0f))),
            0xa0..=0xbf => self.text(u32::from(kind & 0x1f)),
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Some(Value::Other),
            // Both the text and the binary types begin with a length of one, two or four bytes.
            0xc4..=0xc6 => self.number(1 << (kind - 0xc4)).and_then(|len| self.text(len)),
            0xd9..=0xdb => self.number(1 << (kind - 0xd9)).and_then(|len| self.text(len)),
            0xca | 0xce | 0xd2 => self.other(4),
            0xcb | 0xcf | 0xd3 => self.other(8),
            0xcc | 0xd0 => self.other(1),
            0xcd | 0xd1 => self.other(2),
            0xdc | 0xdd => self.number(2 << (kind - 0xdc)).map(Value::Array),
            0xde | 0xdf => self.number(2 << (kind - 0xde)).map(Value::Map),
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => None,
        }
    }

    /// Reads past the contents of a value whose head was read.
    fn skip(&mut self, value: &Value, depth: u8) -> Option<()> {
        let count = match value {
            Value::Text(_) | Value::Other => return Some(()),
            Value::Array(count) => u64::from(*count),
            Value::Map(count) => u64::from(*count) * 2,
        };
        let depth = depth.checked_sub(1)?;
        for _ in 0..count {
            let value = self.value()?;
            self.skip(&value, depth)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Vec<u8> {
        let mut bytes = vec![0xd9, u8::try_from(text.len()).unwrap()];
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    fn marker() -> Vec<u8> {
        let mut bytes = vec![0x82];
        bytes.extend(text("kernel_name"));
        bytes.extend(text("lib/librocblas.so.5"));
        bytes.extend(text("kpack_search_paths"));
        bytes.push(0x91);
        bytes.extend(text("../.kpack/blas_lib_@GFXARCH@.kpack"));
        bytes
    }

    #[test]
    fn the_form_that_therock_writes_is_read_with_its_padding() {
        let mut bytes = marker();
        bytes.extend([0; 9]);
        assert_eq!(refs(&bytes).unwrap(), ["../.kpack/blas_lib_@GFXARCH@.kpack"]);
        for len in 1..marker().len() {
            assert_eq!(refs(&bytes[..len]), None, "{len}");
        }
    }

    #[test]
    fn plain_paths_are_read() {
        assert_eq!(refs(b"../.kpack/a.kpack\0\0../.kpack/b.kpack\0").unwrap().len(), 2);
        assert_eq!(refs(b"").unwrap(), Vec::<String>::new());
        assert_eq!(refs(b"a\nb\0"), None);
    }

    #[test]
    fn deep_nesting_and_lying_counts_are_refused() {
        assert_eq!(refs(&[0x81].repeat(5000)), None);
        assert_eq!(refs(&[0xdf, 0xff, 0xff, 0xff, 0xff, 0xa0, 0xdd, 0xff, 0xff, 0xff, 0xff]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100), first in 0x7fu8..0xa0) {
            let _ = refs(&bytes);
            let _ = refs(&[&[first], bytes.as_slice()].concat());
        }
    }
}
