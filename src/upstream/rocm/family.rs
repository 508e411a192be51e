//! Which GPUs the name of a family may mean.
//!
//! Upstream renames families: `gfx110X-dgpu` became `gfx110X-all`. So where a GPU is gone, or about to go, the names that
//! may have taken its place are worth a word. They are never taken in its stead: what is in them is a guess.

/// The family of the tarballs for all GPUs at once.
const ALL: &str = "multiarch";

/// Whether these are test tarballs, which stand beside the real ones.
pub(super) fn is_tests(family: &str) -> bool {
    family.ends_with("-tests")
}

/// Whether the family may be `target` under another name: `gfx1151-dgpu`, `gfx115X-all`. Another GPU of the same
/// generation, such as `gfx1150`, is not.
pub(super) fn may_be(family: &str, target: &str) -> bool {
    if family == target || family == ALL || is_tests(family) {
        return false;
    }
    let stem = family.split('-').next().unwrap_or_default();
    stem.len() == target.len()
        && stem.bytes().zip(target.bytes()).all(|(have, want)| have == want || matches!(have, b'X' | b'x'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_may_be_the_target_are_told_from_its_neighbours() {
        for (family, near) in [
            ("gfx115X-all", true),
            ("gfx115x", true),
            ("gfx11XX-all", true),
            ("gfx1151-dgpu", true),
            ("gfx1151", false),
            ("gfx1151-tests", false),
            ("gfx115X-all-tests", false),
            ("gfx1150", false),
            ("gfx110X-all", false),
            ("gfx94X-dcgpu", false),
            ("multiarch", false),
            ("", false),
        ] {
            assert_eq!(may_be(family, "gfx1151"), near, "{family}");
        }
        assert!(may_be("gfx110X-all", "gfx1100"));
        assert!(may_be("gfx94X-dcgpu", "gfx942"));
    }
}
