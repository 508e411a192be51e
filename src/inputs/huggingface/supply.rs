//! Takes in a pinned model: its files by their digests, and the facts in their headers.

use std::path::PathBuf;

use super::HuggingfacePin;
use crate::digest::Promise;
use crate::error::{About as _, Error, Kind, Result};
use crate::fetch::{Remote, Voucher};
use crate::gguf::{self, Gguf, Header, contradiction};
use crate::inputs::{Block, Kept, KeptFile, ModelFile, Presence, Supply};
use crate::intake::{Intake, file_vouched};
use crate::store::Store;
use crate::store::gc::Roots;
use crate::upstream::huggingface::HuggingfaceRequest;
use crate::urls::show_url;

impl Supply for Block<HuggingfaceRequest> {
    fn fetch(&self, intake: Intake, name: &str) -> Result<()> {
        self.model(intake, name).map(drop)
    }

    fn presence(&self, store: &Store) -> Presence {
        match missing_model(store, &self.locked) {
            0 => Presence::Here,
            bytes => Presence::Missing { bytes: Some(bytes) },
        }
    }

    fn keep(&self, roots: &mut Roots) {
        roots.downloads.extend(self.locked.files.iter().map(|file| file.sha256));
    }

    fn kept(&self) -> Vec<Kept> {
        let file = |file: &ModelFile| {
            let promise = Promise { size: file.size, digest: file.sha256 };
            Kept::File(KeptFile::new(&file.path, promise, self.locked.urls(file), Voucher::Hub))
        };
        self.locked.files.iter().map(file).collect()
    }

    fn fetch_kept(&self, intake: Intake, name: &str) -> Result<()> {
        self.fetch(intake, name)
    }

    fn model(&self, intake: Intake, name: &str) -> Result<Vec<PathBuf>> {
        huggingface(intake, name, &self.locked)
    }
}

/// Takes in the files of a pinned model. Returns their paths in the store, in the pin's order.
fn huggingface(intake: Intake, name: &str, pin: &HuggingfacePin) -> Result<Vec<PathBuf>> {
    intake.store.demand_space(missing_model(intake.store, pin))?;
    let mut paths = Vec::new();
    for part in &pin.files {
        let promise = Promise { size: part.size, digest: part.sha256 };
        paths.push(file_vouched(intake, name, &pin.urls(part), Some(promise), Voucher::Hub)?.0);
    }
    // At pinning the header was read without verification; now its bytes are verified.
    let found = header(intake, pin).about(name)?.facts();
    if found == pin.gguf {
        return Ok(paths);
    }
    let say = |facts: &Option<Gguf>| facts.as_ref().map_or_else(|| "not a GGUF file".to_owned(), Gguf::summary);
    Err(Error::new(Kind::Mismatch, "the model does not match the lock")
        .about(name)
        .fact("locked", say(&pin.gguf))
        .fact("found", say(&found))
        .hint(format!("the hub sent another header when it was pinned: `strixlock update {name}` reads it again")))
}

/// Returns the number of bytes of a pinned model that are not in the store.
fn missing_model(store: &Store, pin: &HuggingfacePin) -> u64 {
    let missing = pin.files.iter().filter(|file| store.download(file.sha256).is_none());
    missing.map(|file| file.size).fold(0, u64::saturating_add)
}

/// The headers of a model's files.
pub struct ModelHeader {
    /// Files and headers, in order; those that are not named as GGUF files are left out.
    headers: Vec<(String, Header)>,
    /// The error of a file that cannot be read.
    pub fault: Option<Error>,
}

impl ModelHeader {
    /// Returns the facts of the model, if it is one.
    #[must_use]
    pub fn facts(&self) -> Option<Gguf> {
        let headers: Vec<Header> = self.headers.iter().map(|(_, header)| header.clone()).collect();
        if self.fault.is_some() { None } else { Gguf::of(&headers) }
    }

    /// Returns whether there is a GGUF file among them.
    #[must_use]
    pub fn is_gguf(&self) -> bool {
        !self.headers.is_empty()
    }

    /// Returns the error for files that contradict each other or are incomplete.
    #[must_use]
    pub fn contradiction(&self) -> Option<String> {
        let files: Vec<(&str, &Header)> = self.headers.iter().map(|(path, header)| (path.as_str(), header)).collect();
        contradiction(&files)
    }
}

/// Reads the headers of a model's files: from the store, where they are there, else from the beginnings that the hub
/// sends.
pub fn header(intake: Intake, pin: &HuggingfacePin) -> Result<ModelHeader> {
    let mut read = ModelHeader { headers: Vec::new(), fault: None };
    for part in pin.files.iter().filter(|file| gguf::is_name(&file.path)) {
        let urls = pin.urls(part);
        let header = match intake.store.download(part.sha256) {
            Some(path) => Header::open(&path),
            None => Header::read(Remote::new(intake.fetcher, &urls, part.size), part.size).map(Some),
        };
        let header = header
            .and_then(|header| header.ok_or_else(|| Error::new(Kind::Invalid, "this is not a GGUF file")))
            .map_err(|error| match urls.first() {
                Some(url) if error.kind() == Kind::Invalid => error.fact("url", show_url(url)),
                _ => error,
            })
            .map_err(|error| error.fact("file", &part.path));
        match header {
            Ok(header) => read.headers.push((part.path.clone(), header)),
            Err(error) if error.kind() == Kind::Invalid => read.fault = read.fault.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
