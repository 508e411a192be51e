//! The kinds of layers, by their media types.

use super::Compression;
use crate::error::{Error, Kind, Result};

/// The kind of a layer: its compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// No compression.
    Plain,
    /// A compression that we also write.
    Compressed(Compression),
}

/// Returns the kind of a layer by its media type. Fails for layers that may not be distributed, and for unknown
/// types.
pub fn layer_kind(media_type: &str) -> Result<LayerKind> {
    let refused = |why: &str| {
        let shown: String = media_type.chars().filter(|c| !c.is_control()).take(100).collect();
        Error::new(Kind::Invalid, format!("unsupported layer of the image: {why}")).fact("media type", shown)
    };
    if media_type.contains("foreign") || media_type.contains("nondistributable") {
        return Err(refused("it may not be distributed, so its bytes are elsewhere"));
    }
    match media_type {
        "application/vnd.oci.image.layer.v1.tar" | "application/vnd.docker.image.rootfs.diff.tar" => {
            Ok(LayerKind::Plain)
        }
        "application/vnd.oci.image.layer.v1.tar+gzip" | "application/vnd.docker.image.rootfs.diff.tar.gzip" => {
            Ok(LayerKind::Compressed(Compression::Gzip))
        }
        "application/vnd.oci.image.layer.v1.tar+zstd" | "application/vnd.docker.image.rootfs.diff.tar.zstd" => {
            Ok(LayerKind::Compressed(Compression::Zstd))
        }
        _ => Err(refused("not a tar archive")),
    }
}

impl LayerKind {
    /// Returns the media type of OCI.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Plain => "application/vnd.oci.image.layer.v1.tar",
            Self::Compressed(compression) => compression.media_type(),
        }
    }
}
