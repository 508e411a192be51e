//! The Release file of a suite: how old it is, and the digests of the package lists.

use std::collections::BTreeMap;

use super::is_path;
use super::stanza::Stanzas;
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::text;

/// How far the clocks of an archive and of this machine may be apart, in seconds.
const SKEW: i64 = 3600;

/// A parsed Release file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Release {
    /// `Suite` and `Codename`: what it may be asked for as.
    pub names: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub date: i64,
    /// Until when it may be believed, where it says so.
    pub valid_until: Option<i64>,
    /// The architectures that it has packages of.
    pub architectures: Vec<String>,
    /// Whether lists can be had by their digests.
    pub by_hash: bool,
    /// Whether a list for an architecture leaves out the packages for all of them.
    pub separate_all: bool,
    /// How its versions rank, as apt ranks them: 500, or less where they are only for those who ask.
    pub priority: i32,
    /// Size and digest of each file.
    pub files: BTreeMap<String, (u64, Sha256Digest)>,
}

impl Release {
    /// Parses the text of a Release file.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| Error::new(Kind::Invalid, format!("the Release file has {what}"));
        let mut stanzas = Stanzas::new(text.as_bytes(), &[]);
        let Some(stanza) = stanzas.read()? else { return Err(wrong("nothing in it")) };
        if stanzas.read()?.is_some() {
            return Err(wrong("more than one stanza"));
        }
        let time = |field: &str| match stanza.get(field) {
            None => Ok(None),
            Some(value) => date(value).map(Some).ok_or_else(|| wrong(&format!("a `{field}` that is no time"))),
        };
        let owned = |text: &str| text.to_owned();
        let mut files = BTreeMap::new();
        let list = stanza.get("SHA256").ok_or_else(|| wrong("no SHA-256 digests"))?;
        for line in list.lines().filter(|line| !line.is_empty()) {
            let mut words = line.split_ascii_whitespace();
            let entry = (|| {
                let digest = Sha256Digest::from_hex(words.next()?)?;
                let size = words.next()?.parse().ok()?;
                let path = words.next().filter(|path| is_path(path))?;
                words.next().is_none().then_some((path.to_owned(), (size, digest)))
            })();
            let (path, promise) = entry.ok_or_else(|| wrong("a line under SHA256 that names no file"))?;
            files.insert(path, promise);
        }
        let priority = match (stanza.says_yes("NotAutomatic"), stanza.says_yes("ButAutomaticUpgrades")) {
            (false, _) => 500,
            (true, true) => 100,
            (true, false) => 1,
        };
        let architectures: Vec<String> = stanza.words("Architectures").map(owned).collect();
        let has_all = architectures.iter().any(|name| name == "all");
        Ok(Self {
            names: ["Suite", "Codename"].iter().filter_map(|field| stanza.get(field)).map(owned).collect(),
            date: time("Date")?.ok_or_else(|| wrong("no `Date`"))?,
            valid_until: time("Valid-Until")?,
            by_hash: stanza.says_yes("Acquire-By-Hash"),
            separate_all: has_all && stanza.get("No-Support-for-Architecture-all") != Some("Packages"),
            architectures,
            priority,
            files,
        })
    }

    /// The same, valid no longer than its signature is.
    #[must_use]
    pub fn until(mut self, signature: Option<i64>) -> Self {
        self.valid_until = self.valid_until.into_iter().chain(signature).min();
        self
    }

    /// Whether this is what was asked for, and of today; with `expired` it may be of any day that is over.
    pub fn check(&self, suite: &str, now: i64, expired: bool) -> Result<()> {
        let plain = |name: &str| name.trim_end_matches("/updates").to_owned();
        if !self.names.is_empty() && !self.names.iter().any(|name| plain(name) == plain(suite)) {
            return Err(Error::new(
                Kind::Mismatch,
                "the archive sent another suite's Release file than it was asked for",
            )
            .fact("asked", suite)
            .fact("received", self.names.join(", "))
            .hint("name the suite as the archive calls it: by its code name, such as `bookworm` or `noble`"));
        }
        if self.date > now.saturating_add(SKEW) {
            return Err(Error::new(Kind::Mismatch, "the Release file is of the future")
                .fact("made", text::date(self.date))
                .fact("now", text::date(now))
                .hint("check this machine's clock"));
        }
        if let Some(until) = self.valid_until.filter(|until| *until < now && !expired) {
            return Err(Error::new(Kind::Mismatch, "the Release file has expired")
                .fact("made", text::date(self.date))
                .fact("until", text::date(until))
                .fact("now", text::date(now))
                .hint("the mirror is no longer kept up to date: use another, or a snapshot service with its date; or say `accept-expired = true` in the manifest if that is meant"));
        }
        Ok(())
    }
}

/// A time such as `Sat, 11 Jul 2026 10:16:37 UTC`.
fn date(text: &str) -> Option<i64> {
    let text = text.trim();
    let zoned = ["UTC", "GMT", "Z"].iter().find_map(|zone| text.strip_suffix(zone));
    let text = zoned.map_or_else(|| text.to_owned(), |rest| format!("{}+0000", rest.replace("  ", " ")));
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.as_bytes()).ok().map(jiff::Timestamp::as_second)
}
