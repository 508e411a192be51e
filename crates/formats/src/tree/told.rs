//! Things to be told that an archive may hold by the million.

/// Number of those that are told in full.
const FIRST: usize = 100;

/// The first few of them in words, all of them by number. Memory stays small however many there are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Told {
    first: Vec<String>,
    count: u64,
}

impl Told {
    /// Adds one.
    pub fn push(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < FIRST {
            self.first.push(text());
        }
    }

    /// Returns how many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first one.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        self.first.first().map(String::as_str)
    }

    /// The first ones, and how many more there were.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let more = self.count - self.first.len() as u64;
        self.first.iter().cloned().chain((more > 0).then(|| format!("{more} more")))
    }
}
