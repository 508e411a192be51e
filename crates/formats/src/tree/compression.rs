//! Compressions that archives come in: detection and decompression. Memory is bounded, whatever the stream asks for.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use bzip2::bufread::MultiBzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use super::foreign::{Foreign, START};
use super::gzip::Members;
use crate::error::{Error, Kind, Result};

/// 2^27 is the window of `zstd --long`; a larger one only serves to make us allocate.
const ZSTD_WINDOW_LOG: u32 = 27;
/// `xz -9` needs 65 MiB to decompress.
const XZ_MEMORY: u64 = 128 << 20;

/// A compression that archives come in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// No compression.
    Plain,
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// Zstandard.
    Zstd,
    /// bzip2, in old packages; not detected elsewhere.
    Bzip2,
    /// LZMA without xz's container, in old packages; not detected elsewhere.
    Lzma,
}

impl Compression {
    /// Detects the compression by the first bytes of a stream and returns it with the whole stream; `None` if the
    /// stream is empty. Fails if the bytes are those of another compression or of another kind of file.
    pub fn detect<'r>(mut stream: impl Read + 'r) -> Result<Option<(Self, impl BufRead + 'r)>> {
        let mut start = Vec::new();
        (&mut stream).take(START).read_to_end(&mut start)?;
        let found = match &*start {
            [] => return Ok(None),
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or a skippable frame: some programs begin their streams with private ones.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => match Foreign::of(&start) {
                Some(foreign) => return Err(foreign.refused()),
                None => Self::Plain,
            },
        };
        Ok(Some((found, Cursor::new(start).chain(BufReader::with_capacity(64 * 1024, stream)))))
    }

    /// Returns the decompressed stream. A stream may consist of several compressed parts.
    pub fn decoder<'r>(self, stream: impl BufRead + 'r) -> Result<Box<dyn Read + 'r>> {
        Ok(match self {
            Self::Plain => Box::new(stream),
            Self::Gzip => Box::new(Members::new(stream)),
            Self::Xz => {
                let decoder = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED).map_err(std::io::Error::from)?;
                Box::new(XzDecoder::new_stream(stream, decoder))
            }
            Self::Bzip2 => Box::new(MultiBzDecoder::new(stream)),
            Self::Lzma => {
                let decoder = Stream::new_lzma_decoder(XZ_MEMORY).map_err(std::io::Error::from)?;
                Box::new(XzDecoder::new_stream(stream, decoder))
            }
            Self::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(stream)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
        })
    }
}

/// Converts an error from reading a compressed stream. Errors of the system and our own that passed through stay as
/// they are; all others come from a decompressor, so they mean that `what` is damaged.
pub(crate) fn broken(what: &str, error: io::Error) -> Error {
    let of_the_system = error.raw_os_error().is_some();
    let error = Error::from(error);
    if error.kind() == Kind::Failure && !of_the_system {
        Error::new(Kind::Mismatch, format!("{what} is damaged")).because(&error)
    } else {
        error
    }
}
