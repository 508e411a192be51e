//! A SentencePiece vocabulary: control tokens, the 256 bytes, every printable ASCII character, and words with the
//! pieces that they are merged from.
//!
//! llama.cpp merges neighbours to longer pieces while the result is in the vocabulary, the best score first; so each
//! word is there with all of its prefixes.

use super::GgufWriter;

/// SentencePiece's sign for a blank.
const BLANK: char = '\u{2581}';

const WORDS: [&str; 48] = [
    "the", "of", "and", "to", "in", "is", "that", "for", "it", "as", "was", "with", "be", "by", "on", "not", "he",
    "this", "are", "or", "his", "from", "at", "which", "but", "have", "an", "had", "they", "you", "were", "their",
    "one", "all", "we", "can", "her", "has", "there", "been", "if", "more", "when", "will", "would", "who", "so",
    "llama",
];

/// Types of tokens (`enum llama_token_type`).
const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const BYTE: i32 = 6;

/// Writes the vocabulary. Returns its number of tokens.
pub(super) fn write(writer: &mut GgufWriter) -> u64 {
    let mut tokens: Vec<(String, i32)> =
        vec![("<unk>".to_owned(), UNKNOWN), ("<s>".to_owned(), CONTROL), ("</s>".to_owned(), CONTROL)];
    tokens.extend((0..=255).map(|byte| (format!("<0x{byte:02X}>"), BYTE)));
    let mut pieces: Vec<String> = std::iter::once(BLANK).chain('!'..='~').map(String::from).collect();
    for word in WORDS {
        let word = format!("{BLANK}{word}");
        for (end, _) in word.char_indices().skip(2).chain([(word.len(), ' ')]) {
            let piece = word[..end].to_owned();
            if !pieces.contains(&piece) {
                pieces.push(piece);
            }
        }
    }
    tokens.extend(pieces.into_iter().map(|piece| (piece, NORMAL)));
    let texts: Vec<String> = tokens.iter().map(|(text, _)| text.clone()).collect();
    let kinds: Vec<i32> = tokens.iter().map(|(_, kind)| *kind).collect();
    // Earlier tokens are the more frequent ones.
    let scores: Vec<f32> =
        (0..tokens.len()).map(|place| if place < 259 { 0.0 } else { 259.0 - place as f32 }).collect();
    writer.string("tokenizer.ggml.model", "llama");
    writer.string("tokenizer.ggml.pre", "default");
    writer.strings("tokenizer.ggml.tokens", &texts);
    writer.floats("tokenizer.ggml.scores", &scores);
    writer.integers("tokenizer.ggml.token_type", &kinds);
    writer.u32("tokenizer.ggml.unknown_token_id", 0);
    writer.u32("tokenizer.ggml.bos_token_id", 1);
    writer.u32("tokenizer.ggml.eos_token_id", 2);
    writer.flag("tokenizer.ggml.add_bos_token", true);
    writer.flag("tokenizer.ggml.add_eos_token", false);
    tokens.len() as u64
}
