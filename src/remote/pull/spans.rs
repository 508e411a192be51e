//! Ranges of packs: pieces that stand near each other are asked for together.

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

/// Returns the ranges that hold all pieces. All of them lie within their packs.
pub fn spans(pieces: impl Iterator<Item = Piece>, packs: &[Promise]) -> Vec<Span> {
    let mut pieces: Vec<Piece> = pieces.collect();
    pieces.sort_by_key(|piece| (piece.place, piece.digest));
    let mut spans: Vec<Span> = Vec::new();
    for piece in pieces {
        let place = piece.place;
        debug_assert!(place.offset + place.length <= packs[place.pack].size);
        let end = place.offset + place.length;
        match spans.last_mut() {
            Some(span)
                if span.pack == place.pack
                    && place.offset <= span.offset + span.length + GAP
                    && end.saturating_sub(span.offset) <= LONGEST =>
            {
                span.length = span.length.max(end - span.offset);
                span.pieces.push(piece);
            }
            _ => spans.push(Span { pack: place.pack, offset: place.offset, length: place.length, pieces: vec![piece] }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;
    use crate::remote::index::Place;

    fn piece(pack: usize, offset: u64, length: u64) -> Piece {
        Piece { digest: Sha256Digest::of(&offset.to_le_bytes()), size: 1, place: Place { pack, offset, length } }
    }

    #[test]
    fn neighbours_are_asked_for_together() {
        let packs = [Promise { size: 100 << 20, digest: Sha256Digest::of(b"") }; 2];
        let far = 10 + GAP + 1;
        let pieces =
            [piece(1, 0, 5), piece(0, 10, 10), piece(0, 0, 10), piece(0, 20 + GAP, 1), piece(0, 30 + 2 * GAP, far)];
        let spans = spans(pieces.into_iter(), &packs);
        let short: Vec<_> = spans.iter().map(|span| (span.pack, span.offset, span.length, span.pieces.len())).collect();
        assert_eq!(short, [(0, 0, 21 + GAP, 3), (0, 30 + 2 * GAP, far, 1), (1, 0, 5, 1)]);
    }

    #[test]
    fn a_range_fits_in_memory() {
        let packs = [Promise { size: 100 << 20, digest: Sha256Digest::of(b"") }];
        let pieces = (0..90).map(|number| piece(0, number << 20, 1 << 20));
        let spans = spans(pieces, &packs);
        assert_eq!(spans.iter().map(|span| span.pieces.len()).sum::<usize>(), 90);
        assert!(spans.iter().all(|span| span.length <= LONGEST));
    }
}
