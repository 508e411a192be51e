//! A pinned document with advisories.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::AdvisoriesRequest;
use crate::advisories::{Advisory, fault};
use crate::digest::Sha256Digest;
use crate::inputs::{Block, LockedInput, Pinned, Trust};
use crate::page::{cell, commands, fact};
use crate::text;
use crate::urls::unfetchable;

/// A pinned document, with its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdvisoriesPin {
    /// The URL that answered.
    pub url: Url,
    /// Size in bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Sha256Digest,
    /// Fingerprint of the key that signed it, where a signature is demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// Its advisories.
    pub entries: Vec<Advisory>,
}

impl Pinned for Block<AdvisoriesRequest> {
    fn version(&self) -> String {
        format!("{} (sha256:{}…)", self.short_version(), &self.locked.sha256.hex()[..12])
    }

    fn short_version(&self) -> String {
        match self.locked.entries.len() {
            1 => "1 advisory".to_owned(),
            count => format!("{count} advisories"),
        }
    }

    fn address(&self) -> Option<Url> {
        Some(self.locked.url.clone())
    }

    fn size(&self) -> u64 {
        self.locked.size
    }

    fn changes_since(&self, old: &LockedInput) -> Vec<String> {
        let LockedInput::Advisories(old) = old else { return Vec::new() };
        let names = |from: &[Advisory], than: &[Advisory], sign: &str| {
            let of = |one: &&Advisory| !than.iter().any(|other| other.id == one.id);
            from.iter().filter(of).map(|one| format!("{sign} {}", one.id)).collect::<Vec<_>>()
        };
        let (before, after) = (&old.locked.entries, &self.locked.entries);
        [names(before, after, "-"), names(after, before, "+")].concat()
    }

    fn visible(&self) -> Value {
        Value::Null
    }

    fn fault(&self) -> Option<String> {
        let entry = self.locked.entries.iter().find_map(|one| Some(format!("`{}`: {}", one.id, fault(one)?)));
        entry.or_else(|| unfetchable(std::slice::from_ref(&self.locked.url)))
    }

    fn report(&self, page: &mut String) {
        let pin = &self.locked;
        fact(page, "entries", &pin.entries.len().to_string());
        fact(page, "size", &format!("{} bytes", pin.size));
        fact(page, "signed by", pin.signed_by.as_deref().unwrap_or("no signature is demanded"));
        let url = text::shell_word(pin.url.as_str());
        commands(page, &[&format!("curl -fL {url} | sha256sum   # {}", pin.sha256.hex())]);
    }

    fn trust(&self) -> Trust {
        self.locked.signed_by.as_ref().map_or(Trust::FirstUse, |key| Trust::Signed(vec![key.clone()]))
    }

    fn unverified(&self) -> Vec<String> {
        let unsigned = "Nobody signed the advisories: whoever serves them can leave one out.";
        if self.locked.signed_by.is_some() { Vec::new() } else { vec![unsigned.to_owned()] }
    }

    fn lists(&self, name: &str, page: &mut String) {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "\n### Advisories of {}\n\n| id | about | what |\n| --- | --- | --- |", cell(name));
        for one in &self.locked.entries {
            let _ = writeln!(page, "| {} | {} | {} |", cell(&one.id), one.about.name(), cell(&one.what));
        }
    }
}
