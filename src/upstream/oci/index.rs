//! Selects the entries of an index that may be the image for a platform, in the order in which they are tried.
//!
//! Entries with the wanted platform come first: the one without a variant; else, for x86-64, the highest level that a
//! Strix Halo machine runs, and for other architectures the lowest, which most machines run; among equals, such as one
//! image packed with gzip and with zstd, the first, as in engines. Entries without a platform follow: an index in an
//! index, and manifests, whose configuration has the platform. Everything else (attestations, SBOMs, invalid entries)
//! is skipped, and is an error only if no other entry has the platform.

use serde_json::Value;
use tracing::debug;

use super::{DOCKER_LIST, DOCKER_MANIFEST};
use crate::error::{Error, Kind};
use crate::log::LISTS;
use crate::oci::Descriptor;
use crate::oci::document::{INDEX, MANIFEST};

/// The x86-64 microarchitecture level of Zen 5.
const LEVEL: u32 = 4;
/// Greatest number of platforms in a message.
const MOST_SHOWN: usize = 20;

/// The entries of an index for a platform.
#[derive(Debug, Default)]
pub struct Choice {
    /// Entries to try, the best first.
    pub candidates: Vec<Candidate>,
    /// The platforms of other entries.
    pub others: Vec<String>,
    /// Number of skipped entries.
    pub passed: usize,
    /// The error of the first entry that has the platform but cannot be used.
    pub unusable: Option<Error>,
    /// A remark on the choice, if there is one.
    pub told: Option<String>,
}

/// An entry that may be the wanted image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The entry.
    pub descriptor: Descriptor,
    /// True if the index gives the wanted platform for it.
    pub says_so: bool,
}

/// Returns the platform of an entry, if it has one.
fn platform(entry: &Value) -> Option<(&str, &str, Option<&str>)> {
    let platform = entry.get("platform")?;
    let text = |name: &str| platform.get(name).and_then(Value::as_str);
    Some((text("os")?, text("architecture")?, text("variant").filter(|variant| !variant.is_empty())))
}

/// Returns whether an entry is about another one, such as BuildKit's attestations.
fn is_remark(entry: &Value) -> bool {
    entry.pointer("/annotations/vnd.docker.reference.type").is_some()
}

/// Selects the entries of an index for Linux on `architecture`.
#[must_use]
pub fn choose(entries: Vec<Value>, architecture: &str) -> Choice {
    let mut choice = Choice::default();
    let (mut saying, mut silent) = (Vec::new(), Vec::new());
    for entry in entries {
        let says_so = match platform(&entry) {
            Some(("linux", found, _)) if found == architecture => true,
            Some((os, found, _)) if !os.is_empty() && !found.is_empty() && os != "unknown" => {
                choice.add_other(os, found);
                continue;
            }
            Some(_) => {
                debug!(target: LISTS, "an entry of the index is skipped: it does not say its platform");
                choice.passed += 1;
                continue;
            }
            None => false,
        };
        let variant = platform(&entry).and_then(|(_, _, variant)| variant).map(str::to_owned);
        let is_artifact = entry.get("artifactType").is_some_and(|kind| !kind.is_null());
        if is_remark(&entry) || (is_artifact && !says_so) {
            debug!(target: LISTS, "an entry of the index is skipped: it is about another one");
            choice.passed += 1;
            continue;
        }
        match serde_json::from_value::<Descriptor>(entry) {
            Ok(descriptor) => {
                let is_known = matches!(&*descriptor.media_type, "" | MANIFEST | DOCKER_MANIFEST | INDEX | DOCKER_LIST);
                if says_so {
                    let rank = (!is_known, rank(architecture, variant.as_deref()));
                    saying.push((rank, variant, Candidate { descriptor, says_so }));
                } else if is_known {
                    silent.push(Candidate { descriptor, says_so });
                } else {
                    debug!(target: LISTS, "an entry of the index is skipped: {} is unknown", descriptor.media_type);
                    choice.passed += 1;
                }
            }
            Err(error) => {
                debug!(target: LISTS, "an entry of the index is skipped: {error}");
                choice.passed += 1;
                if says_so && choice.unusable.is_none() {
                    let message = format!("the index's entry for linux/{architecture} cannot be used");
                    choice.unusable = Some(Error::new(Kind::Mismatch, message).because(&error));
                }
            }
        }
    }
    // The sort is stable: among equals, the index's order decides.
    saying.sort_by_key(|(rank, ..)| *rank);
    if let Some((first, variant, _)) = saying.first() {
        let equal = saying.iter().filter(|(rank, ..)| rank == first).count();
        let name = variant.as_ref().map_or_else(String::new, |variant| format!("/{variant}"));
        let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
        choice.told = match (equal, variant) {
            (1, None) => None,
            (1, Some(_)) => Some(format!("linux/{architecture}{shown}: no entry without a variant")),
            (equal, _) => Some(format!("the first of {equal} for linux/{architecture}{shown}")),
        };
    }
    choice.candidates = saying.into_iter().map(|(_, _, candidate)| candidate).chain(silent).collect();
    choice
}

/// Returns the rank of a variant; the lower, the better.
fn rank(architecture: &str, variant: Option<&str>) -> u32 {
    let Some(variant) = variant else { return 0 };
    let number =
        variant.strip_prefix('v').and_then(|number| number.parse::<u32>().ok()).filter(|number| *number < 1000);
    match (architecture, number) {
        ("amd64", Some(level)) if (1..=LEVEL).contains(&level) => 1 + LEVEL - level,
        ("amd64", _) | (_, None) => u32::MAX,
        (_, Some(level)) => 1 + level,
    }
}

