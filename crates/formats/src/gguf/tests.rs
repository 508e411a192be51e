use std::io::Cursor as Memory;

use proptest::prelude::*;

use super::*;
use strixlock_demo::gguf_maker::{GgufWriter, Shape, model};

fn read(bytes: &[u8]) -> Result<Header> {
    Header::read(Memory::new(bytes), bytes.len() as u64)
}

/// Returns the facts of a file that is a whole model.
fn summary(bytes: &[u8]) -> String {
    Gguf::of(&[read(bytes).unwrap()]).unwrap().summary()
}

/// Returns the reader's error: the fault and its offset.
fn fault(bytes: &[u8]) -> String {
    let error = read(bytes).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    let json = error.to_json();
    format!("{} at {}", json["facts"][0]["value"].as_str().unwrap(), json["facts"][1]["value"].as_str().unwrap())
}

fn small(fill: impl FnOnce(&mut GgufWriter)) -> Vec<u8> {
    let mut writer = GgufWriter::default();
    fill(&mut writer);
    writer.bytes()
}

/// Returns a header with these counts, and the bytes that follow it.
fn head(tensors: u64, pairs: u64, rest: &[&[u8]]) -> Vec<u8> {
    let mut bytes = [MAGIC.as_slice(), &3u32.to_le_bytes(), &tensors.to_le_bytes(), &pairs.to_le_bytes()].concat();
    bytes.extend(rest.concat());
    bytes
}

const LLAMA: &str = "general.architecture";

#[test]
fn facts_are_found_wherever_they_stand() {
    // llama-quantize appends the pairs that it changes, after the vocabulary.
    let bytes = small(|writer| {
        writer.u32("gemma3.context_length", 32_768);
        writer.u64("clip.context_length", 77);
        writer.strings("tokenizer.ggml.tokens", &vec!["a".to_owned(); 5000]);
        writer.floats("tokenizer.ggml.scores", &vec![0.0; 5000]);
        writer.string(LLAMA, "gemma3");
        writer.u32("general.file_type", 15);
        writer.tensor("output.weight", &[3, 5, 2], vec![0.0; 30]);
        writer.tensor("one", &[], vec![0.0]);
    });
    assert_eq!(summary(&bytes), "gemma3, Q4_K_M, context 32768, 2 tensors, 31 parameters");
    let part = Header { tensors: 3, parameters: 10, ..Header::default() };
    let facts = Gguf::of(&[read(&bytes).unwrap(), part.clone(), part]).unwrap();
    assert_eq!(facts.summary(), "gemma3, Q4_K_M, context 32768, 8 tensors, 51 parameters");
}

#[test]
fn what_is_not_said_is_not_made_up() {
    let bytes = small(|writer| {
        writer.string(LLAMA, "llama");
        writer.u32("gemma3.context_length", 32_768);
    });
    assert_eq!(summary(&bytes), "llama, 0 tensors, 0 parameters");
    let bytes = small(|writer| writer.u32("general.file_type", 15));
    assert_eq!(Gguf::of(&[read(&bytes).unwrap()]), None);
    assert_eq!(Gguf::of(&[]), None);
}

#[test]
fn values_of_another_type_say_nothing_and_spoil_nothing() {
    let bytes = small(|writer| {
        writer.string("general.file_type", "F16");
        writer.string("clip.context_length", "long");
        writer.f32("llama.context_length", 0.5);
        writer.integers("split.no", &[1, 2]);
        writer.string("split.count", "two");
        writer.string(LLAMA, "llama");
    });
    assert_eq!(summary(&bytes), "llama, 0 tensors, 0 parameters");
    assert_eq!(read(&bytes).unwrap().part, None);
}

#[test]
fn the_place_in_a_split_model_is_read() {
    let part = |no: u32, count: u32| {
        small(|writer| {
            writer.u32("split.no", no);
            writer.u32("split.tensors.count", 7);
            writer.u32("split.count", count);
        })
    };
    let read = |bytes: Vec<u8>| read(&bytes).unwrap().part;
    assert_eq!(read(part(1, 3)), Some(Part { number: 2, of: 3, tensors: Some(7) }));
    assert_eq!(read(part(0, 0)), None);
    assert_eq!(read(small(|writer| writer.u32("split.no", 1))), None);
}

#[test]
fn version_2_is_read_and_others_are_told_apart() {
    let mut bytes = small(|writer| writer.string(LLAMA, "llama"));
    bytes[4] = 2;
    assert!(read(&bytes).is_ok());
    bytes[4] = 1;
    assert_eq!(fault(&bytes), "unsupported version 1, expected 2 or 3 at 4");
    bytes[4..8].copy_from_slice(&3u32.to_be_bytes());
    assert_eq!(fault(&bytes), "it is for a big-endian machine at 4");
    assert_eq!(fault(b"GGML...................."), "it does not begin with `GGUF` at 0");
}

