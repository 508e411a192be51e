//! Notes about an archive, which may give cause for millions: only the first are kept in full.

/// Number of notes that are kept in full.
const FIRST: usize = 100;

/// A list of notes that keeps the first in words, and the number of all of them. Memory stays bounded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Notes {
    first: Vec<String>,
    count: u64,
}

impl Notes {
    /// Adds a note. Calls `text` only if it is among the first.
    pub fn push(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < FIRST {
            self.first.push(text());
        }
    }

    /// Returns the number of all notes.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the first note.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        self.first.first().map(String::as_str)
    }

    /// Returns the first notes, and a last line that counts the rest.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let more = self.count - self.first.len() as u64;
        self.first.iter().cloned().chain((more > 0).then(|| format!("{more} more")))
    }
}
