//! An archive that is an OCI image layout too: each lock is an artifact (see `artifact`), whose layers are the blobs that
//! it needs.
//!
//! Tools for registries copy such artifacts (`oras`, `skopeo`, `regctl`). Nothing of it is read here: the archive in the
//! same directory has everything. Form: OCI Image Format Specification 1.1, `image-layout.md`.

use serde_json::json;

use super::artifact::{ARTIFACT, called, manifest, tag};
use super::place::LARGEST_LOCK;
use super::{Archive, ArchivedLock, Piece};
use crate::digest::{Promise, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::inputs::Kept;
use crate::oci::artifact::EMPTY_CONFIG;
use crate::oci::document::{INDEX, MANIFEST, REF_NAME, write};

/// The documents of a layout.
pub(super) struct Layout {
    /// The index.
    pub index: Vec<u8>,
    /// Manifests, locks and the empty configuration, which stand among the blobs.
    pub blobs: Vec<Vec<u8>>,
}

/// Makes an archive a layout, which every later change keeps up to date.
pub fn make_layout(archive: &Archive) -> Result<()> {
    archive.write(&Piece::OciLayout, br#"{"imageLayoutVersion":"1.0.0"}"#)
}

/// Returns the documents of an archive, if it is a layout.
pub(super) fn documents(archive: &Archive, locks: &[ArchivedLock]) -> Result<Option<Layout>> {
    if archive.size(&Piece::OciLayout).is_none() {
        return Ok(None);
    }
    let mut blobs = vec![EMPTY_CONFIG.to_vec()];
    let mut manifests = Vec::new();
    for one in locks {
        let Ok(lock) = &one.lock else { continue };
        let own = Promise { size: archive.size(&Piece::Lock(one.digest)).unwrap_or(0), digest: one.digest };
        let manifest = manifest(lock, own, |name, kept| blob(archive, name, kept))?;
        manifests.push(json!({
            "mediaType": MANIFEST, "digest": Sha256Digest::of(&manifest), "size": manifest.len(),
            "artifactType": ARTIFACT, "annotations": { REF_NAME: tag(one.digest) },
        }));
        blobs.extend([manifest, archive.read(&Piece::Lock(one.digest), LARGEST_LOCK)?]);
    }
    let index = write(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }))?;
    Ok(Some(Layout { index, blobs }))
}

/// Returns the blob that holds a part.
fn blob(archive: &Archive, name: &str, kept: &Kept) -> Result<Promise> {
    let pieces = archive.held(kept).unwrap_or_default();
    let blob = pieces.into_iter().find_map(|piece| match piece {
        Piece::Blob(digest) => Some(Promise { size: archive.size(&piece).unwrap_or(0), digest }),
        _ => None,
    });
    blob.ok_or_else(|| {
        Error::new(Kind::Usage, "a layout has whole files, and the archive has this one as a tree")
            .about(name)
            .fact("file", crate::text::visible(&called(kept)))
            .hint("archive the lock without --cold first, or use another directory")
    })
}
