//! Packs that a remote has, and the pieces that are known to be in them, so that they are not sent again.
//!
//! A pack is one blob: as long as one tree references it, the remote keeps all of it. So a pack of which little is used
//! any more is left behind, and what is used of it is sent once more:
//! * less than a quarter of it is used by the trees of this push. By then three quarters were new, so all that is sent
//!   twice is at most a third of what is sent once; and a tree needs at most four times its own size.
//! * more than [`MOST_SMALL`] packs have little in use: each costs a request or two, and the list must not grow with
//!   every nightly.

use std::collections::{HashMap, HashSet};

use super::index::{Content, Piece, Place};
use super::piece::Cut;
use crate::digest::{Promise, Sha256Digest};

/// The part of a pack that must be in use: one of so many.
const LEAST_USED: u64 = 4;
/// Number of bytes in use below which a pack is small.
const SMALL: u64 = 16 << 20;
/// Greatest number of small packs that are referenced.
const MOST_SMALL: usize = 32;

/// Packs, and what is in them. The packs of places are numbered in the order of `packs`.
#[derive(Debug, Default)]
pub struct Known {
    packs: Vec<Promise>,
    contents: HashMap<Sha256Digest, Vec<Piece>>,
    pieces: HashMap<Sha256Digest, Piece>,
}

impl Known {
    /// Adds the packs of a tree. What is known already stays where it is.
    pub fn add_tree(&mut self, contents: &[Content], pieces: Vec<Vec<Piece>>, packs: &[Promise]) {
        let numbers: Vec<usize> = packs.iter().map(|pack| self.number(*pack)).collect();
        for (content, mut pieces) in contents.iter().zip(pieces) {
            for piece in &mut pieces {
                piece.place.pack = numbers[piece.place.pack];
                self.pieces.entry(piece.digest).or_insert(*piece);
            }
            self.contents.entry(content.digest).or_insert(pieces);
        }
    }

    /// Returns the number of a pack, which is added if it is new.
    fn number(&mut self, pack: Promise) -> usize {
        self.packs.iter().position(|known| *known == pack).unwrap_or_else(|| {
            self.packs.push(pack);
            self.packs.len() - 1
        })
    }

    /// Adds a new pack with these pieces, in order, each with its compressed length.
    pub fn add_pack(&mut self, pack: Promise, pieces: impl IntoIterator<Item = (Cut, u64)>) {
        let (pack, mut offset) = (self.number(pack), 0);
        for (Cut { digest, size }, length) in pieces {
            self.pieces.insert(digest, Piece { digest, size, place: Place { pack, offset, length } });
            offset += length;
        }
    }

    /// Returns all packs.
    #[must_use]
    pub fn packs(&self) -> &[Promise] {
        &self.packs
    }

    /// Returns whether the packs have all of a content.
    #[must_use]
    pub fn has(&self, content: Sha256Digest) -> bool {
        self.contents.contains_key(&content)
    }

    /// Returns whether the packs have a piece.
    #[must_use]
    pub fn has_piece(&self, piece: Sha256Digest) -> bool {
        self.pieces.contains_key(&piece)
    }

    /// Returns the pieces of a content, if the packs have all of them. `cuts` are the pieces of contents that were cut.
    #[must_use]
    pub fn pieces(&self, content: Sha256Digest, cuts: &HashMap<Sha256Digest, Vec<Cut>>) -> Option<Vec<Piece>> {
        let known = self.contents.get(&content).cloned();
        known.or_else(|| cuts.get(&content)?.iter().map(|cut| self.pieces.get(&cut.digest).copied()).collect())
    }

    /// Forgets the packs of which too little is used by these contents.
    pub fn forget_unused(&mut self, wanted: &[Content], cuts: &HashMap<Sha256Digest, Vec<Cut>>) {
        let mut places: HashSet<Place> = HashSet::new();
        for content in wanted {
            let known = self.contents.get(&content.digest).into_iter().flatten();
            let cut = cuts.get(&content.digest).into_iter().flatten();
            places.extend(known.chain(cut.filter_map(|cut| self.pieces.get(&cut.digest))).map(|piece| piece.place));
        }
        let mut used = vec![0; self.packs.len()];
        for place in places {
            used[place.pack] += place.length;
        }
        let mut small: Vec<usize> = (0..used.len()).filter(|pack| used[*pack] < SMALL).collect();
        small.sort_by_key(|pack| std::cmp::Reverse(used[*pack]));
        let small: HashSet<usize> = small.into_iter().skip(MOST_SMALL).collect();
        let sizes: Vec<u64> = self.packs.iter().map(|pack| pack.size).collect();
        self.forget(|pack| used[pack].saturating_mul(LEAST_USED) < sizes[pack] || small.contains(&pack));
    }

