//! Ranges of packs: pieces that stand near each other are asked for together.
//!
//! Ranges form runs. A large file begins a run, and its ranges are received one after the other: so its bytes come in
//! order, and are hashed as they pass. Small files share a range.

use crate::digest::Promise;
use crate::remote::index::Piece;

/// Greatest gap between two pieces that are asked for together, in bytes: what a connection moves while a request is on
/// its way.
const GAP: u64 = 64 << 10;
/// Greatest length of a range. Every thread holds one in memory.
const LONGEST: u64 = 8 << 20;

/// A range of a pack.
#[derive(Debug, PartialEq, Eq)]
pub struct Span {
    /// Number of the pack.
    pub pack: usize,
    /// Its first byte.
    pub offset: u64,
    /// Its length.
    pub length: u64,
    /// The pieces in it.
    pub pieces: Vec<Piece>,
}

impl Span {
    fn of(piece: Piece) -> Self {
        let place = piece.place;
        Self { pack: place.pack, offset: place.offset, length: place.length, pieces: vec![piece] }
    }

    /// Returns true if pieces from `begin` to `end` of a pack can be asked for with these.
    fn has_room(&self, pack: usize, begin: u64, end: u64) -> bool {
        self.pack == pack && begin <= self.offset + self.length + GAP && end.saturating_sub(self.offset) <= LONGEST
    }

    fn add(&mut self, piece: Piece) {
        self.length = self.length.max(piece.place.offset + piece.place.length - self.offset);
        self.pieces.push(piece);
    }
}

/// Returns the ranges that hold all pieces, in runs, the longest run first. All ranges lie within their packs.
/// `file` returns the number of the file that a piece is for.
pub fn runs(pieces: impl Iterator<Item = Piece>, packs: &[Promise], file: impl Fn(&Piece) -> usize) -> Vec<Vec<Span>> {
    let mut pieces: Vec<Piece> = pieces.collect();
    pieces.sort_by_key(|piece| (piece.place, piece.digest));
    debug_assert!(pieces.iter().all(|Piece { place, .. }| place.offset + place.length <= packs[place.pack].size));
    let mut runs: Vec<Vec<Span>> = Vec::new();
    for together in pieces.chunk_by(|one, next| one.place.pack == next.place.pack && file(one) == file(next)) {
        let begin = together[0].place;
        let end = together.iter().map(|Piece { place, .. }| place.offset + place.length).max().unwrap_or_default();
        let last = runs.last_mut().and_then(|run| run.last_mut());
        match last.filter(|span| span.has_room(begin.pack, begin.offset, end)) {
            Some(span) => together.iter().for_each(|piece| span.add(*piece)),
            None => runs.push(cut(together)),
        }
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.iter().map(|span| span.length).sum::<u64>()));
    runs
}

/// Returns the ranges of pieces that are sorted by their places.
fn cut(pieces: &[Piece]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for piece in pieces {
        let place = piece.place;
        match spans.last_mut() {
            Some(span) if span.has_room(place.pack, place.offset, place.offset + place.length) => span.add(*piece),
            _ => spans.push(Span::of(*piece)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;
    use crate::remote::index::Place;

    fn packs() -> [Promise; 2] {
        [Promise { size: 100 << 20, digest: Sha256Digest::of(b"") }; 2]
    }

    fn piece(pack: usize, offset: u64, length: u64) -> Piece {
        Piece { digest: Sha256Digest::of(&offset.to_le_bytes()), size: 1, place: Place { pack, offset, length } }
    }

    #[test]
    fn neighbours_are_asked_for_together() {
        let far = 10 + GAP + 1;
        let pieces =
            [piece(1, 0, 5), piece(0, 10, 10), piece(0, 0, 10), piece(0, 20 + GAP, 1), piece(0, 30 + 2 * GAP, far)];
        let mut spans: Vec<Span> = runs(pieces.into_iter(), &packs(), |piece| piece.place.offset as usize)
            .into_iter()
            .flat_map(|run| {
                assert_eq!(run.len(), 1);
                run
            })
            .collect();
        spans.sort_by_key(|span| (span.pack, span.offset));
        let short: Vec<_> = spans.iter().map(|span| (span.pack, span.offset, span.length, span.pieces.len())).collect();
        assert_eq!(short, [(0, 0, 21 + GAP, 3), (0, 30 + 2 * GAP, far, 1), (1, 0, 5, 1)]);
    }

    #[test]
    fn a_range_fits_in_memory_and_a_large_file_is_one_run() {
        // Ten small files, one of 70 MiB, and ten small ones.
        let pieces = (0..90).map(|number| piece(0, number << 20, 1 << 20));
        let file = |piece: &Piece| match piece.place.offset >> 20 {
            10..80 => 10,
            other => other as usize,
        };
        let runs = runs(pieces, &packs(), file);
        assert!(runs.iter().flatten().all(|span| span.length <= LONGEST));
        let counts: Vec<Vec<usize>> =
            runs.iter().map(|run| run.iter().map(|span| span.pieces.len()).collect()).collect();
        // The large file's last range has room for two of the small ones behind it.
        assert_eq!(counts, [vec![8, 8, 8, 8, 8, 8, 8, 8, 8], vec![8], vec![8], vec![2]]);
        assert!(runs[0].iter().flat_map(|span| &span.pieces).is_sorted_by_key(|piece| piece.place));
    }
}
