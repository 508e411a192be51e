//! A lock as an OCI artifact: a manifest whose layers are the lock and the files that it needs.
//!
//! A layout and a registry have the same manifest for the same lock and files. The title of a layer is the name of its
//! input and that of its file; packs of commits and tar archives of trees are found by theirs. Form: OCI Image Format
//! Specification 1.1, `manifest.md` for artifacts without configuration. Parsing is total and does no IO.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::Piece;
use crate::digest::{Promise, Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::inputs::Kept;
use crate::lock::Lock;
use crate::oci::Descriptor;
use crate::oci::document::{MANIFEST, write};
use crate::upstream::git::is_commit;

/// The type of an artifact that is a lock with all that it needs.
pub(super) const ARTIFACT: &str = "application/vnd.strixlock.archive.v1";
/// The media type of a lock.
const LOCK: &str = "application/vnd.strixlock.lock.v1+json";
/// The media type of an empty configuration.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// That configuration.
pub(super) const EMPTY_CONFIG: &[u8] = b"{}";
/// The media type of everything else.
const BYTES: &str = "application/octet-stream";
/// The annotation with the name of a file.
const TITLE: &str = "org.opencontainers.image.title";
/// Beginning of the tags of artifacts.
const TAG: &str = "lock-";
/// Number of hex digits of the lock's digest in a tag.
const DIGITS: usize = 12;

/// The files that an artifact leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layers {
    /// The lock.
    pub lock: Promise,
    /// Files by their digests, and packs and tar archives by what is in them, too.
    pub files: BTreeMap<Piece, Promise>,
}

/// The fields of a manifest that are read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    artifact_type: String,
    layers: Vec<Descriptor>,
}

/// Returns the tag of a lock's artifact.
pub(super) fn tag(lock: Sha256Digest) -> String {
    format!("{TAG}{}", &lock.hex()[..DIGITS])
}

/// Returns the beginning of the digest of the lock that a tag is for.
pub(super) fn tagged(tag: &str) -> Option<&str> {
    let hex = tag.strip_prefix(TAG)?;
    (hex.len() == DIGITS && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))).then_some(hex)
}

/// Returns the manifest of a lock. `own` is the lock's text, and `file` returns the file that holds a part.
pub(super) fn manifest(lock: &Lock, own: Promise, file: impl Fn(&str, &Kept) -> Result<Promise>) -> Result<Vec<u8>> {
    let mut layers = vec![titled(descriptor(LOCK, own), "strix.lock")];
    let mut seen = BTreeSet::from([own.digest]);
    for (name, input) in &lock.inputs {
        for kept in input.kept() {
            let promise = file(name, &kept)?;
            if seen.insert(promise.digest) {
                layers.push(titled(descriptor(BYTES, promise), &format!("{name}/{}", called(&kept))));
            }
        }
    }
    let empty = Promise { size: EMPTY_CONFIG.len() as u64, digest: Sha256Digest::of(EMPTY_CONFIG) };
    write(&json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": ARTIFACT, "config": descriptor(EMPTY, empty),
        "layers": layers,
    }))
}

/// Returns the name of the file that holds a part.
pub(super) fn called(kept: &Kept) -> String {
    match kept {
        Kept::File(file) => file.name.rsplit('/').next().unwrap_or(&file.name).to_owned(),
        Kept::Commit(one) => format!("{}.pack", one.commit),
        Kept::Tree(tree) => format!("{}.tar", tree.digest.hex()),
    }
}

