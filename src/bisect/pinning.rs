//! Locks of combinations: that of the project with other pins. The project's own is neither read nor written here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use url::Url;

use super::candidates::Known;
use super::journal::Version;
use crate::error::{Error, Kind, Result};
use crate::fetch::is_refusal;
use crate::inputs::{Block, InputRequest, LockedInput, git, release, rocm};
use crate::intake::Intake;
use crate::lock::Lock;
use crate::manifest::{Manifest, Policy};
use crate::realize::is_build_failure;
use crate::update::{Options, update};
use crate::upstream::git::{GitRef, GitRequest};
use crate::upstream::release::{ReleaseRef, ReleaseRequest};
use crate::upstream::rocm::{RocmRequest, RocmVersion, TarballName, VersionRequest};

/// Returns the pin of a version: that of a lock of this store, which needs no look-up, else it is taken in.
pub fn pin(intake: Intake, name: &str, like: &LockedInput, version: &Version, known: &Known) -> Result<LockedInput> {
    if let Some(pin) = known_pin(like, version, known)? {
        return Ok(pin);
    }
    match like {
        LockedInput::Rocm(block) => {
            let url = version.url.as_deref().and_then(|url| Url::parse(url).ok()).ok_or_else(|| {
                Error::new(Kind::Invalid, format!("no address of {} is known", version.id)).about(name)
            })?;
            rocm::at_url(intake, name, of_file(exact(block, version)?, &file_of(&url)), &url)
        }
        LockedInput::Git(block) => git::at_commit(intake, name, block, &version.id),
        LockedInput::Release(block) => release::at_tag(intake, name, &block.requested, &version.id),
        other => {
            Err(Error::new(Kind::Usage, format!("an input of type {} cannot be bisected", other.kind().name()))
                .about(name))
        }
    }
}

/// Returns the pin of a version that a lock of this store has, if one has.
pub fn known_pin(like: &LockedInput, version: &Version, known: &Known) -> Result<Option<LockedInput>> {
    for pin in std::iter::once(like).chain(&known.pins) {
        match (like, pin) {
            (LockedInput::Rocm(like), LockedInput::Rocm(known)) => {
                let request = exact(like, version)?;
                let RocmRequest { channel, platform, target, .. } = &known.requested;
                let fits = *channel == request.channel && *platform == request.platform && *target == request.target;
                if fits && request.version == VersionRequest::Exact(known.locked.version.clone()) {
                    let request = of_file(request, &known.locked.file);
                    return Ok(Some(Block::new(request, known.locked.clone())?.into()));
                }
            }
            (LockedInput::Git(like), LockedInput::Git(known)) => {
                let (pin, own) = (&known.locked, &like.locked);
                if pin.url == own.url && pin.commit == version.id && pin.patches == own.patches {
                    let reference = GitRef::Commit(version.id.clone());
                    let request = GitRequest { reference, ..like.requested.clone() };
                    return Ok(Some(Block::new(request, pin.clone())?.into()));
                }
            }
            (LockedInput::Release(like), LockedInput::Release(known)) => {
                let ReleaseRequest { url, asset, api, .. } = &known.requested;
                let own = &like.requested;
                let fits = *url == own.url && *asset == own.asset && *api == own.api;
                if fits && known.locked.number.is_some_and(|number| version.id == format!("b{number}")) {
                    let wanted = ReleaseRef::Tag(version.id.clone());
                    let request = ReleaseRequest { wanted, ..own.clone() };
                    return Ok(Some(Block::new(request, known.locked.clone())?.into()));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Returns the request for exactly this version.
fn exact(like: &Block<RocmRequest>, version: &Version) -> Result<RocmRequest> {
    let version: RocmVersion = version.id.parse()?;
    Ok(RocmRequest { version: VersionRequest::Exact(version), ..like.requested.clone() })
}

/// Returns the request for a file, whose family may have another name than that of the request.
fn of_file(request: RocmRequest, file: &str) -> RocmRequest {
    match TarballName::parse(file) {
        Some(parsed) if !parsed.is_of(request.wanted()) => {
            let family = parsed.family.and_then(|family| family.parse().ok());
            RocmRequest { family, ..request }
        }
        _ => request,
    }
}

/// Returns the file name in an address.
fn file_of(url: &Url) -> String {
    let last = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    percent_encoding::percent_decode_str(last).decode_utf8_lossy().into_owned()
}

/// Returns the lock that `base` would be with these pins. Inputs that follow one of them are resolved for it; all others
/// stay as they are.
pub fn lock_of(
    intake: Intake,
    base: &Lock,
    pins: BTreeMap<String, LockedInput>,
    now: i64,
    directory: PathBuf,
) -> Result<Lock> {
    let mut inputs: BTreeMap<String, InputRequest> =
        base.inputs.iter().map(|(name, input)| (name.clone(), input.requested())).collect();
    inputs.extend(pins.iter().map(|(name, pin)| (name.clone(), pin.requested())));
    let outputs = base.outputs.iter().map(|(name, output)| (name.clone(), output.recipe.clone())).collect();
    let (policy, frozen) = (Policy::default(), BTreeMap::new());
    let manifest = Manifest { requires: base.requires.clone(), inputs, outputs, policy, frozen };
    let only = pins.keys().cloned().collect();
    let options = Options { only, now, directory, without_leaving: true, pins, ..Options::default() };
    update(&manifest, Some(base), intake, &options)?
        .lock
        .ok_or_else(|| Error::failure("a lock was not resolved completely"))
}

/// Returns why a version cannot be tested, if this error is about the version alone: it is gone, its archive or its
/// sources are unfit, or it does not build. Any other error ends the run, which goes on later.
#[must_use]
pub fn untestable(error: &Error) -> Option<String> {
    let about = match error.kind() {
        _ if is_refusal(error) => "gone upstream",
        Kind::NotFound => "not found",
        Kind::Mismatch | Kind::Invalid => "unfit",
        Kind::Failure if is_build_failure(error) => "does not build",
        _ => return None,
    };
    Some(format!("{about}: {}", error.message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_the_version_itself_are_skipped() {
        for (kind, message, expected) in [
            (Kind::Unreachable, "the server answered 403 Forbidden", Some("gone upstream")),
            (Kind::NotFound, "the server answered 404 Not Found", Some("gone upstream")),
            (Kind::NotFound, "the repository does not have the commit", Some("not found")),
            (Kind::Mismatch, "the tree is of another version", Some("unfit")),
            (Kind::Failure, "`cmake --build /build/out` failed in the build (exit status: 1)", Some("does not build")),
            (Kind::Failure, "`ninja` failed in the build (exit status: 1): a compiler was killed, probably", None),
            (Kind::Failure, "no space left", None),
            (Kind::Unreachable, "no connection", None),
            (Kind::Unfit, "bwrap is missing", None),
            (Kind::Busy, "the store is held", None),
        ] {
            let found = untestable(&Error::new(kind, message));
            assert_eq!(found, expected.map(|about| format!("{about}: {message}")), "{message}");
        }
    }

    #[test]
    fn a_renamed_family_is_that_of_its_file() {
        let request = RocmRequest::newest("gfx1151".parse().unwrap());
        let of = |file: &str| of_file(request.clone(), file).family.map(|family| family.to_string());
        assert_eq!(of("therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz"), None);
        assert_eq!(of("therock-dist-linux-gfx115X-all-10.1.0a20260901.tar.gz").as_deref(), Some("gfx115X-all"));
    }
}
