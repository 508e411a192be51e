//! What a `huggingface` request means now.
//!
//! The hub names digests, so nothing large is downloaded here: of a model, only its header is read. What has no digest there,
//! small files that are not in LFS, is downloaded and hashed.

use super::{Resolution, Taken};
use crate::error::{About as _, Result};
use crate::intake::{Intake, file, header};
use crate::lock::{Block, HuggingfacePin, LockedInput, ModelFile};
use crate::text;
use crate::upstream::huggingface::{Found, HuggingfaceRequest, file_urls, look_up};

pub(super) fn resolve(
    name: &str,
    request: &HuggingfaceRequest,
    locked: Option<&Block<HuggingfaceRequest, HuggingfacePin>>,
    intake: Intake,
) -> Result<(Resolution, Vec<String>)> {
    let found = look_up(request, intake.fetcher)?;
    if let Some(block) = locked
        && is_same(&block.locked, request, &found)?
    {
        let same = LockedInput::huggingface(request.clone(), block.locked.clone())?;
        return Ok((Resolution::Same(Box::new(same)), Vec::new()));
    }
    let size = found.files.iter().map(|file| file.size.unwrap_or(0)).fold(0, u64::saturating_add);
    let to = format!("{} ({})", request.name(), found.commit.get(..12).unwrap_or(&found.commit));
    let details = vec![format!("commit   {}", found.commit), format!("size     {}", text::bytes(size))];
    let (name, request) = (name.to_owned(), request.clone());
    let take_in = move |intake: Intake| take_in(intake, &name, request, found);
    Ok((Resolution::New { to, details, take_in: Box::new(take_in) }, Vec::new()))
}

/// Whether a pin is what was found; a commit has one content, so the paths say all.
fn is_same(pin: &HuggingfacePin, request: &HuggingfaceRequest, found: &Found) -> Result<bool> {
    let paths = pin.files.iter().map(|file| &file.path).eq(found.files.iter().map(|file| &file.path));
    Ok(paths && pin.commit == found.commit && pin.repo == request.repo && pin.endpoints == request.hubs()?)
}

fn take_in(intake: Intake, name: &str, request: HuggingfaceRequest, found: Found) -> Result<Taken> {
    let endpoints = request.hubs()?;
    let mut files = Vec::new();
    for one in found.files {
        let (size, sha256) = if let (Some(size), Some(sha256)) = (one.size, one.sha256) {
            (size, sha256)
        } else {
            let urls = file_urls(&endpoints, &request.repo, &found.commit, &one.path);
            let (_, received) = file(intake, name, &urls, None)?;
            (received.size, received.digest)
        };
        files.push(ModelFile { path: one.path, size, sha256 });
    }
    let mut pin = HuggingfacePin { endpoints, repo: request.repo.clone(), commit: found.commit, files, gguf: None };
    pin.gguf = header(intake, &pin).about(name)?;
    let mut details: Vec<String> =
        pin.files.iter().map(|file| format!("file     {} {}", file.path, file.sha256)).collect();
    details.extend(pin.gguf.iter().map(|gguf| format!("model    {}", gguf.summary())));
    Ok(Taken { block: LockedInput::huggingface(request, pin)?, details, warnings: Vec::new() })
}
