//! The ranks of versions: apt chooses the version with the highest rank, and only among equal ranks the newest.

use super::release::Release;
use crate::deb::DebVersion;

/// A user's rule for the rank of versions.
#[derive(Debug, Clone)]
pub struct Pin {
    /// The packages: a name or a pattern, optionally with an architecture; `*` for those that no other pin names.
    pub name: String,
    /// The versions.
    pub pinned: Pinned,
    /// The rank.
    pub priority: i32,
}

/// The versions that a pin applies to. All texts are patterns.
#[derive(Debug, Clone)]
pub enum Pinned {
    /// This version.
    Version(String),
    /// Versions from releases whose fields match: by the letter in apt's preferences, or none for a suite or code name.
    Release(Vec<(Option<char>, String)>),
    /// Versions from archives on this host.
    Site(String),
}

impl Pinned {
    /// Parses the value of `Pin: release`.
    #[must_use]
    pub fn release(text: &str) -> Self {
        if text == "*" {
            return Self::Release(vec![(None, "*".to_owned())]);
        }
        if !text.contains('=') {
            let letter = text.starts_with(|c: char| c.is_ascii_digit()).then_some('v');
            return Self::Release(vec![(letter, text.to_owned())]);
        }
        let mut fields: Vec<(Option<char>, String)> = Vec::new();
        for part in text.split(',').map(str::trim) {
            let Some((letter, value)) = part.split_once('=') else { continue };
            let letter = letter.to_ascii_lowercase();
            if value.is_empty() || !["v", "o", "a", "n", "l", "c", "b"].contains(&letter.as_str()) {
                continue;
            }
            let letter = letter.chars().next();
            fields.retain(|(known, _)| *known != letter);
            fields.push((letter, value.to_owned()));
        }
        Self::Release(fields)
    }

    /// Returns all patterns.
    #[must_use]
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::Version(text) | Self::Site(text) => vec![text],
            Self::Release(fields) => fields.iter().map(|(_, text)| text.as_str()).collect(),
        }
    }
}

/// The facts about a package list that pins can match.
#[derive(Debug, Clone, Copy)]
pub struct ListFacts<'a> {
    /// Its release.
    pub release: &'a Release,
    /// The host that has it.
    pub site: &'a str,
    /// Its component.
    pub component: &'a str,
    /// Its architecture.
    pub architecture: &'a str,
}

impl ListFacts<'_> {
    fn fit(&self, (letter, pattern): &(Option<char>, String)) -> bool {
        let release = self.release;
        let value = match letter {
            Some('v') => &release.labels.version,
            Some('o') => &release.labels.origin,
            Some('l') => &release.labels.label,
            Some('a') => &release.suite,
            Some('n') => &release.codename,
            Some('c') => self.component,
            Some('b') => self.architecture,
            _ => return pattern == "*" || is_like(pattern, &release.suite) || is_like(pattern, &release.codename),
        };
        is_like(pattern, value)
    }
}

/// The ranks of the versions in one package list.
#[derive(Debug, Clone)]
pub struct Ranking {
    base: i32,
    /// Pins by package name: name, version pattern and rank.
    pins: Vec<(String, String, i32)>,
}

impl Ranking {
    /// The rank of versions that are never chosen, whatever other pins say.
    pub const NEVER: i32 = i16::MIN as i32;

    /// Gives all versions the same rank.
    #[must_use]
    pub fn plain(base: i32) -> Self {
        Self { base, pins: Vec::new() }
    }

