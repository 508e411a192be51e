//! A pinned model: its files by their digests, and what their headers say.

use std::path::PathBuf;

use super::Intake;
use super::file::file_vouched;
use crate::error::{About as _, Error, Kind, Result};
use crate::fetch::{Promise, Remote, Voucher};
use crate::gguf::{self, Gguf};
use crate::lock::HuggingfacePin;
use crate::store::Store;

/// Takes in the files of a pinned model; where each of them lies in the store, in the pin's order.
pub fn huggingface(intake: Intake, name: &str, pin: &HuggingfacePin) -> Result<Vec<PathBuf>> {
    intake.store.demand_space(missing_model(intake.store, pin))?;
    let mut paths = Vec::new();
    for part in &pin.files {
        let promise = Promise { size: part.size, digest: part.sha256 };
        paths.push(file_vouched(intake, name, &pin.urls(part), Some(promise), Voucher::Hub)?.0);
    }
    // The header was read before anything vouched for it; now its bytes are the pinned ones.
    let found = header(intake, pin).about(name)?;
    if found == pin.gguf {
        return Ok(paths);
    }
    let say = |facts: &Option<Gguf>| facts.as_ref().map_or_else(|| "no GGUF file".to_owned(), Gguf::summary);
    Err(Error::new(Kind::Mismatch, "the model is not what the lock says of it")
        .about(name)
        .fact("locked", say(&pin.gguf))
        .fact("found", say(&found))
        .hint(format!("the hub sent another header when it was pinned: `strixlock update {name}` reads it again")))
}

/// The bytes of a pinned model that are not in the store.
#[must_use]
pub fn missing_model(store: &Store, pin: &HuggingfacePin) -> u64 {
    let missing = pin.files.iter().filter(|file| store.download(file.sha256).is_none());
    missing.map(|file| file.size).fold(0, u64::saturating_add)
}

/// What the files of a model say of it: from the store, where they are there, else from the beginnings that the hub sends.
pub fn header(intake: Intake, pin: &HuggingfacePin) -> Result<Option<Gguf>> {
    let mut all = Vec::new();
    for part in pin.files.iter().filter(|file| gguf::is_name(&file.path)) {
        let facts = match intake.store.download(part.sha256) {
            Some(path) => Gguf::open(&path),
            None => Gguf::read(Remote::new(intake.fetcher, &pin.urls(part), part.size), part.size).map(Some),
        };
        let facts = facts.map_err(|error| error.fact("file", &part.path))?;
        all.push(facts.ok_or_else(|| Error::new(Kind::Mismatch, "this is no GGUF file").fact("file", &part.path))?);
    }
    let mut all = all.into_iter();
    Ok(all.next().map(|first| first.joined(all.as_slice())))
}
