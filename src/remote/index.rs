//! The index of a tree: where the pieces of its contents are.
//!
//! ```text
//! strixlock-index 1
//! <pack> <offset> <length>                      a content that is one piece
//! <pack> <offset> <length> <size> <64 hex>      one of the pieces of a larger content, with its plain size and SHA-256
//! ```
//!
//! Contents have no names here: lines follow the listing, each distinct content in the place of its first file. Empty
//! ones have no line. The pieces of a content are those lines that its size needs. A digest has one size everywhere.
//! Parsing is total and does no IO.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::piece::LARGEST;
use crate::digest::{Promise, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::tree::{Listing, Node};

const HEADER: &str = "strixlock-index 1";
/// Number of bytes that compression may add to a piece.
const ADDED: u64 = 4096;

/// A place in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Number of the pack.
    pub pack: usize,
    /// Offset of the piece.
    pub offset: u64,
    /// Length of the compressed piece.
    pub length: u64,
}

/// A piece of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// SHA-256 of its plain bytes.
    pub digest: Sha256Digest,
    /// Number of its plain bytes.
    pub size: u64,
    /// Its place.
    pub place: Place,
}

/// The contents of one file or several equal ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content<'l> {
    /// Their SHA-256.
    pub digest: Sha256Digest,
    /// Their size.
    pub size: u64,
    /// The path of the first file that has them.
    pub path: &'l [u8],
}

/// Returns the distinct contents of a tree, without the empty one, in the order of the index.
#[must_use]
pub fn contents(listing: &Listing) -> Vec<Content<'_>> {
    let mut seen = HashSet::new();
    let files = listing.entries().iter().filter_map(|entry| match entry.node {
        Node::File { size, digest, .. } if size > 0 => Some(Content { digest, size, path: &entry.path }),
        _ => None,
    });
    files.filter(|content| seen.insert(content.digest)).collect()
}

/// Returns the text of the index of contents with these pieces.
#[must_use]
pub fn to_text(pieces: &[Vec<Piece>]) -> String {
    let mut text = format!("{HEADER}\n");
    for content in pieces {
        for Piece { digest, size, place: Place { pack, offset, length } } in content {
            // Writing to a string cannot fail.
            let _ = match content.len() {
                1 => writeln!(text, "{pack} {offset} {length}"),
                _ => writeln!(text, "{pack} {offset} {length} {size} {}", digest.hex()),
            };
        }
    }
    text
}

/// Parses the index of a tree with these contents and packs. Returns the pieces of each content.
pub fn parse(text: &str, contents: &[Content], packs: &[Promise]) -> Result<Vec<Vec<Piece>>> {
    pieces(text, contents, packs)
        .ok_or_else(|| Error::new(Kind::Mismatch, "the remote's index of a tree does not fit its listing and packs"))
}

fn pieces(text: &str, contents: &[Content], packs: &[Promise]) -> Option<Vec<Vec<Piece>>> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    (lines.next()? == HEADER).then_some(())?;
    let (mut all, mut sizes) = (Vec::with_capacity(contents.len()), HashMap::new());
    for content in contents {
        let (mut own, mut missing) = (Vec::new(), content.size);
        while missing > 0 {
            let piece = piece(lines.next()?, content, packs)?;
            // Pieces with one digest are received once. With two sizes they would be written over each other.
            (*sizes.entry(piece.digest).or_insert(piece.size) == piece.size).then_some(())?;
            missing = missing.checked_sub(piece.size)?;
            own.push(piece);
        }
        all.push(own);
    }
    lines.next().is_none().then_some(all)
}

fn piece(line: &str, content: &Content, packs: &[Promise]) -> Option<Piece> {
    let mut words = line.split(' ');
    let mut number = || words.next()?.parse::<u64>().ok();
    let (pack, offset, length) = (usize::try_from(number()?).ok()?, number()?, number()?);
    let (size, digest) = match (words.next(), words.next()) {
        (None, _) => (content.size, content.digest),
        (Some(size), digest) => (size.parse().ok()?, Sha256Digest::from_hex(digest?)?),
    };
    let within = offset.checked_add(length)? <= packs.get(pack)?.size;
    let fits = (1..=LARGEST).contains(&size) && (1..=LARGEST + ADDED).contains(&length);
    (within && fits && words.next().is_none()).then_some(Piece { digest, size, place: Place { pack, offset, length } })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(text: &str) -> Sha256Digest {
        Sha256Digest::of(text.as_bytes())
    }

    fn example() -> (Vec<Content<'static>>, Vec<Promise>, Vec<Vec<Piece>>) {
        let contents = vec![
            Content { digest: digest("a"), size: 10, path: b"a" },
            Content { digest: digest("b"), size: LARGEST + 1, path: b"b" },
        ];
        let packs = vec![Promise { size: 100, digest: digest("p") }, Promise { size: 50, digest: digest("q") }];
        let piece = |name: &str, size, pack, offset, length| Piece {
            digest: digest(name),
            size,
            place: Place { pack, offset, length },
        };
        let pieces =
            vec![vec![piece("a", 10, 0, 0, 9)], vec![piece("b1", LARGEST, 1, 0, 50), piece("b2", 1, 0, 90, 10)]];
        (contents, packs, pieces)
    }

    #[test]
    fn an_index_comes_back() {
        let (contents, packs, pieces) = example();
        assert_eq!(parse(&to_text(&pieces), &contents, &packs).unwrap(), pieces);
        assert_eq!(parse("strixlock-index 1\n", &[], &[]).unwrap(), Vec::<Vec<Piece>>::new());
    }

    #[test]
    fn an_index_that_leads_elsewhere_is_refused() {
        let (contents, packs, pieces) = example();
        let good = to_text(&pieces);
        for (from, to) in [
            ("0 0 9", "2 0 9"),
            ("0 0 9", "0 95 9"),
            ("0 0 9", "0 18446744073709551615 9"),
            ("0 0 9", "0 0 0"),
            ("0 0 9", "0 0 -9"),
            ("0 0 9", "0 0 9 "),
            ("0 0 9", "0 0 9 11 00"),
            ("0 90 10 1 ", "0 90 10 2 "),
            ("0 90 10 1 ", "0 90 10 0 "),
            ("0 90 10 1 ", "0 90 10 "),
            ("strixlock-index 1", "strixlock-index 2"),
        ] {
            assert!(good.contains(from));
            assert!(parse(&good.replace(from, to), &contents, &packs).is_err(), "{from} {to}");
        }
        for wrong in [format!("{good}0 0 1\n"), good.trim_end().to_owned(), format!("{good}\n"), String::new()] {
            assert!(parse(&wrong, &contents, &packs).is_err(), "{wrong}");
        }
        // A large content in one piece would need as much memory.
        let large = [Content { size: LARGEST + 1, ..contents[0].clone() }];
        assert!(parse("strixlock-index 1\n0 0 9\n", &large, &packs).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(strixlock-index 1\n)?([0-9 \n-]|[0-9a-f]{64}){0,60}") {
            let (contents, packs, _) = example();
            let _ = parse(&text, &contents, &packs);
        }
    }
}
