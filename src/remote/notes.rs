//! Notes on a build: its log and its record, as the machine that made an output kept them. They refer to the manifest
//! of the tree.
//!
//! They are for people, and the words of whoever pushed them: no statement covers them, and nothing is decided by them.

use std::io::Read as _;
use std::path::Path;

use super::repository::{Reference, Repository, is_odd};
use super::{artifact, referrers, small};
use crate::digest::{DerivationId, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::oci::artifact::{EMPTY_CONFIG, described};
use crate::oci::{Artifact, Descriptor};

/// The artifact type of notes.
pub(super) const NOTES: &str = "application/vnd.strixlock.build.v1";
/// The media type of a log.
const LOG: &str = "application/vnd.strixlock.log.v1+zstd";
/// The media type of a record.
const ABOUT: &str = "application/vnd.strixlock.about.v1+zstd";
/// The annotation with the derivation that was built.
const DERIVATION: &str = "io.github.strixlock.derivation";
/// Greatest size of a log or record, in bytes, also compressed: ten times that of a build of llama.cpp. A longer one is
/// not sent.
pub(super) const LARGEST: u64 = 32 << 20;

/// The notes on a build.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// The log.
    pub log: Option<Vec<u8>>,
    /// The record, as JSON.
    pub about: Option<Vec<u8>>,
}

impl Notes {
    fn parts(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let parts = [(LOG, &self.log), (ABOUT, &self.about)].into_iter();
        parts.filter_map(|(kind, text)| Some((kind, text.as_deref()?))).filter(|(_, text)| text.len() as u64 <= LARGEST)
    }
}

/// Stores notes on the build of a derivation, whose tree has this manifest.
pub fn attach(
    remote: &dyn Repository,
    manifest: Sha256Digest,
    derivation: DerivationId,
    notes: &Notes,
    directory: &Path,
) -> Result<()> {
    let mut layers = Vec::new();
    for (kind, text) in notes.parts() {
        layers.push(Descriptor::promised(kind, small::put_packed(remote, text, directory)?));
    }
    if layers.is_empty() {
        return Ok(());
    }
    let tree = remote.manifest(Reference::Digest(manifest))?;
    let tree = tree.ok_or_else(|| Error::failure("the remote has lost a manifest that it was sent"))?;
    small::put(remote, EMPTY_CONFIG, directory)?;
    let mut artifact = Artifact::new(NOTES, layers);
    artifact.subject = Some(described(&tree));
    artifact.annotations.insert(DERIVATION.to_owned(), derivation.to_string());
    referrers::attach(remote, &artifact)
}

/// Returns the first notes on the build of this derivation. What is odd among them is passed over.
pub fn notes(remote: &dyn Repository, manifest: Sha256Digest, derivation: DerivationId) -> Result<Option<Notes>> {
    for digest in referrers::of(remote, manifest)? {
        match read(remote, digest, derivation) {
            Ok(None) => {}
            Err(error) if is_odd(&error) => {}
            other => return other,
        }
    }
    Ok(None)
}

/// Returns the notes with this manifest; `None` if it is something else.
fn read(remote: &dyn Repository, digest: Sha256Digest, derivation: DerivationId) -> Result<Option<Notes>> {
    let Some(text) = remote.manifest(Reference::Digest(digest))? else { return Ok(None) };
    let artifact = artifact::parse(&text, NOTES)?;
    if artifact.annotations.get(DERIVATION) != Some(&derivation.to_string()) {
        return Ok(None);
    }
    let part = |kind: &str| {
        let layer = artifact.layers.iter().find(|layer| layer.media_type == kind);
        layer.map(|layer| unpacked(&small::read(remote, layer.promise(), LARGEST)?)).transpose()
    };
    Ok(Some(Notes { log: part(LOG)?, about: part(ABOUT)? }))
}

fn unpacked(packed: &[u8]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let plain = zstd::Decoder::new(packed).map(|decoder| decoder.take(LARGEST + 1));
    match plain.and_then(|mut plain| plain.read_to_end(&mut text)) {
        Ok(size) if size as u64 <= LARGEST => Ok(text),
        _ => Err(Error::new(Kind::Mismatch, "notes on a build cannot be unpacked")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_unpacks_to_too_much_or_to_nothing_is_refused() {
        let packed = |size: u64| zstd::bulk::compress(&vec![0; size as usize], 1).unwrap();
        assert_eq!(unpacked(&packed(LARGEST)).unwrap().len() as u64, LARGEST);
        for wrong in [packed(LARGEST + 1), b"no frame".to_vec(), packed(100)[..10].to_vec()] {
            assert_eq!(unpacked(&wrong).unwrap_err().kind(), Kind::Mismatch);
        }
    }
}
