//! A pinned model of the Hugging Face hub.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::digest::Sha256Digest;
use crate::gguf::Gguf;
use crate::upstream::git::is_commit;
use crate::upstream::huggingface::{file_urls, is_file, is_repository};
use crate::urls::{is_fetchable, show_url};

/// A pinned model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HuggingfacePin {
    /// The hubs that have it.
    pub endpoints: Vec<Url>,
    /// Owner and name of the repository.
    pub repo: String,
    /// 40 hex digits.
    pub commit: String,
    /// The file; of a split model, its parts in order.
    pub files: Vec<ModelFile>,
    /// What the files say of themselves, where they are GGUF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gguf: Option<Gguf>,
}

/// A file of a pinned model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its path in the repository, and in the tree of a `model` output.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Sha256Digest,
}

impl HuggingfacePin {
    /// Where a file of it can be had.
    #[must_use]
    pub fn urls(&self, file: &ModelFile) -> Vec<Url> {
        file_urls(&self.endpoints, &self.repo, &self.commit, &file.path)
    }

    /// The bytes of all files.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).fold(0, u64::saturating_add)
    }

    /// What a person calls it: the first file's name, and the commit.
    #[must_use]
    pub fn version(&self) -> String {
        let name = self.files.first().and_then(|file| file.path.rsplit('/').next()).unwrap_or_default();
        format!("{name} ({})", self.commit.get(..12).unwrap_or(&self.commit))
    }

    /// What of it can show in what is made from it: not where it came from.
    pub(super) fn visible(&self) -> Value {
        let files = self.files.iter().map(|file| serde_json::json!({ "path": file.path, "sha256": file.sha256 }));
        serde_json::json!({ "files": files.collect::<Vec<_>>() })
    }

    /// What no update would write, if there is such a thing.
    pub(super) fn fault(&self) -> Option<String> {
        if !is_repository(&self.repo) || !is_commit(&self.commit) {
            return Some("it names no commit of a repository".to_owned());
        }
        if let Some(url) = self.endpoints.iter().find(|url| !is_fetchable(url)) {
            return Some(format!("`{}` cannot be fetched", show_url(url)));
        }
        let paths: BTreeSet<&str> =
            self.files.iter().map(|file| file.path.as_str()).filter(|path| is_file(path)).collect();
        let sound = !paths.is_empty() && paths.len() == self.files.len();
        // A file cannot stand where another one has a directory.
        let nested =
            |path: &&str| paths.iter().any(|other| other.strip_prefix(*path).is_some_and(|rest| rest.starts_with('/')));
        (!sound || paths.iter().any(nested)).then(|| "its files are not paths, each once".to_owned())
    }
}