/// Parses a manifest.
pub(super) fn layers(manifest: &[u8]) -> Result<Layers> {
    let odd = |why: &str| Error::new(Kind::Mismatch, format!("not the manifest of an archived lock: {why}"));
    let manifest: Manifest = serde_json::from_slice(manifest).map_err(|error| odd("malformed").because(&error))?;
    if manifest.artifact_type != ARTIFACT {
        let found = crate::text::visible(&manifest.artifact_type);
        return Err(odd("another type").fact("expected", ARTIFACT).fact("found", found));
    }
    let promise = |layer: &Descriptor| Promise { size: layer.size, digest: layer.digest };
    let [lock, rest @ ..] = manifest.layers.as_slice() else { return Err(odd("it has no layers")) };
    if lock.media_type != LOCK {
        return Err(odd("its first layer is not a lock"));
    }
    let mut files = BTreeMap::new();
    for layer in rest {
        files.entry(Piece::Blob(layer.digest)).or_insert_with(|| promise(layer));
        if let Some(piece) = layer.annotations.get(TITLE).and_then(|title| named(title)) {
            files.entry(piece).or_insert_with(|| promise(layer));
        }
    }
    Ok(Layers { lock: promise(lock), files })
}

/// Returns the piece that a pack or tar archive with this title stands for.
fn named(title: &str) -> Option<Piece> {
    let name = title.rsplit('/').next()?;
    if let Some(commit) = name.strip_suffix(".pack") {
        return is_commit(commit).then(|| Piece::Commit(commit.to_owned()));
    }
    Sha256Digest::from_hex(name.strip_suffix(".tar")?).map(|digest| Piece::Directory(TreeDigest(digest)))
}

fn descriptor(media_type: &str, promise: Promise) -> Value {
    json!({ "mediaType": media_type, "digest": promise.digest, "size": promise.size })
}

fn titled(mut descriptor: Value, title: &str) -> Value {
    descriptor["annotations"] = json!({ TITLE: title });
    descriptor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(kind: &str, of: &[u8], title: &str) -> Value {
        titled(descriptor(kind, Promise { size: of.len() as u64, digest: Sha256Digest::of(of) }), title)
    }

    #[test]
    fn files_are_found_by_digest_and_packs_and_trees_by_their_names() {
        let (commit, tree) = ("a".repeat(40), Sha256Digest::of(b"tree"));
        let document = json!({ "artifactType": ARTIFACT, "layers": [
            layer(LOCK, b"lock", "strix.lock"),
            layer(BYTES, b"tarball", "rocm/a.tar.gz"),
            layer(BYTES, b"pack", &format!("source/{commit}.pack")),
            layer(BYTES, b"tar", &format!("own/{}.tar", tree.hex())),
            layer(BYTES, b"odd", "x/../HEAD.pack"),
        ]});
        let layers = layers(document.to_string().as_bytes()).unwrap();
        assert_eq!(layers.lock.digest, Sha256Digest::of(b"lock"));
        let found = |piece: Piece| layers.files.get(&piece).map(|promise| promise.digest);
        assert_eq!(found(Piece::Commit(commit)), Some(Sha256Digest::of(b"pack")));
        assert_eq!(found(Piece::Directory(TreeDigest(tree))), Some(Sha256Digest::of(b"tar")));
        assert_eq!(found(Piece::Blob(Sha256Digest::of(b"tarball"))), Some(Sha256Digest::of(b"tarball")));
        assert_eq!(layers.files.len(), 6);
    }

    #[test]
    fn what_is_no_archived_lock_is_refused() {
        let good = json!({ "artifactType": ARTIFACT, "layers": [layer(LOCK, b"lock", "strix.lock")] }).to_string();
        assert!(layers(good.as_bytes()).is_ok());
        for (from, to) in [
            (ARTIFACT, "application/vnd.oci.image.config.v1+json"),
            (LOCK, BYTES),
            ("sha256:", "md5:"),
            ("\"layers\":[", "\"layers\":[],\"x\":["),
            ("{", "["),
        ] {
            let error = layers(good.replace(from, to).as_bytes()).unwrap_err();
            assert_eq!(error.kind(), Kind::Mismatch, "{from}");
        }
    }

    #[test]
    fn tags_come_back_and_others_are_not_ours() {
        let lock = Sha256Digest::of(b"lock");
        assert_eq!(tagged(&tag(lock)), Some(&lock.hex()[..DIGITS]));
        for other in ["latest", "lock-", "lock-0123456789ab.", "lock-0123456789AB", "lock-0123456789abc"] {
            assert_eq!(tagged(other), None, "{other}");
        }
    }
}
