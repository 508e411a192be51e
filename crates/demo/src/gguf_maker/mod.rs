//! Makes a language model that llama.cpp loads and runs: architecture `llama`, two small layers, pseudo-random
//! weights that are the same every time, and a SentencePiece vocabulary.
//!
//! Its output makes no sense, but is the same on every machine that computes alike, which is what a validation
//! compares.

mod vocabulary;
mod writer;

use std::path::Path;

use crate::error::Result;
use crate::gguf;
use crate::noise::Numbers;

pub use writer::GgufWriter;

/// The dimensions of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Embedding length: numbers per token.
    pub width: u64,
    /// Feed-forward length: intermediate numbers in a layer.
    pub inner: u64,
    /// Attention heads; they divide the width.
    pub heads: u64,
    /// Layers.
    pub layers: u64,
    /// Context length, in tokens.
    pub context: u64,
    /// The seed of the weights.
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self { width: 64, inner: 128, heads: 4, layers: 2, context: 512, seed: 1151 }
    }
}

/// Returns the bytes of a model with a small vocabulary of its own.
#[must_use]
pub fn model(shape: Shape) -> Vec<u8> {
    let mut writer = head(shape);
    let tokens = vocabulary::write(&mut writer);
    with_weights(writer, shape, tokens).bytes()
}

/// Returns the bytes of a model's parts, with at most `tensors` tensors each, as `llama-gguf-split` writes them.
#[must_use]
pub fn model_parts(shape: Shape, tensors: usize) -> Vec<Vec<u8>> {
    let mut writer = head(shape);
    let tokens = vocabulary::write(&mut writer);
    with_weights(writer, shape, tokens).split(tensors)
}

/// Returns the name that `llama-gguf-split` gives a part. `number` counts from 1.
#[must_use]
pub fn part_name(stem: &str, number: usize, of: usize) -> String {
    format!("{stem}-{number:05}-of-{of:05}.gguf")
}

/// Returns the bytes of a model with the vocabulary of another GGUF file, such as the files without weights in
/// llama.cpp's tests. Fails if that file is damaged.
pub fn model_with_vocabulary_of(shape: Shape, path: &Path) -> Result<Vec<u8>> {
    let mut writer = head(shape);
    let mut file = std::io::BufReader::new(fs_err::File::open(path)?);
    let size = fs_err::metadata(path)?.len();
    let mut tokens = 0;
    for pair in gguf::pairs(&mut file, size, |key| key.starts_with(b"tokenizer."))? {
        tokens = tokens.max(writer::tokens_of(&pair));
        writer.raw(pair);
    }
    Ok(with_weights(writer, shape, tokens).bytes())
}

fn head(shape: Shape) -> GgufWriter {
    let mut writer = GgufWriter::default();
    let word = |number: u64| number as u32;
    writer.string("general.architecture", "llama");
    writer.string("general.name", "strixlock demo");
    writer.u32("general.file_type", 0);
    writer.u32("llama.context_length", word(shape.context));
    writer.u32("llama.embedding_length", word(shape.width));
    writer.u32("llama.block_count", word(shape.layers));
    writer.u32("llama.feed_forward_length", word(shape.inner));
    writer.u32("llama.attention.head_count", word(shape.heads));
    writer.u32("llama.attention.head_count_kv", word(shape.heads));
    writer.u32("llama.rope.dimension_count", word(shape.width / shape.heads));
    writer.f32("llama.attention.layer_norm_rms_epsilon", 1e-5);
    writer
}

fn with_weights(mut writer: GgufWriter, Shape { width, inner, layers, seed, .. }: Shape, tokens: u64) -> GgufWriter {
    let mut numbers = Numbers(seed);
    let mut matrix = |name: &str, columns: u64, rows: u64| {
        writer.tensor(name, &[columns, rows], weights(&mut numbers, columns, rows));
    };
    matrix("token_embd.weight", width, tokens);
    matrix("output.weight", width, tokens);
    for layer in 0..layers {
        for name in ["attn_q", "attn_k", "attn_v", "attn_output"] {
            matrix(&format!("blk.{layer}.{name}.weight"), width, width);
        }
        matrix(&format!("blk.{layer}.ffn_gate.weight"), width, inner);
        matrix(&format!("blk.{layer}.ffn_up.weight"), width, inner);
        matrix(&format!("blk.{layer}.ffn_down.weight"), inner, width);
    }
    let norms =
        (0..layers).flat_map(|layer| ["attn_norm", "ffn_norm"].map(|name| format!("blk.{layer}.{name}.weight")));
    for name in norms.chain(["output_norm.weight".to_owned()]) {
        writer.tensor(&name, &[width], vec![1.0; width as usize]);
    }
    writer
}

/// Returns the weights of a matrix, scaled so that its output is about as large as its input.
fn weights(numbers: &mut Numbers, columns: u64, rows: u64) -> Vec<f32> {
    let scale = (3.0 / columns as f32).sqrt() / 32_768.0;
    let number = |_| (numbers.next() >> 48) as f32 - 32_768.0;
    (0..columns * rows).map(number).map(|number| number * scale).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::gguf::Header;

    #[test]
    fn a_model_is_the_same_every_time_and_reads_back() {
        let bytes = model(Shape::default());
        assert!(bytes == model(Shape::default()));
        assert!(bytes != model(Shape { seed: 2, ..Shape::default() }));
        let facts = Header::read(Cursor::new(&bytes), bytes.len() as u64).unwrap();
        assert_eq!((facts.architecture.as_deref(), facts.quantisation.as_deref()), (Some("llama"), Some("F32")));
        assert_eq!((facts.context, facts.tensors), (Some(512), 21));
        // The header and padding come on top of the numbers.
        assert!((bytes.len() as u64).abs_diff(facts.parameters * 4) < 40_000, "{facts:?} in {} bytes", bytes.len());
    }

    #[test]
    fn the_parts_of_a_model_are_the_model() {
        let whole = model(Shape::default());
        let whole = Header::read(Cursor::new(&whole), whole.len() as u64).unwrap();
        let parts = model_parts(Shape::default(), 8);
        let read = |bytes: &Vec<u8>| Header::read(Cursor::new(bytes), bytes.len() as u64).unwrap();
        let headers: Vec<Header> = parts.iter().map(read).collect();
        assert_eq!(headers.iter().map(|header| header.tensors).collect::<Vec<_>>(), [8, 8, 5]);
        let places: Vec<_> = headers.iter().map(|header| header.part.unwrap()).collect();
        assert!(
            places.iter().zip(1..).all(|(part, number)| (part.number, part.of, part.tensors) == (number, 3, Some(21)))
        );
        assert_eq!(headers.iter().map(|header| header.parameters).sum::<u64>(), whole.parameters);
        assert_eq!((headers[0].architecture.as_deref(), headers[1].architecture.as_deref()), (Some("llama"), None));
        assert_eq!(part_name("a/m", 2, 3), "a/m-00002-of-00003.gguf");
    }

    #[test]
    fn the_vocabulary_of_another_file_is_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vocabulary.gguf");
        let own = model(Shape::default());
        fs_err::write(&path, &own).unwrap();
        assert!(model_with_vocabulary_of(Shape::default(), &path).unwrap() == own);
    }
}
