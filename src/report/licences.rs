//! Files of a tree that have licences in them, by their names. They are named and not read: what a licence allows is
//! not for a program to say.

use crate::tree::{Entry, Listing, Node};

/// The beginnings of their names, in capitals.
const NAMES: [&str; 6] = ["LICENSE", "LICENCE", "LICENSES", "COPYING", "COPYRIGHT", "NOTICE"];
/// The endings of texts, besides numbers of versions. A program may be called `license.py`.
const ENDINGS: [&str; 5] = ["", "txt", "md", "rst", "html"];

/// Returns the paths of such files and links.
pub(super) fn names(listing: &Listing) -> Vec<String> {
    let is_file = |entry: &&Entry| entry.node != Node::Directory;
    let names = listing.entries().iter().filter(is_file).filter(|entry| is_licence(&entry.path));
    names.map(|entry| String::from_utf8_lossy(&entry.path).into_owned()).collect()
}

fn is_licence(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let name = String::from_utf8_lossy(name).to_uppercase();
    let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
    let begins =
        |word: &&str| stem.strip_prefix(*word).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '_']));
    let is_text = ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)) || ending.parse::<u32>().is_ok();
    NAMES.iter().any(begins) && is_text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_known_by_their_names() {
        for path in [
            "LICENSE",
            "a/LICENSE.txt",
            "usr/share/doc/gcc/copyright",
            "LICENSE-MIT",
            "LICENSE-2.0",
            "Copying.md",
            "NOTICE.TXT",
        ] {
            assert!(is_licence(path.as_bytes()), "{path}");
        }
        for path in ["license.py", "copyright.h", "licensed", "LICENSE/a", "lib/libnotice.so", ""] {
            assert!(!is_licence(path.as_bytes()), "{path}");
        }
    }
}
