//! The archive in a layer's blob.
//!
//! A blob has a digest of its own, the one by which registries hand it out; what is in it has another, the diff id, which stands
//! in the image's configuration alone. No registry checks that one, but engines do when they unpack a layer, so everything
//! that uses a layer here does too.

use std::io::{self, Read};
use std::path::Path;

use super::{LayerKind, layer_kind};
use crate::digest::{HashingReader, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::tree::{Compression, Packed, broken};

/// The longest archive that is looked through, in bytes: ten times what the largest images hold together.
const MOST: u64 = 256 << 30;

/// A layer in a file.
#[derive(Debug, Clone, Copy)]
pub struct LayerFile<'a> {
    /// Where it lies.
    pub path: &'a Path,
    /// What it is said to be.
    pub media_type: &'a str,
    /// The digest of the archive in it.
    pub diff_id: Sha256Digest,
}

impl LayerFile<'_> {
    /// What messages call the layer with this index, the lowest of which is 0.
    #[must_use]
    pub fn called(&self, index: usize) -> String {
        format!("layer {} ({})", index + 1, self.diff_id)
    }

    /// Gives the archive to `with`, which reads all of it, and checks that it was the one with the diff id. The compression must
    /// be the one that the media type names.
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
            return Err(Error::new(Kind::Mismatch, "the layer is not compressed as its media type says")
                .fact("media type", self.media_type)
                .fact("found", format!("{found:?}").to_lowercase()));
        }
        let mut archive = HashingReader::new(bound.over(found.decoder(stream)?));
        let made = with(&mut archive)?;
        let (diff_id, _) = archive.finish();
        if diff_id != self.diff_id {
            return Err(Error::new(Kind::Mismatch, "the layer does not hold the archive that its image names")
                .fact("diff id", self.diff_id)
                .fact("found", diff_id));
        }
        Ok(made)
    }

    /// Checks compression and diff id and unpacks nothing; needs the memory of the decompressor alone.
    pub fn check(&self) -> Result<()> {
        self.read(|archive| {
            // One byte more shows that there is more.
            let size =
                io::copy(&mut archive.take(MOST + 1), &mut io::sink()).map_err(|error| broken("the layer", error))?;
            if size > MOST {
                return Err(Error::new(Kind::Invalid, "the layer unpacks to far more than any image holds"));
            }
            Ok(())
        })
    }
}
