//! The tags of a remote. They lead somewhere, and nothing is believed because of them.

use crate::digest::{DerivationId, Sha256Digest, TreeDigest};

/// Beginning of the tags of pushes.
const PUSH: &str = "push-";

/// Greatest number of a push that is believed: a tag with a greater one would end the count.
pub(super) const MOST: u64 = 1_000_000_000;

/// Returns the tag of a tree.
#[must_use]
pub fn of_tree(tree: TreeDigest) -> String {
    format!("tree-{}", tree.hex())
}

/// Returns the tree that a tag is for.
#[must_use]
pub fn tree(tag: &str) -> Option<TreeDigest> {
    tag.strip_prefix("tree-").and_then(Sha256Digest::from_hex).map(TreeDigest)
}

/// Returns the tag of a derivation.
#[must_use]
pub fn of_derivation(derivation: DerivationId) -> String {
    format!("derivation-{}", derivation.hex())
}

/// Returns the tag of the push with this number whose manifest has this digest. Two machines that push at a time may
/// take one number, but never one tag for two pushes.
#[must_use]
pub fn of_push(number: u64, manifest: Sha256Digest) -> String {
    format!("{PUSH}{number}-{}", &manifest.hex()[..16])
}

/// Returns the number of the push that a tag is for.
#[must_use]
pub fn push(tag: &str) -> Option<u64> {
    let (number, digest) = tag.strip_prefix(PUSH)?.split_once('-')?;
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit()) && digest.len() == 16;
    number.parse().ok().filter(|number| is_plain && *number <= MOST)
}

/// Returns the end of a tag of a push, which is that of its record's digest.
#[must_use]
pub fn end(tag: &str) -> &str {
    tag.rsplit('-').next().unwrap_or(tag)
}

/// Returns the tag of the index of those manifests that refer to this one, where a registry keeps no such index.
#[must_use]
pub fn of_referrers(subject: Sha256Digest) -> String {
    format!("sha256-{}", subject.hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_back_and_others_are_not_ours() {
        let digest = Sha256Digest::of(b"x");
        assert_eq!(tree(&of_tree(TreeDigest(digest))), Some(TreeDigest(digest)));
        assert_eq!(push(&of_push(42, digest)), Some(42));
        for other in [
            "latest",
            "push-",
            "push-1",
            "push-x-0123456789abcdef",
            "push-+1-0123456789abcdef",
            "push-1-",
            "push-99999999999-0123456789abcdef",
        ] {
            assert_eq!(push(other), None, "{other}");
        }
        assert_eq!(tree("tree-00"), None);
    }
}
