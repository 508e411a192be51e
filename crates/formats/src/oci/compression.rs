//! Compression of layers: method, level and library, since all three show in the bytes.

use std::io::{self, Write};

use flate2::GzBuilder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A compression of layers. The level is fixed, because it shows in the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Zstandard, level 6, with a checksum.
    #[default]
    Zstd,
    /// gzip, level 6, without name and time: for engines that do not know zstd in images.
    Gzip,
}

/// The level of zstd. A layer is compressed once and downloaded many times. On processors without SHA instructions
/// hashing takes as long as level 3, so it costs nothing beside this one.
const ZSTD_LEVEL: i32 = 6;
/// The version of libzstd.
const ZSTD: &str = "1.5.7";
/// The level of gzip.
const GZIP_LEVEL: u32 = 6;
/// The version of zlib-rs, which flate2 uses.
const ZLIB_RS: &str = "0.6.8";

/// Everything about a compression that shows in the bytes, for a derivation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compressor {
    method: Compression,
    level: i32,
    /// The library and its version.
    library: String,
}

impl Compression {
    /// Returns the name in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// Returns the media type of a layer with this compression.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        }
    }

    /// Returns the exact compressor.
    #[must_use]
    pub fn compressor(self) -> Compressor {
        let (level, library) = match self {
            Self::Zstd => (ZSTD_LEVEL, format!("libzstd {ZSTD}")),
            Self::Gzip => (GZIP_LEVEL as i32, format!("zlib-rs {ZLIB_RS}")),
        };
        Compressor { method: self, level, library }
    }
}

/// Fails for another libzstd than the one that derivations name. A build may be linked with the system's own, and
/// each version compresses to other bytes.
fn demand_zstd(found: &str) -> Result<()> {
    if found == ZSTD {
        return Ok(());
    }
    Err(Error::failure("this strixlock was built with the wrong version of libzstd")
        .fact("needed", ZSTD)
        .fact("found", found)
        .hint("build it without ZSTD_SYS_USE_PKG_CONFIG, or give the image compression = \"gzip\""))
}

/// A writer that compresses.
pub(super) enum Encoder<W: Write> {
    Zstd(zstd::Encoder<'static, W>),
    Gzip(GzEncoder<W>),
}

impl<W: Write> Encoder<W> {
    pub(super) fn new(compression: Compression, out: W, threads: u32) -> Result<Self> {
        Ok(match compression {
            Compression::Gzip => Self::Gzip(GzBuilder::new().write(out, flate2::Compression::new(GZIP_LEVEL))),
            Compression::Zstd => {
                demand_zstd(zstd::zstd_safe::version_string())?;
                let mut encoder = zstd::Encoder::new(out, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                encoder.multithread(threads.max(1))?;
                Self::Zstd(encoder)
            }
        })
    }

    pub(super) fn finish(self) -> Result<W> {
        match self {
            Self::Zstd(encoder) => encoder.finish(),
            Self::Gzip(encoder) => encoder.finish(),
        }
        .map_err(Error::from)
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_libzstd_is_refused() {
        demand_zstd(zstd::zstd_safe::version_string()).unwrap();
        let error = demand_zstd("1.5.6").unwrap_err().to_string();
        assert!(error.contains("needed  1.5.7") && error.contains("found   1.5.6"), "{error}");
    }

    #[test]
    fn the_libraries_are_those_that_the_program_is_built_with() {
        let lock = include_str!("../../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"zlib-rs\"\nversion = \"{ZLIB_RS}\"\n")));
        let shown = |compression: Compression| serde_json::to_value(compression.compressor()).unwrap();
        let zstd = serde_json::json!({ "method": "zstd", "level": 6, "library": "libzstd 1.5.7" });
        assert_eq!(shown(Compression::Zstd), zstd);
        let gzip = serde_json::json!({ "method": "gzip", "level": 6, "library": "zlib-rs 0.6.8" });
        assert_eq!(shown(Compression::Gzip), gzip);
    }
}
