//! Valid names and modes of entries in a git tree: those that git checks out and that its `fsck` accepts.

use std::cmp::Ordering;

/// A directory.
pub(super) const TREE: i32 = 0o040_000;
/// A symlink.
pub(super) const LINK: i32 = 0o120_000;
/// The commit of a submodule.
pub(super) const COMMIT: i32 = 0o160_000;
/// An executable file.
pub(super) const EXECUTABLE: i32 = 0o100_755;
/// Modes of other files; git wrote the second one in its first months.
const FILES: [i32; 2] = [0o100_644, 0o100_664];

/// Returns why an entry is invalid, if it is.
pub(super) fn fault(name: &[u8], mode: i32) -> Option<String> {
    let why = if name.is_empty() {
        "it has no name"
    } else if name.contains(&b'/') {
        "its name contains a slash"
    } else if name == b"." || name == b".." {
        "its name is `.` or `..`"
    } else if is_dot_git(name) {
        "git reserves this name for its own files"
    } else if ![TREE, LINK, COMMIT, EXECUTABLE].contains(&mode) && !FILES.contains(&mode) {
        return Some(format!("invalid mode {mode:06o}"));
    } else {
        return None;
    };
    Some(why.to_owned())
}

/// Returns whether a file system could treat a name as `.git`: in another case, with characters that HFS+ ignores, or
/// by its NTFS short name.
fn is_dot_git(name: &[u8]) -> bool {
    const IGNORED: [std::ops::RangeInclusive<char>; 4] =
        ['\u{200c}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{206a}'..='\u{206f}', '\u{feff}'..='\u{feff}'];
    let ignored = |c: &char| IGNORED.iter().any(|range| range.contains(c));
    let text: String = String::from_utf8_lossy(name).chars().filter(|c| !ignored(c)).collect();
    let text = text.split(['\\', ':']).next().unwrap_or_default().trim_end_matches([' ', '.']);
    text.eq_ignore_ascii_case(".git") || text.eq_ignore_ascii_case("git~1")
}

/// Compares entries in git's order: by bytes, with a slash appended to directory names.
pub(super) fn order(one: (&[u8], i32), other: (&[u8], i32)) -> Ordering {
    let key = |(name, mode): (&[u8], i32), at: usize| match at.cmp(&name.len()) {
        Ordering::Less => Some(name[at]),
        Ordering::Equal if mode == TREE => Some(b'/'),
        _ => None,
    };
    let same = one.0.iter().zip(other.0).take_while(|(a, b)| a == b).count();
    key(one, same).cmp(&key(other, same)).then_with(|| one.0.len().cmp(&other.0.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_git_refuses_are_refused() {
        for good in ["a", ".gitmodules", ".gitignore", "..a", "git", ".gi", "a:b", "a\\b", ".git2", "git~10", "é"] {
            assert_eq!(fault(good.as_bytes(), 0o100_644), None, "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            ".git/config",
            "/etc",
            ".git",
            ".GIT",
            ".Git",
            "git~1",
            "GIT~1",
            ".git.",
            ".git ",
            ".git. .",
            ".git::$INDEX_ALLOCATION",
            ".git\\config",
            ".g\u{200c}it",
            "\u{feff}.git",
        ] {
            assert!(fault(bad.as_bytes(), 0o100_644).is_some(), "{bad}");
        }
    }

    #[test]
    fn modes_are_those_that_git_writes() {
        for good in [0o100_644, 0o100_664, 0o100_755, 0o120_000, 0o040_000, 0o160_000] {
            assert_eq!(fault(b"a", good), None, "{good:o}");
        }
        for bad in [0, 0o123_456, 0o100_600, 0o104_755, 0o020_000, 0o140_000, 0o160_644, 0o040_755, -1] {
            assert!(fault(b"a", bad).is_some(), "{bad:o}");
        }
    }

    #[test]
    fn directories_are_ordered_as_if_a_slash_stood_behind() {
        let sorted =
            [(b"a".as_slice(), 0), (b"a-b", 0), (b"a.b", TREE), (b"a", TREE), (b"a0", 0), (b"ab", 0), (b"b", TREE)];
        for (index, one) in sorted.iter().enumerate() {
            for (other_index, other) in sorted.iter().enumerate() {
                assert_eq!(order(*one, *other), index.cmp(&other_index), "{one:?} {other:?}");
            }
        }
    }
}
