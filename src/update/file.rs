//! What a `file` request means now.
//!
//! A URL names no version, so a locked file is taken to be the same while its size is; one that is named on the command
//! line is downloaded again.

use super::{Options, Resolution, Taken};
use crate::error::{About as _, Result};
use crate::gguf::Gguf;
use crate::intake::{Intake, file};
use crate::lock::{Block, FilePin, LockedInput};
use crate::text;
use crate::upstream::file::FileRequest;

pub(super) fn resolve(
    name: &str,
    request: &FileRequest,
    locked: Option<&Block<FileRequest, FilePin>>,
    intake: Intake,
    options: &Options,
) -> Result<(Resolution, Vec<String>)> {
    if let Some(block) = locked
        && block.requested == *request
        && !options.only.contains(name)
        && let Some(url) = request.urls.first()
        && intake.fetcher.head(url)?.size.is_none_or(|size| size == block.locked.size)
    {
        return Ok((Resolution::Same(Box::new(LockedInput::File(block.clone()))), Vec::new()));
    }
    let same = locked.filter(|block| block.requested == *request).cloned();
    let (name, request) = (name.to_owned(), request.clone());
    let to = request.urls.first().map_or_else(String::new, crate::fetch::show_url);
    let take_in = move |intake: Intake| {
        let (path, received) = file(intake, &name, &request.urls, None)?;
        let gguf = Gguf::open(&path).about(&name)?;
        let mut details =
            vec![format!("size     {}", text::bytes(received.size)), format!("digest   {}", received.digest)];
        details.extend(gguf.iter().map(|gguf| format!("model    {}", gguf.summary())));
        let pin = FilePin { urls: request.urls.clone(), size: received.size, sha256: received.digest, gguf };
        if let Some(block) = same.filter(|block| block.locked == pin) {
            return Ok(Taken { block: LockedInput::File(block), details, warnings: Vec::new() });
        }
        Ok(Taken { block: LockedInput::file(request, pin)?, details, warnings: Vec::new() })
    };
    Ok((Resolution::New { to, details: Vec::new(), take_in: Box::new(take_in) }, Vec::new()))
}
