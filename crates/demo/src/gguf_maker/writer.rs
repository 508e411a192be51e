//! Writes GGUF, version 3: see [`crate::gguf`] for the format.

/// Alignment of tensors, in bytes (the format's default `general.alignment`).
const ALIGNMENT: usize = 32;

const U16: u32 = 2;
const U32: u32 = 4;
const I32: u32 = 5;
const F32: u32 = 6;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;
const U64: u32 = 10;

/// A GGUF file in the making.
#[derive(Debug, Clone, Default)]
pub struct GgufWriter {
    pairs: Vec<Vec<u8>>,
    tensors: Vec<Tensor>,
}

/// Name, sizes and numbers.
type Tensor = (String, Vec<u64>, Vec<f32>);

impl GgufWriter {
    fn pair(&mut self, key: &str, kind: u32, value: impl AsRef<[u8]>) {
        let mut pair = string(key);
        pair.extend(kind.to_le_bytes());
        pair.extend(value.as_ref());
        self.pairs.push(pair);
    }

    /// Adds a pair in the bytes of the format.
    pub(crate) fn raw(&mut self, pair: Vec<u8>) {
        self.pairs.push(pair);
    }

    /// Adds an unsigned 16-bit number.
    pub fn u16(&mut self, key: &str, value: u16) {
        self.pair(key, U16, value.to_le_bytes());
    }

    /// Adds a signed 32-bit number.
    pub fn i32(&mut self, key: &str, value: i32) {
        self.pair(key, I32, value.to_le_bytes());
    }

    /// Adds an unsigned 32-bit number.
    pub fn u32(&mut self, key: &str, value: u32) {
        self.pair(key, U32, value.to_le_bytes());
    }

    /// Adds an unsigned 64-bit number.
    pub fn u64(&mut self, key: &str, value: u64) {
        self.pair(key, U64, value.to_le_bytes());
    }

    /// Adds a 32-bit float.
    pub fn f32(&mut self, key: &str, value: f32) {
        self.pair(key, F32, value.to_le_bytes());
    }

    /// Adds a boolean.
    pub fn flag(&mut self, key: &str, value: bool) {
        self.pair(key, BOOL, [u8::from(value)]);
    }

    /// Adds a string.
    pub fn string(&mut self, key: &str, value: &str) {
        self.pair(key, STRING, string(value));
    }

    /// Adds an array of strings.
    pub fn strings(&mut self, key: &str, values: &[String]) {
        self.array(key, STRING, values.iter().map(|value| string(value)));
    }

    /// Adds an array of 32-bit floats.
    pub fn floats(&mut self, key: &str, values: &[f32]) {
        self.array(key, F32, values.iter().map(|value| value.to_le_bytes()));
    }

    /// Adds an array of signed 32-bit numbers.
    pub fn integers(&mut self, key: &str, values: &[i32]) {
        self.array(key, I32, values.iter().map(|value| value.to_le_bytes()));
    }

    fn array<T: AsRef<[u8]>>(&mut self, key: &str, of: u32, values: impl ExactSizeIterator<Item = T>) {
        let mut bytes = of.to_le_bytes().to_vec();
        bytes.extend((values.len() as u64).to_le_bytes());
        values.for_each(|value| bytes.extend(value.as_ref()));
        self.pair(key, ARRAY, bytes);
    }

    /// Adds a tensor of 32-bit floats. `sizes` gives the fastest dimension first.
    pub fn tensor(&mut self, name: &str, sizes: &[u64], numbers: Vec<f32>) {
        self.tensors.push((name.to_owned(), sizes.to_vec(), numbers));
    }

    /// Returns the files into which `llama-gguf-split --split-max-tensors` splits this one: the first has all
    /// pairs, the tensors follow in order, and each file's header has its place.
    #[must_use]
    pub fn split(&self, tensors: usize) -> Vec<Vec<u8>> {
        let chunks: Vec<_> = self.tensors.chunks(tensors.max(1)).collect();
        let part = |(number, chunk): (usize, &&[Tensor])| {
            let pairs = if number == 0 { self.pairs.clone() } else { Vec::new() };
            let mut part = Self { pairs, tensors: chunk.to_vec() };
            part.u16("split.no", number as u16);
            part.i32("split.tensors.count", self.tensors.len() as i32);
            part.u16("split.count", chunks.len() as u16);
            part.bytes()
        };
        chunks.iter().enumerate().map(part).collect()
    }

    /// Returns the whole file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = crate::gguf::MAGIC.to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.pairs.len() as u64).to_le_bytes());
        self.pairs.iter().for_each(|pair| bytes.extend(pair));
        let mut offset = 0u64;
        for (name, sizes, numbers) in &self.tensors {
            bytes.extend(string(name));
            bytes.extend((sizes.len() as u32).to_le_bytes());
            bytes.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
            // The tensor type F32 is 0.
            bytes.extend(0u32.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
            offset += (numbers.len() as u64 * 4).next_multiple_of(ALIGNMENT as u64);
        }
        for (_, _, numbers) in &self.tensors {
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
            bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes
    }
}

/// Returns the number of tokens if a pair is the list of tokens, else 0.
pub(super) fn tokens_of(pair: &[u8]) -> u64 {
    let head = [string("tokenizer.ggml.tokens"), ARRAY.to_le_bytes().to_vec(), STRING.to_le_bytes().to_vec()].concat();
    let count = pair.strip_prefix(head.as_slice()).and_then(|rest| rest.first_chunk::<8>());
    count.map_or(0, |count| u64::from_le_bytes(*count))
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}
