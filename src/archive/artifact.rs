//! A lock as an OCI artifact: a manifest whose layers are the lock and the files that it needs.
//!
//! A layout and a registry have the same manifest for the same lock and files. The title of a layer is the name of its
//! input and that of its file; packs of commits and tar archives of trees are found by theirs. Form: OCI Image Format
//! Specification 1.1, `manifest.md` for artifacts without configuration. Parsing is total and does no IO.

use std::collections::{BTreeMap, BTreeSet};

use super::Piece;
use crate::digest::{Promise, Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::inputs::Kept;
use crate::lock::{Lock, MEDIA_TYPE};
use crate::oci::artifact::TITLE;
use crate::oci::document::write;
use crate::oci::{Artifact, Descriptor};
use crate::upstream::git::is_commit;

/// The type of an artifact that is a lock with all that it needs.
pub(super) const ARTIFACT: &str = "application/vnd.strixlock.archive.v1";
/// The media type of everything else.
const BYTES: &str = "application/octet-stream";
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
    let mut layers = vec![layer(MEDIA_TYPE, own, "strix.lock")];
    let mut seen = BTreeSet::from([own.digest]);
    for (name, input) in &lock.inputs {
        for kept in input.kept() {
            let promise = file(name, &kept)?;
            if seen.insert(promise.digest) {
                layers.push(layer(BYTES, promise, &format!("{name}/{}", called(&kept))));
            }
        }
    }
    // Archives have had their fields in the order of names since before there were other artifacts.
    let manifest = serde_json::to_value(Artifact::new(ARTIFACT, layers));
    write(&manifest.map_err(|error| Error::failure("cannot write the manifest of a lock").because(&error))?)
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
    let manifest = Artifact::read(manifest).map_err(|error| odd("malformed").because(&error))?;
    if manifest.artifact_type != ARTIFACT {
        let found = crate::text::visible(&manifest.artifact_type);
        return Err(odd("another type").fact("expected", ARTIFACT).fact("found", found));
    }
    let [lock, rest @ ..] = manifest.layers.as_slice() else { return Err(odd("it has no layers")) };
    if lock.media_type != MEDIA_TYPE {
        return Err(odd("its first layer is not a lock"));
    }
    let mut files = BTreeMap::new();
    for layer in rest {
        files.entry(Piece::Blob(layer.digest)).or_insert_with(|| layer.promise());
        if let Some(piece) = layer.annotations.get(TITLE).and_then(|title| named(title)) {
            files.entry(piece).or_insert_with(|| layer.promise());
        }
    }
    Ok(Layers { lock: lock.promise(), files })
}

/// Returns the piece that a pack or tar archive with this title stands for.
fn named(title: &str) -> Option<Piece> {
    let name = title.rsplit('/').next()?;
    if let Some(commit) = name.strip_suffix(".pack") {
        return is_commit(commit).then(|| Piece::Commit(commit.to_owned()));
    }
    Sha256Digest::from_hex(name.strip_suffix(".tar")?).map(|digest| Piece::Directory(TreeDigest(digest)))
}

/// Returns the descriptor of a file with this name.
fn layer(media_type: &str, promise: Promise, title: &str) -> Descriptor {
    let mut layer = Descriptor::promised(media_type, promise);
    layer.annotations.insert(TITLE.to_owned(), title.to_owned());
    layer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, bytes: &[u8], title: &str) -> Descriptor {
        layer(kind, Promise { size: bytes.len() as u64, digest: Sha256Digest::of(bytes) }, title)
    }

    #[test]
    fn files_are_found_by_digest_and_packs_and_trees_by_their_names() {
        let (commit, tree) = ("a".repeat(40), Sha256Digest::of(b"tree"));
        let document = Artifact::new(
            ARTIFACT,
            vec![
                of(MEDIA_TYPE, b"lock", "strix.lock"),
                of(BYTES, b"tarball", "rocm/a.tar.gz"),
                of(BYTES, b"pack", &format!("source/{commit}.pack")),
                of(BYTES, b"tar", &format!("own/{}.tar", tree.hex())),
                of(BYTES, b"odd", "x/../HEAD.pack"),
            ],
        );
        let layers = layers(&document.to_bytes().unwrap()).unwrap();
        assert_eq!(layers.lock.digest, Sha256Digest::of(b"lock"));
        let found = |piece: Piece| layers.files.get(&piece).map(|promise| promise.digest);
        assert_eq!(found(Piece::Commit(commit)), Some(Sha256Digest::of(b"pack")));
        assert_eq!(found(Piece::Directory(TreeDigest(tree))), Some(Sha256Digest::of(b"tar")));
        assert_eq!(found(Piece::Blob(Sha256Digest::of(b"tarball"))), Some(Sha256Digest::of(b"tarball")));
        assert_eq!(layers.files.len(), 6);
    }

    #[test]
    fn what_is_no_archived_lock_is_refused() {
        let good = Artifact::new(ARTIFACT, vec![of(MEDIA_TYPE, b"lock", "strix.lock")]).to_bytes().unwrap();
        let good = String::from_utf8(good).unwrap();
        assert!(layers(good.as_bytes()).is_ok());
        for (from, to) in [
            (ARTIFACT, "application/vnd.oci.image.config.v1+json"),
            (MEDIA_TYPE, BYTES),
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
