//! Patches of a git input: files of the project, pinned by digest.
//!
//! They belong to the input and not to a build: the pinned content is that of the patched sources, so `update` finds
//! out that a patch no longer applies, everything else reads the sources that are built, and the page REPRODUCIBLE.md
//! shows commit and patches in one place.

use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::intake::Intake;
use crate::store::Store;
use crate::upstream::git::{LARGEST_PATCH, Patch};

/// A pinned patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchPin {
    /// Path of the file, relative to the manifest.
    pub path: String,
    /// Digest of its bytes.
    pub sha256: Sha256Digest,
}

/// Pins a patch of the project, and keeps its bytes in the store.
pub(super) fn pin(store: &Store, directory: &Path, path: &str) -> Result<PatchPin> {
    let bytes = read(&directory.join(path))?;
    Ok(PatchPin { path: path.to_owned(), sha256: store.publish_bytes(&bytes)? })
}

/// Takes pinned patches of the project into the store, where it lacks them. Warns of a file that is another one now.
pub(super) fn bring(intake: Intake, name: &str, pins: &[PatchPin], directory: &Path) -> Result<()> {
    for pin in pins {
        let Ok(bytes) = read(&directory.join(&pin.path)) else { continue };
        if Sha256Digest::of(&bytes) == pin.sha256 {
            intake.store.publish_bytes(&bytes)?;
        } else {
            intake.fetcher.note_once(&format!(
                "warning: {name}: {} is not the file that the lock has: `strixlock update {name}` takes it",
                pin.path
            ));
        }
    }
    Ok(())
}

/// Returns the patches from the store.
pub(super) fn load(store: &Store, pins: &[PatchPin]) -> Result<Vec<Patch>> {
    let one = |pin: &PatchPin| {
        let Some(path) = store.download(pin.sha256) else {
            return Err(Error::new(Kind::NotFound, "a pinned patch is neither in the store nor beside the manifest")
                .fact("patch", &pin.path)
                .fact("locked", pin.sha256)
                .hint("restore the file from version control; `strixlock update` takes another one"));
        };
        Ok(Patch { path: pin.path.clone(), bytes: read(&path)? })
    };
    pins.iter().map(one).collect()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let file = match fs_err::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::new(Kind::NotFound, "missing patch")
                .fact("path", path.display())
                .hint("paths of patches are relative to the directory of the manifest"));
        }
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(LARGEST_PATCH + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_PATCH {
        return Err(Error::new(Kind::Invalid, "the patch is too large")
            .fact("path", path.display())
            .fact("limit", crate::text::bytes(LARGEST_PATCH)));
    }
    Ok(bytes)
}
