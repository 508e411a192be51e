//! PEP 440 ranges: the test whether one contains a version.
//!
//! `pep440_rs` parses ranges, but its test is not used: it excludes all pre-releases of V from `<V`, while PEP 440 does
//! so only if V is not itself a pre-release; and it reads `==10.1.0.5.*` as a prefix of `10.1.0`.
//! `scripts/versions-vs-packaging` compares this module with Python's `packaging`, the reference that users know.

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};

/// Returns whether the range contains the version. Pre-releases between the ends count, as with pip's `--pre`.
pub(super) fn contains(range: &VersionSpecifiers, version: &Version) -> bool {
    range.iter().all(|specifier| holds(specifier, version))
}

fn holds(specifier: &VersionSpecifier, version: &Version) -> bool {
    let bound = specifier.version();
    let public = || version.clone().without_local();
    match specifier.operator() {
        Operator::Equal => equal(version, bound),
        Operator::NotEqual => !equal(version, bound),
        Operator::EqualStar => in_series(version, bound, bound.release().len()),
        Operator::NotEqualStar => !in_series(version, bound, bound.release().len()),
        Operator::TildeEqual => version >= bound && in_series(version, bound, bound.release().len().saturating_sub(1)),
        Operator::ExactEqual => version.to_string() == bound.to_string(),
        Operator::GreaterThanEqual => version >= bound,
        Operator::LessThanEqual => public() <= *bound,
        // The first pre-release of V is V.dev0.
        Operator::LessThan if bound.any_prerelease() => version < bound,
        Operator::LessThan => *version < bound.clone().with_dev(Some(0)),
        Operator::GreaterThan => public() > *bound && !is_post_of(version, bound),
    }
}

/// Returns whether version and bound are equal. A bound without a local part equals the version with any local part.
fn equal(version: &Version, bound: &Version) -> bool {
    if bound.is_local() { version == bound } else { version.clone().without_local() == *bound }
}

/// Returns whether the first `count` numbers of both are the same. Missing numbers of a version count as zero.
fn in_series(version: &Version, bound: &Version, count: usize) -> bool {
    let padded = version.release().iter().chain(std::iter::repeat(&0));
    version.epoch() == bound.epoch() && bound.release().iter().take(count).zip(padded).all(|(want, have)| want == have)
}

/// Returns whether the version is a post-release of a bound that is not one: PEP 440 excludes `10.0.0.post1` from
/// `>10.0.0`.
fn is_post_of(version: &Version, bound: &Version) -> bool {
    bound.dev().is_none()
        && bound.post().is_none()
        && (version.epoch(), version.pre()) == (bound.epoch(), bound.pre())
        && version.only_release() == bound.only_release()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each answer is that of Python's `packaging` 26.4 with `prereleases=True`.
    #[test]
    fn ranges_hold_what_pep_440_says() {
        for (range, inside, outside) in [
            (
                "<10.1.0a20260905",
                "10.1.0a20260904 10.1.0a20260904+bkc.20260906 10.1.0.dev0+0123456789abcdef0123456789abcdef01234567 \
                 10.0.0.post1",
                "10.1.0a20260905 10.1.0a20260905+bkc.20260906 10.1.0rc1 10.1.0",
            ),
            ("<10.1.0rc20260905", "10.1.0rc20260904 10.1.0rc1 10.1.0a20260905", "10.1.0rc20260905 10.1.0"),
            ("<10.1.0", "10.0.0 10.0.0.post1", "10.1.0a20260905 10.1.0rc1 10.1.0.dev0+ab 10.1.0"),
            ("<10.0.0.post1", "10.0.0 10.0.0rc1 10.0.0a20260720", "10.0.0.post1 10.0.1"),
            ("<10", "7.14.1 7.15.0a20260719", "10.0.0a20260720 10.0.0"),
            ("<=10.1.0a20260811", "10.1.0a20260811 10.1.0a20260811+bkc.20260814", "10.1.0a20260812"),
            ("<=10.0.0", "10.0.0 10.0.0rc1 10.0.0a20260720", "10.0.0.post1"),
            (">10.0.0", "10.0.1 10.1.0a20260901", "10.0.0 10.0.0.post1 10.0.0rc1"),
            (">10.0.0.post1", "10.0.0.post2 10.0.1", "10.0.0.post1 10.0.0"),
            (
                ">10.1.0a20260811",
                "10.1.0a20260812 10.1.0a20260812+bkc.20260814 10.1.0rc1 10.1.0",
                "10.1.0a20260811 10.1.0a20260811+bkc.20260814",
            ),
            (">10.0.0rc1", "10.0.0 10.0.0.post1 10.0.0rc2", "10.0.0rc1 10.0.0a20260720"),
            (">=10.0.0", "10.0.0 10.0.0.post1 10.1.0a20260901", "10.0.0rc1"),
            (">=10.1.0a20260812", "10.1.0a20260812+bkc.20260814", "10.1.0a20260811+bkc.20260814"),
            ("==10.0.0", "10.0.0", "10.0.0.post1 10.0.0rc1"),
            ("==10.0", "10.0.0", "10.0.1"),
            ("==10.1.0a20260811", "10.1.0a20260811 10.1.0a20260811+bkc.20260814", "10.1.0a20260812"),
            ("==10.1.0a20260811+bkc.20260814", "10.1.0a20260811+bkc.20260814", "10.1.0a20260811"),
            ("==10.1.*", "10.1.0a20260901 10.1.0 10.1.0.post1 10.1.3", "10.2.0a20261120 10.0.0"),
            ("==10.1.0.0.*", "10.1.0 10.1.0a20260901", "10.1.1"),
            ("==10.1.0.5.*", "", "10.1.0 10.1.0a20260901"),
            ("!=10.1.0.5.*", "10.1.0", ""),
            ("!=10.1.*", "10.2.0 10.0.0.post1", "10.1.0a20260901 10.1.0"),
            ("!=10.0.0", "10.0.0.post1 10.0.0rc1", "10.0.0"),
            ("~=10.1", "10.1.0 10.2.0a20261120 10.9.0", "10.1.0a20260901 11.0.0 11.0.0a20270101"),
            ("~=10.1.0a20260901", "10.1.0a20260901 10.1.7 10.1.0.post1", "10.2.0 10.1.0a20260831"),
            ("~=10.0.0.post1", "10.0.0.post1 10.0.5", "10.0.0 10.1.0"),
            ("===10.1.0a20260811", "10.1.0a20260811", "10.1.0a20260811+bkc.20260814"),
            (">=7.12,<10,!=7.13.*", "7.12.0 7.14.1", "7.13.0 10.0.0rc1"),
        ] {
            let range: VersionSpecifiers = range.parse().unwrap();
            for (versions, expected) in [(inside, true), (outside, false)] {
                for version in versions.split_whitespace() {
                    assert_eq!(contains(&range, &version.parse().unwrap()), expected, "{version} in {range}");
                }
            }
        }
    }
}
