//! Input kind `huggingface`: a model file of the Hugging Face hub, pinned to a commit, sizes and digests.
//!
//! One request to the hub's API is enough: `/api/models/<repo>/revision/<revision>?blobs=true` returns the commit and
//! every file with its size and, for files in Git LFS, its SHA-256. This module selects the wanted file. Small files in
//! git itself have no SHA-256 in the answer; they are hashed when they are downloaded.
//!
//! A quantisation selects the model that llama.cpp's `-hf` selects: not the projector, importance matrix or draft head
//! beside it with the same quantisation. Those are reported, and each can be an input of its own.

mod answer;
mod choice;
mod name;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::fetch::Documents;
use crate::gguf::Piece;
use crate::urls::{escape_part, escape_path};

pub use name::{is_file, is_quantisation, is_repository, is_revision, parse_model};

/// Greatest length of an answer of the API, in bytes. Each file of a repository takes a few hundred.
const LONGEST: u64 = 32 << 20;

/// A wanted model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HuggingfaceRequest {
    /// Owner and name, as in `unsloth/gemma-3-1b-it-GGUF`.
    pub repo: String,
    /// A branch, tag or commit of it.
    pub revision: String,
    /// The wanted model of the repository.
    pub model: ModelChoice,
    /// Hubs to ask instead of Hugging Face's own: the first that answers resolves the request, all of them serve the
    /// files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Url>,
}

/// The wanted model of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelChoice {
    /// The file at this path; the first part of a split model stands for all parts.
    File(String),
    /// The model whose file name contains this quantisation, such as `Q4_K_M`.
    Quantisation(String),
}

/// One file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFile {
    /// Its path in the repository.
    pub path: String,
    /// Its size in bytes, if the hub gives it.
    pub size: Option<u64>,
    /// Its digest, if it is in LFS.
    pub sha256: Option<Sha256Digest>,
    /// The fault of the hub's entry, if any. It matters only if the file is selected.
    pub fault: Option<&'static str>,
}

/// A resolved request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The commit, 40 hex digits.
    pub commit: String,
    /// The model's file, or its parts in order.
    pub files: Vec<HubFile>,
    /// Paths of companions of the model, and of other files with its quantisation, which were not selected.
    pub beside: Vec<String>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

impl HuggingfaceRequest {
    /// Returns the hubs to ask.
    pub fn hubs(&self) -> Result<Vec<Url>> {
        if self.endpoints.is_empty() {
            let hub = Url::parse(crate::fetch::HUB);
            return hub
                .map(|hub| vec![hub])
                .map_err(|error| Error::failure("invalid built-in hub address").because(&error));
        }
        Ok(self.endpoints.clone())
    }

    /// Returns the model's name, in the form of `huggingface-cli` and llama.cpp's `-hf`.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.model {
            ModelChoice::File(file) => format!("{}/{file}", self.repo),
            ModelChoice::Quantisation(quantisation) => format!("{}:{quantisation}", self.repo),
        }
    }
}

/// Asks the hubs in order. An unreachable hub is skipped; the first answer about the repository is final.
pub fn look_up(request: &HuggingfaceRequest, documents: &dyn Documents) -> Result<Found> {
    let mut failure = None;
    for hub in request.hubs()? {
        let mut url = below(&hub, &format!("api/models/{}/revision/{}", request.repo, escape_part(&request.revision)))?;
        url.set_query(Some("blobs=true"));
        match documents.get(&url, LONGEST) {
            Ok(found) => {
                let answer = answer::parse(&found.body, &url)?;
                let chosen = choice::choose(&answer.files, &request.model)
                    .map_err(|error| error.fact("repository", &request.repo).fact("commit", &answer.commit))?;
                let notes = notes(request, &answer, &chosen.files);
                return Ok(Found { commit: answer.commit, files: chosen.files, beside: chosen.beside, notes });
            }
            Err(error) if error.kind() == Kind::NotFound => return Err(error),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(failure.unwrap_or_else(|| Error::failure("there is no hub to ask")))
}

/// Returns notes on an answer that can be used.
fn notes(request: &HuggingfaceRequest, answer: &answer::Answer, files: &[HubFile]) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(name) = answer.repository.as_ref().filter(|name| **name != request.repo) {
        notes.push(format!("the repository {} is called {name} now", request.repo));
    }
    if answer.nameless > 0 {
        notes.push(format!("{} files of the hub's list have invalid names and were skipped", answer.nameless));
    }
    let pieces = files.iter().filter_map(|file| Some((file, Piece::parse(&file.path)?)));
    notes.extend(pieces.map(|(file, piece)| format!("`{}`: {}", file.path, piece.warning())));
    notes
}

/// Returns the URLs of a file of a commit at each of the hubs.
#[must_use]
pub fn file_urls(hubs: &[Url], repo: &str, commit: &str, path: &str) -> Vec<Url> {
    let place = format!("{repo}/resolve/{commit}/{}", escape_path(path));
    hubs.iter().filter_map(|hub| below(hub, &place).ok()).collect()
}

fn below(hub: &Url, path: &str) -> Result<Url> {
    let text = format!("{}/{path}", hub.as_str().trim_end_matches('/'));
    Url::parse(&text).map_err(|error| Error::new(Kind::Invalid, "invalid hub address").because(&error))
}
