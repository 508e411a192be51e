//! An archive that is an OCI image layout too: each lock is an artifact, whose layers are the blobs that it needs.
//!
//! Tools for registries copy such artifacts (`oras`, `skopeo`, `regctl`). Nothing of it is read here: the archive in the
//! same directory has everything. Form: OCI Image Format Specification 1.1, `image-layout.md`, and `manifest.md` for
//! artifacts without configuration.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::place::LARGEST_LOCK;
use super::{Archive, ArchivedLock, Piece};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::inputs::Kept;
use crate::oci::document::{INDEX, MANIFEST, REF_NAME};

/// The type of an artifact that is a lock with all that it needs.
const ARTIFACT: &str = "application/vnd.strixlock.archive.v1";
/// The media type of a lock.
const LOCK: &str = "application/vnd.strixlock.lock.v1+json";
/// The media type of an empty configuration, and its bytes.
const EMPTY: (&str, &[u8]) = ("application/vnd.oci.empty.v1+json", b"{}");
/// The media type of everything else.
const BYTES: &str = "application/octet-stream";
/// The annotation with the name of a file.
const TITLE: &str = "org.opencontainers.image.title";

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
    let mut blobs = vec![EMPTY.1.to_vec()];
    let mut manifests = Vec::new();
    for one in locks.iter().filter(|one| one.lock.is_ok()) {
        let manifest = serde_json::to_vec(&manifest(archive, one)?)
            .map_err(|error| Error::failure("cannot write a document").because(&error))?;
        let mut descriptor = descriptor(MANIFEST, Sha256Digest::of(&manifest), manifest.len() as u64);
        descriptor["artifactType"] = ARTIFACT.into();
        descriptor["annotations"] = json!({ REF_NAME: format!("lock-{}", &one.digest.hex()[..12]) });
        manifests.push(descriptor);
        blobs.extend([manifest, archive.read(&Piece::Lock(one.digest), LARGEST_LOCK)?]);
    }
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
    let index =
        serde_json::to_vec(&index).map_err(|error| Error::failure("cannot write a document").because(&error))?;
    Ok(Some(Layout { index, blobs }))
}

fn manifest(archive: &Archive, one: &ArchivedLock) -> Result<Value> {
    let size = archive.size(&Piece::Lock(one.digest)).unwrap_or(0);
    let mut layers = vec![titled(descriptor(LOCK, one.digest, size), "strix.lock")];
    let mut seen = BTreeSet::from([one.digest]);
    for (name, input) in one.lock.as_ref().into_iter().flat_map(|lock| &lock.inputs) {
        for kept in input.kept() {
            let called = match &kept {
                Kept::File(file) => file.name.rsplit('/').next().unwrap_or(&file.name).to_owned(),
                Kept::Commit(one) => format!("{}.pack", one.commit),
                Kept::Tree(tree) => format!("{}.tar", tree.digest.hex()),
            };
            let pieces = archive.held(&kept).unwrap_or_default();
            let blob =
                pieces.iter().find_map(|piece| if let Piece::Blob(digest) = piece { Some(*digest) } else { None });
            let Some(digest) = blob else {
                return Err(Error::new(
                    Kind::Usage,
                    "a layout has whole files, and the archive has this one as a tree",
                )
                .about(name)
                .fact("file", crate::text::visible(&called))
                .hint("archive the lock without --cold first, or use another directory"));
            };
            if seen.insert(digest) {
                let size = archive.size(&Piece::Blob(digest)).unwrap_or(0);
                layers.push(titled(descriptor(BYTES, digest, size), &format!("{name}/{called}")));
            }
        }
    }
    let empty = descriptor(EMPTY.0, Sha256Digest::of(EMPTY.1), EMPTY.1.len() as u64);
    Ok(json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": ARTIFACT, "config": empty, "layers": layers,
    }))
}

fn descriptor(media_type: &str, digest: Sha256Digest, size: u64) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

fn titled(mut descriptor: Value, title: &str) -> Value {
    descriptor["annotations"] = json!({ TITLE: title });
    descriptor
}