    /// Forgets what is in these packs. Their numbers stay.
    pub fn forget(&mut self, is_gone: impl Fn(usize) -> bool) {
        self.pieces.retain(|_, piece| !is_gone(piece.place.pack));
        self.contents.retain(|_, pieces| !pieces.iter().any(|piece| is_gone(piece.place.pack)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Sha256Digest {
        Sha256Digest::of(text.as_bytes())
    }

    fn content(name: &'static str) -> Content<'static> {
        Content { digest: digest(name), size: 10, path: name.as_bytes() }
    }

    /// A tree with one content a pack, of which each has `length` bytes of a pack of `size`.
    fn known(names: &[&'static str], length: u64, size: u64) -> (Known, Vec<Content<'static>>) {
        let mut known = Known::default();
        let contents: Vec<Content> = names.iter().copied().map(content).collect();
        let packs: Vec<Promise> =
            names.iter().map(|name| Promise { size, digest: digest(&format!("p{name}")) }).collect();
        let piece =
            |pack: usize| Piece { digest: contents[pack].digest, size: 10, place: Place { pack, offset: 0, length } };
        known.add_tree(&contents, (0..names.len()).map(|pack| vec![piece(pack)]).collect(), &packs);
        (known, contents)
    }

    #[test]
    fn a_pack_of_which_less_than_a_quarter_is_used_is_left_behind() {
        let none = HashMap::new();
        for (length, size, stays) in [(25, 100, true), (24, 100, false), (100, 100, true)] {
            let (mut known, contents) = known(&["a"], length, size);
            known.forget_unused(&contents, &none);
            assert_eq!(known.has(digest("a")), stays, "{length} of {size}");
            assert_eq!(known.has_piece(digest("a")), stays);
        }
        let (mut known, _) = known(&["a", "b"], 100, 100);
        known.forget_unused(&[content("b")], &none);
        assert!(!known.has(digest("a")) && known.has(digest("b")));
    }

    #[test]
    fn a_piece_of_a_new_content_counts_as_use() {
        let (mut known, _) = known(&["a"], 100, 100);
        let cuts = HashMap::from([(digest("new"), vec![Cut { digest: digest("a"), size: 10 }])]);
        known.forget_unused(&[content("new")], &cuts);
        assert_eq!(known.pieces(digest("new"), &cuts).unwrap()[0].place.pack, 0);
    }

    #[test]
    fn the_number_of_small_packs_does_not_grow() {
        let names: Vec<&'static str> = (0..100).map(|number| &*format!("{number}").leak()).collect();
        let (mut known, contents) = known(&names, 100, 100);
        known.forget_unused(&contents, &HashMap::new());
        assert_eq!(names.iter().filter(|name| known.has(digest(name))).count(), MOST_SMALL);
    }

    #[test]
    fn packs_of_two_trees_are_numbered_together() {
        let (mut known, contents) = known(&["a", "b"], 100, 100);
        let packs: Vec<Promise> = known.packs().iter().rev().copied().collect();
        let piece = Piece { digest: digest("c"), size: 10, place: Place { pack: 0, offset: 5, length: 5 } };
        known.add_tree(&[content("c"), contents[0].clone()], vec![vec![piece], vec![piece]], &packs);
        assert_eq!(known.packs().len(), 2);
        assert_eq!(known.pieces(digest("c"), &HashMap::new()).unwrap()[0].place.pack, 1);
        assert_eq!(known.pieces(digest("a"), &HashMap::new()).unwrap()[0].place.pack, 0, "it stays where it was");
        known.add_pack(
            Promise { size: 9, digest: digest("n") },
            [(Cut { digest: digest("x"), size: 3 }, 4), (Cut { digest: digest("y"), size: 3 }, 5)],
        );
        let cuts = HashMap::from([(digest("xy"), vec![Cut { digest: digest("y"), size: 3 }])]);
        assert_eq!(known.pieces(digest("xy"), &cuts).unwrap()[0].place, Place { pack: 2, offset: 4, length: 5 });
    }
}
