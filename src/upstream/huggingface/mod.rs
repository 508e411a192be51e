//! Input kind `huggingface`: a model file of the Hugging Face hub, pinned to a commit, sizes and digests.
//!
//! One question to the hub's API answers all: `/api/models/<repo>/revision/<revision>?blobs=true` names the commit and every
//! file with its size and, as large files are kept in Git LFS, its SHA-256. Which file is meant is decided here. Small files that
//! git itself holds have no SHA-256 there; theirs is made when they are downloaded.
//!
//! By quantisation the model is taken that llama.cpp's `-hf` takes: not the projector, importance matrix or draft head beside
//! it, which carry the same quantisation. Those are told, and each can be an input of its own.

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

/// The longest answer of the API that is read, in bytes: a few hundred for each file of a repository.
const LONGEST: u64 = 32 << 20;

/// A wanted model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HuggingfaceRequest {
    /// Owner and name, as in `unsloth/gemma-3-1b-it-GGUF`.
    pub repo: String,
    /// A branch, tag or commit of it.
    pub revision: String,
    /// Which model of the repository.
    pub model: ModelChoice,
    /// Hubs to ask in place of Hugging Face's own: the first for what the request means, all of them for the files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Url>,
}

/// Which model of a repository is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelChoice {
    /// The file at this path; of a split model, the first part stands for all.
    File(String),
    /// The model whose file name carries this quantisation, such as `Q4_K_M`.
    Quantisation(String),
}

/// One file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFile {
    /// Its path in the repository.
    pub path: String,
    /// Bytes, where the hub says so.
    pub size: Option<u64>,
    /// Its digest, where it is kept in LFS.
    pub sha256: Option<Sha256Digest>,
    /// Statement of the hub on it that cannot be true; of no weight where nobody wants the file.
    pub fault: Option<&'static str>,
}

/// What a request means today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The commit, 40 hex digits.
    pub commit: String,
    /// The model's file, or its parts in order.
    pub files: Vec<HubFile>,
    /// Paths of files that go with the model, or carry the same quantisation, and were not taken.
    pub beside: Vec<String>,
    /// Remarks that are to be told.
    pub notes: Vec<String>,
}

impl HuggingfaceRequest {
    /// The hubs to ask.
    pub fn hubs(&self) -> Result<Vec<Url>> {
        if self.endpoints.is_empty() {
            let hub = Url::parse(crate::fetch::HUB);
            return hub.map(|hub| vec![hub]).map_err(|error| Error::failure("no hub").because(&error));
        }
        Ok(self.endpoints.clone())
    }

    /// What a person calls it: as `huggingface-cli` and llama.cpp's `-hf` do.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.model {
            ModelChoice::File(file) => format!("{}/{file}", self.repo),
            ModelChoice::Quantisation(quantisation) => format!("{}:{quantisation}", self.repo),
        }
    }
}

/// Asks the hub. One that cannot be reached is passed over for the next; what one says of the repository counts.
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

/// Returns what is worth telling of an answer that is good enough.
fn notes(request: &HuggingfaceRequest, answer: &answer::Answer, files: &[HubFile]) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(name) = answer.repository.as_ref().filter(|name| **name != request.repo) {
        notes.push(format!("the repository {} is called {name} now", request.repo));
    }
    if answer.nameless > 0 {
        notes.push(format!("{} files of the hub's list have no usable name and were passed over", answer.nameless));
    }
    let pieces = files.iter().filter_map(|file| Some((file, Piece::parse(&file.path)?)));
    notes.extend(pieces.map(|(file, piece)| format!("`{}`: {}", file.path, piece.warning())));
    notes
}

/// Where a file of a commit can be had, at each of the hubs.
#[must_use]
pub fn file_urls(hubs: &[Url], repo: &str, commit: &str, path: &str) -> Vec<Url> {
    let place = format!("{repo}/resolve/{commit}/{}", escape_path(path));
    hubs.iter().filter_map(|hub| below(hub, &place).ok()).collect()
}

fn below(hub: &Url, path: &str) -> Result<Url> {
    let text = format!("{}/{path}", hub.as_str().trim_end_matches('/'));
    Url::parse(&text).map_err(|error| Error::new(Kind::Invalid, "this is no address of a hub").because(&error))
}