    /// Ranks the versions of a list by pins; `base` is the rank of its release without pins.
    #[must_use]
    pub fn new(pins: &[Pin], facts: &ListFacts, base: i32) -> Self {
        let mut ranking = Self::plain(base);
        let mut general = None;
        for Pin { name, pinned, priority } in pins {
            let version = match pinned {
                Pinned::Version(version) => version.clone(),
                Pinned::Release(fields) if !fields.is_empty() && fields.iter().all(|field| facts.fit(field)) => {
                    "*".to_owned()
                }
                Pinned::Site(site) if !site.is_empty() && is_like(site, facts.site) => "*".to_owned(),
                _ => continue,
            };
            if name == "*" {
                general = general.or(Some(*priority));
                continue;
            }
            let (name, architecture) = name.rsplit_once(':').unwrap_or((name, "any"));
            if ["any", "native", "all"].contains(&architecture) || is_like(architecture, facts.architecture) {
                ranking.pins.push((name.to_owned(), version, *priority));
            }
        }
        ranking.base = general.unwrap_or(base);
        ranking
    }

    /// Returns the rank of a version. Versions with a rank below 1 are never chosen.
    #[must_use]
    pub fn of(&self, name: &str, version: &DebVersion) -> i32 {
        let named = |pattern: &str| pattern == name || (pattern.contains(['*', '?', '[']) && is_like(pattern, name));
        let pinned =
            |(pattern, wanted, _): &&(String, String, i32)| named(pattern) && is_like(wanted, version.as_str());
        let pin = self.pins.iter().find(pinned).filter(|_| self.base != Self::NEVER);
        pin.map_or(self.base, |(_, _, priority)| *priority)
    }
}

/// Returns whether apt reads a pattern as a regular expression.
#[must_use]
pub fn is_regular_expression(pattern: &str) -> bool {
    pattern.len() > 1 && pattern.starts_with('/') && pattern.ends_with('/')
}

/// Matches a shell pattern (`*`, `?`, `[...]`), ignoring case. An unclosed `[` is an ordinary character.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from) = (0, 0);
    // The position after the last star, in the pattern and in the text, to backtrack to.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = if pattern.get(at) == Some(&b'*') {
            star = Some((at + 1, from));
            at += 1;
            continue;
        } else if from == text.len() {
            return at == pattern.len();
        } else {
            one(&pattern[at..], text[from])
        };
        if let Some(length) = step {
            (at, from) = (at + length, from + 1);
        } else if let Some((after, begun)) = star {
            (at, from) = (after, begun + 1);
            star = Some((after, begun + 1));
        } else {
            return false;
        }
    }
}

/// Returns the length of the pattern's first element if it matches this byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern.first()? {
        b'?' => Some(1),
        b'\\' if pattern.len() > 1 => (pattern[1] == byte).then_some(2),
        b'[' => {
            let Some(end) = pattern.iter().skip(2).position(|one| *one == b']').map(|at| at + 2) else {
                return (byte == b'[').then_some(1);
            };
            let negated = matches!(pattern[1], b'!' | b'^');
            let set = &pattern[1 + usize::from(negated)..end];
            let (mut within, mut at) = (false, 0);
            while at < set.len() {
                let is_range = at + 2 < set.len() && set[at + 1] == b'-';
                let last = if is_range { set[at + 2] } else { set[at] };
                within |= (set[at]..=last).contains(&byte);
                at += if is_range { 3 } else { 1 };
            }
            (within != negated).then_some(end + 1)
        }
        plain => (*plain == byte).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn patterns_are_those_of_a_shell_without_case() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("*", "", true),
            ("h*", "hello", true),
            ("*lo", "hello", true),
            ("h*l*o", "hello", true),
            ("h*x*o", "hello", false),
            ("HELLO", "hello", true),
            ("hell", "hello", false),
            ("hell?", "hello", true),
            ("?name(hello)", "hello", false),
            ("[gh]*", "hello", true),
            ("[!gh]*", "hello", false),
            ("[a-i]ello", "hello", true),
            ("[i-z]ello", "hello", false),
            ("[]h]ello", "hello", true),
            ("[h", "[h", true),
            ("[h", "h", false),
            ("\\*", "*", true),
            ("\\*", "h", false),
            ("1.*", "1.0-2", true),
            ("*****************a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false),
        ] {
            assert_eq!(is_like(pattern, text), fits, "{pattern} {text}");
        }
    }
}
