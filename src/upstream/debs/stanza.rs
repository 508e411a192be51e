//! deb822 text: stanzas of fields, as in Release, Packages and *.sources files.
//!
//! Read as a stream, one stanza at a time, with bounds: a list may be any length, a stanza not.

use std::io::BufRead;

use crate::error::{Error, Kind, Result};

/// The longest stanza. The longest of real archives, Release files, have some hundred thousand bytes.
const LONGEST: usize = 16 << 20;

/// The fields of a stanza that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stanza(Vec<(String, String)>);

impl Stanza {
    /// The value of a field; lines after the first keep their breaks.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The words of a field.
    pub fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).unwrap_or_default().split_ascii_whitespace()
    }

    /// Whether a field says yes.
    #[must_use]
    pub fn says_yes(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("yes"))
    }
}

/// Reads stanzas one after the other.
pub struct Stanzas<'w, R> {
    reader: R,
    wanted: &'w [&'w str],
    line: u64,
}

impl<'w, R: BufRead> Stanzas<'w, R> {
    /// Reads `reader`, keeping the fields `wanted`, or all where none is named.
    pub fn new(reader: R, wanted: &'w [&'w str]) -> Self {
        Self { reader, wanted, line: 0 }
    }

    /// The next stanza, if there is one.
    pub fn read(&mut self) -> Result<Option<Stanza>> {
        let mut fields: Vec<(String, String)> = Vec::new();
        let (mut size, mut begun, mut keep) = (0, false, false);
        let mut line = Vec::new();
        loop {
            line.clear();
            let most = (LONGEST - size) as u64 + 1;
            let count = std::io::Read::take(&mut self.reader, most).read_until(b'\n', &mut line)?;
            self.line += 1;
            size += count;
            if size > LONGEST {
                return Err(self.wrong("a stanza is far longer than it can be"));
            }
            let text = line.trim_ascii_end();
            if text.is_empty() {
                match (count, begun) {
                    (0, false) => return Ok(None),
                    (_, true) => return Ok(Some(Stanza(fields))),
                    (_, false) => {}
                }
            } else if text.first() == Some(&b'#') {
                // A comment, where people write such files.
            } else if matches!(text.first(), Some(b' ' | b'\t')) {
                if !begun {
                    return Err(self.wrong("a line continues a field, and there is none before it"));
                }
                if let Some((_, value)) = fields.last_mut().filter(|_| keep) {
                    value.push('\n');
                    value.push_str(String::from_utf8_lossy(text).trim_start());
                }
            } else {
                begun = true;
                let Some(colon) = text.iter().position(|byte| *byte == b':') else {
                    return Err(self.wrong("a line has no field"));
                };
                let (name, value) = (&text[..colon], text[colon + 1..].trim_ascii_start());
                keep =
                    self.wanted.is_empty() || self.wanted.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(name));
                if keep {
                    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                    fields.push((text(name), text(value)));
                }
            }
        }
    }

    fn wrong(&self, message: &str) -> Error {
        Error::new(Kind::Invalid, message).fact("line", self.line)
    }
}
