//! deb822 text: stanzas of fields, as in Release, Packages and *.sources files.
//!
//! Read as a stream, one stanza at a time. A list may have any length, a stanza may not.

use std::io::BufRead;

use crate::error::{Error, Kind, Result};

/// Greatest length of a stanza. The longest in real archives, Release files, have some hundred thousand bytes.
const LONGEST: u64 = 16 << 20;

/// The requested fields of a stanza.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stanza {
    fields: Vec<(String, String)>,
    /// The number of its first invalid line, and the reason.
    fault: Option<(u64, &'static str)>,
}

impl Stanza {
    /// Returns the value of a field, with its line breaks.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns all fields with their values.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the words of a field.
    pub fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).unwrap_or_default().split_ascii_whitespace()
    }

    /// Returns the boolean value of a field; `None` if it has none.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        flag(self.get(name)?)
    }

    /// Returns whether a field is true.
    #[must_use]
    pub fn says_yes(&self, name: &str) -> bool {
        self.flag(name) == Some(true)
    }

    /// Returns why it cannot be read completely, if so.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        self.fault.map(|(_, why)| why)
    }
}

/// Parses a boolean, in the words that apt accepts.
#[must_use]
pub fn flag(text: &str) -> Option<bool> {
    const YES: [&str; 6] = ["yes", "true", "with", "on", "enable", "1"];
    const NO: [&str; 6] = ["no", "false", "without", "off", "disable", "0"];
    let among = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text.trim()));
    if among(&YES) { Some(true) } else { among(&NO).then_some(false) }
}

/// Reads stanzas one after the other.
pub struct Stanzas<'w, R> {
    reader: R,
    wanted: &'w [&'w str],
    line: u64,
}

impl<'w, R: BufRead> Stanzas<'w, R> {
    /// Reads stanzas from `reader`, keeping the fields `wanted`, or all fields if `wanted` is empty.
    pub fn new(reader: R, wanted: &'w [&'w str]) -> Self {
        Self { reader, wanted, line: 0 }
    }

    /// Returns the next stanza, if there is one. Fails if it has an invalid line.
    pub fn read(&mut self) -> Result<Option<Stanza>> {
        let stanza = self.read_any()?;
        match stanza.as_ref().and_then(|stanza| stanza.fault) {
            Some((line, why)) => Err(Error::new(Kind::Invalid, why).fact("line", line)),
            None => Ok(stanza),
        }
    }

    /// Returns the next stanza, if there is one. An invalid one has its readable fields, and a [`Stanza::fault`]. Fails
    /// only if the reader fails.
    pub fn read_any(&mut self) -> Result<Option<Stanza>> {
        let mut stanza = Stanza::default();
        let (mut size, mut begun, mut keep) = (0, false, false);
        let mut line = Vec::new();
        loop {
            line.clear();
            let count = std::io::Read::take(&mut self.reader, LONGEST).read_until(b'\n', &mut line)?;
            self.line += 1;
            size += count as u64;
            let text = line.trim_ascii_end();
            if text.is_empty() {
                match (count, begun) {
                    (0, false) => return Ok(None),
                    (_, true) => return Ok(Some(stanza)),
                    (_, false) => {}
                }
                continue;
            }
            if text.first() == Some(&b'#') {
                // Files written by hand have comments.
                continue;
            }
            let number = self.line;
            let mut wrong = |why| {
                stanza.fault.get_or_insert((number, why));
            };
            let colon = text.iter().position(|byte| *byte == b':');
            if size > LONGEST {
                // The stanza is read to its end, but no more of it is kept.
                keep = false;
                wrong("a stanza is too long");
            } else if matches!(text.first(), Some(b' ' | b'\t')) {
                if !begun {
                    wrong("continuation line without a field before it");
                }
                if let Some((_, value)) = stanza.fields.last_mut().filter(|_| keep) {
                    value.push('\n');
                    value.push_str(String::from_utf8_lossy(text).trim_start());
                }
            } else if let Some(colon) = colon {
                let (name, value) = (&text[..colon], text[colon + 1..].trim_ascii_start());
                keep =
                    self.wanted.is_empty() || self.wanted.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(name));
                if keep {
                    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                    stanza.fields.push((text(name), text(value)));
                }
            } else {
                keep = false;
                wrong("expected `Name: value`");
            }
            begun = true;
        }
    }
}
