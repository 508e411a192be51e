//! Resolves a `file` request to its pin.
//!
//! A URL names no version, so a locked file is taken to be the same while its size is. Of one that is named on the
//! command line the server must say so by the validator that it sent with it, or it is downloaded again.

use std::path::Path;

use super::{FilePin, FileRequest, unpacked};
use crate::error::{Kind, Result};
use crate::gguf::{Gguf, Header, PartName, Piece};
use crate::inputs::model::told;
use crate::inputs::{Answer, Block, Preview, Question, Resolution, Resolve, Taken};
use crate::intake::{Intake, file, file_anew};
use crate::text;

impl Resolve for FileRequest {
    fn resolve(&self, locked: Option<&Block<Self>>, question: Question) -> Result<Answer> {
        if let Some(block) = locked
            && block.requested == *self
            && !question.named
            && let Some(url) = self.urls.first()
            && question.intake.fetcher.head(url)?.size.is_none_or(|size| size == block.locked.size)
        {
            return Ok((Resolution::same(block.clone()), Vec::new()));
        }
        let same = locked.filter(|block| block.requested == *self).cloned();
        let anew = question.accept_replaced;
        let (name, request) = (question.name.to_owned(), self.clone());
        let to = request.urls.first().map_or_else(String::new, crate::urls::show_url);
        let take_in = move |intake: Intake| {
            let (path, received) =
                if anew { file_anew(intake, &name, &request.urls)? } else { file(intake, &name, &request.urls, None)? };
            let (mut content, mut facts) = (None, (None, Vec::new()));
            if request.unpack {
                content = Some(unpacked::pin(intake, &name, &path)?);
            } else {
                facts = gguf_facts(&path, &request)?;
            }
            let (wrapped, content) =
                (content.as_ref().is_some_and(|(_, wrapped)| *wrapped), content.map(|(pin, _)| pin));
            let (gguf, warnings) = facts;
            let mut details =
                vec![format!("size     {}", text::bytes(received.size)), format!("digest   {}", received.digest)];
            details.extend(content.iter().map(|content| format!("tree     {}", content.digest)));
            details.extend(gguf.iter().map(|gguf| format!("model    {}", gguf.summary())));
            let pin = FilePin {
                urls: request.urls.clone(),
                size: received.size,
                sha256: received.digest,
                gguf,
                content,
                wrapped,
            };
            if let Some(block) = same.filter(|block| block.locked == pin) {
                return Ok(Taken { block: block.into(), details, warnings });
            }
            Ok(Taken { block: Block::new(request, pin)?.into(), details, warnings })
        };
        Ok((
            Resolution::New { to, details: Vec::new(), preview: Preview::default(), take_in: Box::new(take_in) },
            Vec::new(),
        ))
    }
}

/// Reads the header of a file that may be a GGUF model. Returns its facts, if it is one, and notes for the user: any
/// file can be an input, even a broken or incomplete model.
fn gguf_facts(path: &Path, request: &FileRequest) -> Result<(Option<Gguf>, Vec<String>)> {
    let url = request.urls.first();
    let shown = url.map_or_else(String::new, crate::urls::show_url);
    let last = url.and_then(|url| url.path_segments()?.next_back()).unwrap_or_default();
    let name = percent_encoding::percent_decode_str(last).decode_utf8_lossy();
    if let Some(piece) = Piece::parse(&name) {
        return Ok((None, vec![format!("{shown}: {}", piece.warning())]));
    }
    let header = match Header::open(path) {
        Ok(None) => return Ok((None, Vec::new())),
        Ok(Some(header)) => header,
        Err(error) if error.kind() == Kind::Invalid => {
            return Ok((None, vec![format!("{shown} is pinned without a model's facts: {}", told(&error))]));
        }
        Err(error) => return Err(error),
    };
    let by_name = PartName::parse(&name).map(|part| (u64::from(part.number), u64::from(part.of)));
    let part = header.part.map(|part| (part.number, part.of)).or(by_name).filter(|(_, of)| *of > 1);
    let facts = Gguf::of(&[header]);
    let warning = match part {
        Some((number, of)) => Some(format!(
            "{shown} is part {number} of {of} of a split model, and the other parts are not in this input"
        )),
        None if facts.is_none() => {
            Some(format!("{shown} is pinned without a model's facts: {}", told(&Header::no_model())))
        }
        None => None,
    };
    Ok((facts, warning.into_iter().collect()))
}
