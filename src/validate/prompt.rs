//! The long text that models read in a validation: sentences that a fixed rule makes of a few words.
//!
//! Nobody else wrote it, it is the same in every version and on every machine, and it is as long as a check wants it.

use std::fmt::Write as _;

const WHO: [&str; 8] = [
    "The llama",
    "A shepherd",
    "The old bridge",
    "Her brother",
    "The river",
    "A young engineer",
    "The village",
    "Snow",
];
const DOES: [&str; 8] = ["carried", "remembered", "crossed", "measured", "sold", "counted", "followed", "covered"];
const OBJECT: [&str; 8] = [
    "the stones",
    "a letter",
    "two baskets of wool",
    "the road",
    "every roof",
    "its own shadow",
    "the market",
    "maize",
];
const CIRCUMSTANCE: [&str; 8] = [
    "before the rain",
    "in the year",
    "while the others slept",
    "near the lake",
    "for the third time",
    "without a word",
    "because it was late",
    "as people do in the mountains",
];

/// Returns a text of at least this many bytes, which ends with a sentence.
pub(super) fn text(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 128);
    let mut state = 1151_u64;
    let mut next = |of: usize| {
        // Knuth's linear congruential generator; its high bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % of as u64) as usize
    };
    let mut sentences = 0;
    while text.len() < bytes {
        let mut word = |words: [&'static str; 8]| words.get(next(8)).copied().unwrap_or_default();
        let (who, does, what, how) = (word(WHO), word(DOES), word(OBJECT), word(CIRCUMSTANCE));
        // Writing to a String cannot fail.
        let _ = if how.ends_with("year") {
            write!(text, "{who} {does} {what} {how} {}.", 1500 + next(500))
        } else {
            write!(text, "{who} {does} {what} {how}.")
        };
        sentences += 1;
        text.push(if sentences % 7 == 0 { '\n' } else { ' ' });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;

    #[test]
    fn the_text_is_the_same_everywhere_and_longer_ones_begin_with_it() {
        let long = text(65_536);
        assert!(long.is_ascii() && long.len() < 66_000 && long.ends_with(['.', ' ', '\n']), "{}", long.len());
        assert!(long.starts_with(&text(1000)));
        assert_eq!(
            Sha256Digest::of(long.as_bytes()).hex(),
            "5dec7f927df6bc69ec2393f9d5a7e9d4c2028ef8736bba8e3e92ed9ac771545c"
        );
    }
}