impl Choice {
    /// Records a platform of another entry, for messages.
    pub fn add_other(&mut self, os: &str, architecture: &str) {
        let shown: String = format!("{os}/{architecture}").chars().filter(|c| !c.is_control()).take(60).collect();
        if self.others.len() < MOST_SHOWN && !self.others.contains(&shown) {
            self.others.push(shown);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::digest::Sha256Digest;

    /// An entry with a digest of its own, by `name`.
    fn entry(name: &str, platform: &Value) -> Value {
        json!({ "mediaType": MANIFEST, "digest": Sha256Digest::of(name.as_bytes()), "size": 1, "platform": platform })
    }

    fn linux(name: &str, variant: &str) -> Value {
        entry(name, &json!({ "os": "linux", "architecture": "amd64", "variant": variant }))
    }

    fn chosen(entries: Vec<Value>, architecture: &str) -> Choice {
        choose(entries, architecture)
    }

    /// The names of candidates, in order, of one letter each.
    fn names(choice: &Choice) -> String {
        let name = |candidate: &Candidate| {
            ('a'..='z').find(|name| Sha256Digest::of(name.to_string().as_bytes()) == candidate.descriptor.digest)
        };
        choice.candidates.iter().filter_map(name).collect()
    }

    #[test]
    fn the_entry_without_a_variant_comes_first_then_the_highest_that_fits() {
        for (entries, order) in [
            (vec![linux("a", "v2"), linux("b", ""), linux("c", "v3")], "bca"),
            (vec![linux("a", "v1"), linux("b", "v3"), linux("c", "v2")], "bca"),
            (vec![linux("a", "v5"), linux("b", "odd"), linux("c", "v1"), linux("d", "v4")], "dcab"),
            (vec![linux("a", ""), linux("b", "")], "ab"),
            (vec![linux("a", "v99999999999999999999"), linux("b", "v2")], "ba"),
        ] {
            assert_eq!(names(&chosen(entries.clone(), "amd64")), order, "{entries:?}");
        }
        let arm = |name: &str, variant: &str| {
            entry(name, &json!({ "os": "linux", "architecture": "arm64", "variant": variant }))
        };
        assert_eq!(names(&chosen(vec![arm("a", "v9"), arm("b", "v8"), linux("c", "")], "arm64")), "ba");
        for (entries, told) in [
            (vec![linux("a", "")], None),
            (vec![linux("a", ""), linux("b", "v2")], None),
            (vec![linux("a", "v2")], Some("linux/amd64/v2: no entry without a variant")),
            (vec![linux("a", ""), linux("b", "")], Some("the first of 2 for linux/amd64")),
        ] {
            assert_eq!(chosen(entries, "amd64").told.as_deref(), told);
        }
    }

    #[test]
    fn odd_neighbours_are_passed_over() {
        let odd = [
            json!(5),
            json!(null),
            json!([]),
            json!({}),
            json!({ "mediaType": MANIFEST, "digest": "sha512:00", "size": 1 }),
            json!({ "mediaType": MANIFEST, "digest": Sha256Digest::of(b"x"), "size": -1 }),
            entry("x", &json!({ "os": "unknown", "architecture": "unknown" })),
            entry("x", &json!({ "os": "linux", "architecture": "" })),
            json!({ "mediaType": "application/spdx+json", "digest": Sha256Digest::of(b"x"), "size": 1, "platform": {} }),
            json!({ "mediaType": MANIFEST, "digest": Sha256Digest::of(b"x"), "size": 1, "artifactType": "application/spdx" }),
            json!({ "mediaType": MANIFEST, "digest": Sha256Digest::of(b"x"), "size": 1,
                    "annotations": { "vnd.docker.reference.type": "attestation-manifest" } }),
        ];
        let count = odd.len();
        let mut entries = odd.to_vec();
        entries.insert(4, linux("a", ""));
        entries.push(entry("b", &json!({ "os": "windows", "architecture": "amd64", "os.version": 7 })));
        let choice = chosen(entries, "amd64");
        assert_eq!((names(&choice).as_str(), choice.passed), ("a", count));
        assert_eq!((choice.others, choice.unusable.is_some()), (vec!["windows/amd64".to_owned()], false));
    }

    #[test]
    fn an_entry_that_is_wanted_may_have_odd_remarks_and_none_but_what_is_needed() {
        for more in
            [json!({ "annotations": null }), json!({ "annotations": { "a": null, "b": 7 } }), json!({ "urls": null })]
        {
            let mut wanted = linux("a", "");
            wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(names(&chosen(vec![wanted], "amd64")), "a", "{more}");
        }
        let mut wanted = linux("a", "");
        wanted["digest"] = json!("sha512:00");
        let choice = chosen(vec![wanted, linux("b", "v2")], "amd64");
        assert!(choice.unusable.unwrap().to_string().contains("linux/amd64"));
        assert_eq!(choice.candidates.len(), 1);
    }

    #[test]
    fn entries_without_a_platform_come_last() {
        let mut silent = linux("a", "");
        silent["platform"] = json!({});
        let mut nested = linux("b", "");
        nested["platform"] = Value::Null;
        nested["mediaType"] = json!(INDEX);
        let choice = chosen(vec![silent, nested, linux("c", "v2")], "amd64");
        assert_eq!(names(&choice), "cab");
        assert_eq!(choice.candidates.iter().filter(|candidate| candidate.says_so).count(), 1);
    }
}
