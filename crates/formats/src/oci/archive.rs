//! Reads the archive in a layer's blob.
//!
//! A blob has a digest, by which registries serve it. The archive in it has another one, the diff id, which only
//! stands in the image's configuration. No registry verifies that one, but engines do when they unpack a layer, so
//! everything that uses a layer here does too.

use std::io::{self, Read};
use std::path::Path;

use super::{LayerKind, layer_kind};
use crate::digest::{HashingReader, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::tree::{Compression, Packed, broken};

/// Longest archive that is read, in bytes: ten times what the largest images hold together.
const MOST: u64 = 256 << 30;

/// A layer in a file.
#[derive(Debug, Clone, Copy)]
pub struct LayerFile<'a> {
    /// Its path.
    pub path: &'a Path,
    /// The media type that its manifest gives.
    pub media_type: &'a str,
    /// The expected digest of the archive in it.
    pub diff_id: Sha256Digest,
}

impl LayerFile<'_> {
    /// Returns the name of the layer for messages; its index counts from 0 for the lowest.
    #[must_use]
    pub fn called(&self, index: usize) -> String {
        format!("layer {} ({})", index + 1, self.diff_id)
    }

    /// Passes the archive to `with`, which must read all of it, and verifies the diff id. Fails if the compression
    /// is not that of the media type.
    pub fn read<T>(&self, with: impl FnOnce(&mut dyn Read) -> Result<T>) -> Result<T> {
        let file = fs_err::File::open(self.path)?;
        let packed = Packed::new(file);
        let bound = packed.bound();
        let Some((found, stream)) = Compression::detect(packed)? else {
            return Err(Error::new(Kind::Invalid, "the layer is empty"));
        };
        let said = match layer_kind(self.media_type)? {
            LayerKind::Plain => Compression::Plain,
            LayerKind::Compressed(super::Compression::Gzip) => Compression::Gzip,
            LayerKind::Compressed(super::Compression::Zstd) => Compression::Zstd,
        };
        if said != found {
            return Err(Error::new(Kind::Mismatch, "the layer's compression differs from its media type")
                .fact("media type", self.media_type)
                .fact("found", format!("{found:?}").to_lowercase()));
        }
        let mut archive = HashingReader::new(bound.over(found.decoder(stream)?));
        let made = with(&mut archive)?;
        let (diff_id, _) = archive.finish();
        if diff_id != self.diff_id {
            return Err(Error::new(Kind::Mismatch, "the layer does not match its diff id")
                .fact("diff id", self.diff_id)
                .fact("found", diff_id));
        }
        Ok(made)
    }

    /// Verifies compression and diff id without unpacking. Needs no memory beyond the decompressor's.
    pub fn check(&self) -> Result<()> {
        self.read(|archive| {
            // Reading one byte more shows that the archive is too long.
            let size =
                io::copy(&mut archive.take(MOST + 1), &mut io::sink()).map_err(|error| broken("the layer", error))?;
            if size > MOST {
                return Err(Error::new(Kind::Invalid, "the layer unpacks to more than 256 GiB"));
            }
            Ok(())
        })
    }
}