#[test]
fn counts_that_cannot_be_are_refused_at_once() {
    assert_eq!(fault(&head(u64::MAX, 0, &[])), format!("{} tensors, the limit is 1048576 at 8", u64::MAX));
    assert_eq!(fault(&head(0, 1 << 40, &[])), format!("{} pairs, the limit is 65536 at 8", 1u64 << 40));
    let huge = u64::MAX.to_le_bytes();
    let key = [1u64.to_le_bytes().as_slice(), b"k"].concat();
    let (string, array, u64s) = (8u32.to_le_bytes(), 9u32.to_le_bytes(), 10u32.to_le_bytes());
    assert_eq!(fault(&head(0, 1, &[&huge])), format!("a key of {} bytes, the limit is 65535 at 32", u64::MAX));
    assert_eq!(fault(&head(0, 1, &[&key, &string, &huge])), "a string extends beyond the end at 45 bytes at 45");
    // The product wraps around to a small number.
    let wraps = ((1u64 << 61) + 1).to_le_bytes();
    for of in [string, u64s] {
        let found = fault(&head(0, 1, &[&key, &array, &of, &wraps, &[0; 64]]));
        assert!(found.starts_with("an array") && found.contains("extends beyond the end"), "{found}");
    }
    assert_eq!(fault(&head(0, 1, &[&key, &array, &array, &[0; 64]])), "an array of arrays at 37");
    assert_eq!(fault(&head(0, 1, &[&key, &77u32.to_le_bytes()])), "unknown value type 77 at 33");
    let pair = [key.as_slice(), &string, &0u64.to_le_bytes()].concat();
    assert_eq!(fault(&head(1, 1, &[&pair])), "the list of tensors extends beyond the end at 45 bytes at 45");
    assert_eq!(read(&head(0, 1, &[&pair, &[0; 8]])).unwrap(), Header::default());
}

#[test]
fn a_header_longer_than_any_is_refused_however_large_the_file_is() {
    let key = [1u64.to_le_bytes().as_slice(), b"k"].concat();
    let bytes = head(0, 1, &[&key, &9u32.to_le_bytes(), &0u32.to_le_bytes(), &(1u64 << 40).to_le_bytes()]);
    let error = Header::read(Memory::new(&bytes), 1 << 50).unwrap_err().to_string();
    assert!(error.contains("an array lies beyond 268435456 bytes, the limit of a header"), "{error}");
}

#[test]
fn tensors_that_cannot_be_are_refused() {
    let begin = small(|writer| writer.string(LLAMA, "llama"));
    let tensor = |dimensions: u32, sizes: &[u64]| {
        let mut bytes = begin.clone();
        bytes.truncate(24 + 8 + LLAMA.len() + 4 + 8 + 5);
        bytes[8] = 1;
        bytes.extend(0u64.to_le_bytes());
        bytes.extend(dimensions.to_le_bytes());
        bytes.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
        bytes.extend([0; 12]);
        bytes
    };
    assert_eq!(read(&tensor(2, &[3, 4])).unwrap().parameters, 12);
    assert_eq!(fault(&tensor(5, &[1; 5])), "a tensor of 5 dimensions, the limit is 4 at 69");
    assert_eq!(fault(&tensor(2, &[1 << 32, 1 << 32])), "a tensor with too many elements at 69");
}

#[test]
fn values_of_another_meaning_are_refused() {
    for (bytes, found) in [
        (small(|writer| writer.u32(LLAMA, 1)), "the architecture is not a string at 24"),
        (small(|writer| writer.string(LLAMA, "a\n| b")), "the architecture is not a plain word at 24"),
        (small(|writer| (0..2).for_each(|_| writer.string(LLAMA, "a"))), "duplicate key `general.architecture` at 65"),
        (
            small(|writer| (0..2).for_each(|_| writer.u32("a.context_length", 1))),
            "duplicate key `a.context_length` at 56",
        ),
    ] {
        assert_eq!(fault(&bytes), found);
    }
}

#[test]
fn a_file_is_read_and_another_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    fs_err::write(&path, model(Shape::default())).unwrap();
    assert_eq!(Header::open(&path).unwrap().unwrap().architecture.as_deref(), Some("llama"));
    fs_err::write(&path, "GG").unwrap();
    assert_eq!(Header::open(&path).unwrap(), None);
    fs_err::write(&path, "GGUF").unwrap();
    // The error names the file's origin rather than its path in the store.
    let error = Header::open(&path).unwrap_err().to_string();
    assert!(!error.contains(path.to_str().unwrap()) && error.contains("offset"), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
        let _ = read(&head(0, 3, &[&bytes]));
    }

    #[test]
    fn a_damaged_or_shortened_header_gives_an_answer(at in 0usize..6000, byte: u8, end in 0usize..6000) {
        let mut bytes = small(|writer| {
            writer.string(LLAMA, "llama");
            writer.strings("tokenizer.ggml.tokens", &vec!["ab".to_owned(); 300]);
            writer.u32("llama.context_length", 8);
            (0..20).for_each(|_| writer.tensor("t", &[2, 2], vec![0.0; 4]));
        });
        let ends: Vec<usize> = (0..=bytes.len()).collect();
        let header = ends.partition_point(|end| read(&bytes[..*end]).is_err());
        prop_assert!(header > 3500, "{header}");
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = read(&bytes);
        bytes.truncate(end);
        if end < header && at > end {
            prop_assert!(read(&bytes).is_err());
        }
    }
}
