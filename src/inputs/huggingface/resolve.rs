//! Resolves a `huggingface` request to its pin.
//!
//! The hub names digests, so nothing large is downloaded here: of a model, only its header is read. What has no digest
//! there, small files that are not in LFS, is downloaded and hashed.

use super::HuggingfacePin;
use super::supply::{ModelHeader, header};
use crate::error::{About as _, Error, Kind, Result};
use crate::gguf::Header;
use crate::inputs::model::told;
use crate::inputs::{Answer, Block, ModelFile, Preview, Question, Resolution, Resolve, Taken};
use crate::intake::{Intake, file};
use crate::text;
use crate::upstream::huggingface::{Found, HuggingfaceRequest, ModelChoice, file_urls, look_up};

impl Resolve for HuggingfaceRequest {
    fn resolve(&self, locked: Option<&Block<Self>>, question: Question) -> Result<Answer> {
        let Question { name, intake, .. } = question;
        let found = look_up(self, intake.fetcher)?;
        let notes = found.notes.clone();
        if let Some(block) = locked
            && is_same(&block.locked, self, &found)?
            // An explicitly named input has its header read again: a hub may have sent a wrong one.
            && (!question.named || header(intake, &block.locked)?.facts() == block.locked.gguf)
        {
            return Ok((Resolution::same(Block::new(self.clone(), block.locked.clone())?), notes));
        }
        let size = found.files.iter().map(|file| file.size.unwrap_or(0)).fold(0, u64::saturating_add);
        let to = format!("{} ({})", self.name(), found.commit.get(..12).unwrap_or(&found.commit));
        let details = vec![format!("commit   {}", found.commit), format!("size     {}", text::bytes(size))];
        let (name, request) = (name.to_owned(), self.clone());
        let take_in = move |intake: Intake| take_in(intake, &name, request, found);
        Ok((Resolution::New { to, details, preview: Preview::default(), take_in: Box::new(take_in) }, notes))
    }
}

/// Returns whether a pin is what was found; a commit has one content, so the paths say all.
fn is_same(pin: &HuggingfacePin, request: &HuggingfaceRequest, found: &Found) -> Result<bool> {
    let paths = pin.files.iter().map(|file| &file.path).eq(found.files.iter().map(|file| &file.path));
    Ok(paths && pin.commit == found.commit && pin.repo == request.repo && pin.endpoints == request.hubs()?)
}

fn take_in(intake: Intake, name: &str, request: HuggingfaceRequest, found: Found) -> Result<Taken> {
    let endpoints = request.hubs()?;
    let mut files = Vec::new();
    for one in &found.files {
        let (size, sha256) = if let (Some(size), Some(sha256)) = (one.size, one.sha256) {
            (size, sha256)
        } else {
            let urls = file_urls(&endpoints, &request.repo, &found.commit, &one.path);
            let (_, received) = file(intake, name, &urls, None)?;
            (received.size, received.digest)
        };
        files.push(ModelFile { path: one.path.clone(), size, sha256 });
    }
    let (repo, commit) = (request.repo.clone(), found.commit);
    let mut pin = HuggingfacePin { endpoints, repo, commit, files, gguf: None };
    let read = header(intake, &pin).about(name)?;
    pin.gguf = read.facts();
    let warnings = judge(&request, &read)?;
    let mut details: Vec<String> =
        pin.files.iter().map(|file| format!("file     {} {}", file.path, file.sha256)).collect();
    details.extend(pin.gguf.iter().map(|gguf| format!("model    {}", gguf.summary())));
    if !found.beside.is_empty() {
        details.push(format!("beside   {}", found.beside.join(", ")));
        details.push("         not part of it; each can be an input of its own, with `repo` and `file`".to_owned());
    }
    Ok(Taken { block: Block::new(request, pin)?.into(), details, warnings })
}

/// Fails if files are not the model that was asked for, or not all of it; tells of one that is no model but was asked
/// for by its name.
fn judge(request: &HuggingfaceRequest, read: &ModelHeader) -> Result<Vec<String>> {
    if let Some(what) = read.contradiction() {
        return Err(Error::new(Kind::Invalid, "the files of the model contradict each other")
            .fact("what", what)
            .fact("repository", &request.repo)
            .hint(
                "a part was renamed, replaced or is missing, so llama.cpp would refuse it or load half a model: use \
                another file or revision, or have it split again with `llama-gguf-split`",
            ));
    }
    let fault = match &read.fault {
        Some(error) => Some(error.clone()),
        None => (read.is_gguf() && read.facts().is_none()).then(Header::no_model),
    };
    match (fault, &request.model) {
        (None, _) => Ok(Vec::new()),
        (Some(error), ModelChoice::Quantisation(_)) => Err(error),
        (Some(error), ModelChoice::File(_)) => Ok(vec![format!("pinned without a model's facts: {}", told(&error))]),
    }
}
