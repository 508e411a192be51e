//! Releases of a repository: tags `v` and a semantic version.

use semver::{Version, VersionReq};

use crate::error::{Error, Kind, Result};

/// Number of versions that an error lists.
const LISTED: usize = 5;

/// Returns the version in a tag: `v1.2.3`, `v1.2.3-rc.1`, or `v1.2` for `1.2.0`.
#[must_use]
pub fn release_version(tag: &str) -> Option<Version> {
    let text = tag.strip_prefix('v')?;
    let (numbers, rest) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
    let missing = if numbers.matches('.').count() == 1 { ".0" } else { "" };
    Version::parse(&format!("{numbers}{missing}{rest}")).ok()
}

/// Fails unless this is `latest`, or a range as in Cargo.toml.
pub fn demand_range(text: &str) -> Result<()> {
    range(text).map(drop)
}

fn range(text: &str) -> Result<VersionReq> {
    // `*` takes every version but those before a release.
    let text = if text == "latest" { "*" } else { text };
    VersionReq::parse(text).map_err(|error| {
        Error::new(Kind::Invalid, format!("invalid range of versions `{text}`"))
            .because(&error)
            .hint("`latest`, or a range as in Cargo.toml: `0.10`, `>=0.9, <1`, `~0.6`, `>=1.0.0-rc.1`")
    })
}

/// Returns the tag of the newest release in a range. Versions before a release, such as `-rc.1`, count only where the
/// range names one.
pub fn newest<'t>(wanted: &str, tags: impl Iterator<Item = &'t str>) -> Result<&'t str> {
    let range = range(wanted)?;
    let mut all: Vec<(Version, &str)> = tags.filter_map(|tag| Some((release_version(tag)?, tag))).collect();
    all.sort();
    if let Some((_, tag)) = all.iter().rev().find(|(version, _)| range.matches(version)) {
        return Ok(tag);
    }
    let newest: Vec<&str> = all.iter().rev().take(LISTED).map(|(_, tag)| *tag).collect();
    let newest = if newest.is_empty() { "none at all".to_owned() } else { newest.join(", ") };
    Err(Error::new(Kind::NotFound, format!("the repository has no release in the range `{wanted}`"))
        .fact("newest", newest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAGS: [&str; 9] =
        ["b11429", "v0.9.0", "v0.10.0", "v1.0.0-rc.2", "v1.0.0-rc.10", "v0.1", "version", "v01.2.3", "v2"];

    fn newest_of(wanted: &str) -> Option<&'static str> {
        newest(wanted, TAGS.into_iter()).ok()
    }

    #[test]
    fn versions_are_ordered_as_numbers_and_a_candidate_comes_before_its_release() {
        assert_eq!(newest_of("latest"), Some("v0.10.0"));
        assert_eq!(newest_of("0.9"), Some("v0.9.0"));
        assert_eq!(newest_of(">=0.9, <1"), Some("v0.10.0"));
        assert_eq!(newest_of("0.1"), Some("v0.1"));
        assert_eq!(newest_of(">=1.0.0-rc.1"), Some("v1.0.0-rc.10"));
        let with_final = TAGS.into_iter().chain(["v1.0.0"]);
        assert_eq!(newest(">=1.0.0-rc.1", with_final).ok(), Some("v1.0.0"));
    }

    #[test]
    fn a_range_without_a_release_names_the_newest() {
        let error = newest("3", TAGS.into_iter()).unwrap_err();
        assert!(format!("{error:?}").contains("v1.0.0-rc.10, v1.0.0-rc.2, v0.10.0"), "{error:?}");
        for wrong in ["", "newest", "v1.0", "1.0.0.0", "99999999999999999999"] {
            assert_eq!(newest(wrong, TAGS.into_iter()).unwrap_err().kind(), Kind::Invalid, "{wrong}");
        }
    }

    #[test]
    fn other_tags_are_no_releases() {
        for tag in
            ["", "v", "v1", "1.0.0", "v1.0.0.0", "v1.x", "v01.0.0", "v99999999999999999999.0.0", "vv1.0.0", "v1.0 "]
        {
            assert_eq!(release_version(tag), None, "{tag}");
        }
    }
}
