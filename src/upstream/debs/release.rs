//! The Release file of a suite: its date, and the digests of the package lists.

use std::collections::BTreeMap;

use super::stanza::{Stanza, Stanzas};
use super::{date, is_path};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::text;

/// Greatest accepted difference between the clocks of an archive and of this machine, in seconds.
const SKEW: i64 = 3600;

/// A parsed Release file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Release {
    /// `Suite`; empty if absent.
    pub suite: String,
    /// `Codename`; empty if absent.
    pub codename: String,
    /// `Origin`, `Label` and `Version`, by which apt's preferences can name it; empty if absent.
    pub labels: Labels,
    /// The time of its creation, in seconds since 1970, if it is valid.
    pub date: Option<i64>,
    /// The time at which it expires, if any.
    pub valid_until: Option<i64>,
    /// The components that it lists.
    pub components: Vec<String>,
    /// True if lists can be downloaded by their digests.
    pub by_hash: bool,
    /// True if the list for an architecture leaves out the packages for all architectures.
    pub separate_all: bool,
    /// The rank of its versions by apt's rules: 500, or less for releases that are used only on request.
    pub priority: i32,
    /// Size and digest of each file.
    pub files: Files,
    /// Harmless faults, for warnings.
    pub odd: Vec<String>,
}

/// Files by their paths, with size and digest.
pub type Files = BTreeMap<String, (u64, Sha256Digest)>;

/// The names that a Release file gives its archive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// `Origin`
    pub origin: String,
    /// `Label`
    pub label: String,
    /// `Version`
    pub version: String,
}

/// Faults of a Release file that the user accepts.
#[derive(Debug, Clone, Default)]
pub struct Leniency {
    /// True if it may have expired.
    pub expired: bool,
    /// True if it may be dated in the future.
    pub future: bool,
    /// Accepted names besides that of its suite.
    pub names: Vec<String>,
}

impl Release {
    /// Parses the bytes of a Release file.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let wrong = |what: &str| Error::new(Kind::Invalid, format!("the Release file has {what}"));
        let mut stanzas = Stanzas::new(bytes, &[]);
        let Some(stanza) = stanzas.read()? else { return Err(wrong("nothing in it")) };
        let mut odd = Vec::new();
        if stanzas.read_any()?.is_some() {
            odd.push("it has more than one stanza; only the first is read".to_owned());
        }
        let (files, unread) = files(&stanza).ok_or_else(|| wrong("no SHA-256 digests"))?;
        if unread > 0 {
            odd.push(format!("{unread} of the lines under `SHA256` are invalid"));
        }
        let said = |field: &str| stanza.get(field).map(str::trim).filter(|value| !value.is_empty());
        let date = said("Date").and_then(date::parse);
        if date.is_none() {
            odd.push(match said("Date") {
                Some(value) => format!("invalid `Date`: `{}`", shown(value)),
                None => "it has no `Date`".to_owned(),
            });
        }
        let valid_until = match said("Valid-Until") {
            None => None,
            Some(value) => Some(date::parse(value).ok_or_else(|| {
                wrong("an invalid `Valid-Until`")
                    .fact("it says", shown(value))
                    .hint("apt refuses it too: the archive has to fix this")
            })?),
        };
        let priority = match (stanza.says_yes("NotAutomatic"), stanza.says_yes("ButAutomaticUpgrades")) {
            (false, _) => 500,
            (true, true) => 100,
            (true, false) => 1,
        };
        let owned = |field: &str| said(field).unwrap_or_default().to_owned();
        let has_all = stanza.words("Architectures").any(|name| name == "all");
        Ok(Self {
            suite: owned("Suite"),
            codename: owned("Codename"),
            labels: Labels { origin: owned("Origin"), label: owned("Label"), version: owned("Version") },
            date,
            valid_until,
            components: stanza.words("Components").map(str::to_owned).collect(),
            by_hash: stanza.says_yes("Acquire-By-Hash"),
            separate_all: has_all && stanza.get("No-Support-for-Architecture-all") != Some("Packages"),
            priority,
            files,
            odd,
        })
    }

    /// Limits its validity to that of its signature.
    #[must_use]
    pub fn until(mut self, signature: Option<i64>) -> Self {
        self.valid_until = self.valid_until.into_iter().chain(signature).min();
        self
    }

    /// Fails unless this is the requested suite and currently valid.
    pub fn check(&self, suite: &str, now: i64, leniency: &Leniency) -> Result<()> {
        if !self.is_called(suite) && !leniency.names.iter().any(|name| self.is_called(name)) {
            let mut names: Vec<&str> = vec![&self.codename, &self.suite];
            names.retain(|name| !name.is_empty());
            names.dedup();
            return Err(Error::new(Kind::Mismatch, "the Release file is for another suite than requested")
                .fact("asked", suite)
                .fact("received", names.join(", "))
                .hint(format!(
                    "if that is what you mean, set in the manifest: accept-names = [\"{}\"]",
                    names.first().copied().unwrap_or_default()
                )));
        }
        let made = self.date.map_or_else(|| "at an unknown time".to_owned(), text::date);
        if let Some(date) = self.date.filter(|date| *date > now.saturating_add(SKEW) && !leniency.future) {
            return Err(Error::new(Kind::Mismatch, "the Release file is dated in the future")
                .fact("made", text::date(date))
                .fact("now", text::date(now))
                .hint("check this machine's clock"));
        }
        if let Some(until) = self.valid_until.filter(|until| *until < now && !leniency.expired) {
            return Err(Error::new(Kind::Mismatch, "the Release file has expired")
                .fact("made", made)
                .fact("until", text::date(until))
                .fact("now", text::date(now))
                .hint(
                    "the mirror is no longer kept up to date: use another, or a snapshot service with its date; or \
                    set `accept-expired = true` in the manifest",
                ));
        }
        Ok(())
    }

    /// Returns whether `name` is its name, by apt's rule: the last part of a path does not count. True if it has no
    /// name.
    fn is_called(&self, name: &str) -> bool {
        let own = [self.suite.as_str(), self.codename.as_str()];
        let plain = |name: &str| name.trim_end_matches("/updates").to_owned();
        let shorter = name.rsplit_once('/').map_or(name, |(directory, _)| directory);
        own.iter().all(|own| own.is_empty())
            || own.iter().any(|own| !own.is_empty() && (*own == name || *own == shorter || plain(own) == plain(name)))
    }
}

/// Returns the files under `SHA256`, and the number of its invalid lines.
fn files(stanza: &Stanza) -> Option<(Files, usize)> {
    let (mut files, mut unread) = (BTreeMap::new(), 0);
    for line in stanza.get("SHA256")?.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_ascii_whitespace();
        let entry = (|| {
            let digest = Sha256Digest::from_hex(words.next()?)?;
            let size = words.next()?.parse().ok()?;
            let path = words.next().map(|path| path.strip_prefix("./").unwrap_or(path)).filter(|path| is_path(path))?;
            words.next().is_none().then_some((path.to_owned(), (size, digest)))
        })();
        match entry {
            Some((path, promise)) => drop(files.insert(path, promise)),
            None => unread += 1,
        }
    }
    Some((files, unread))
}

fn shown(value: &str) -> String {
    value.chars().take(80).collect::<String>().escape_debug().to_string()
}
