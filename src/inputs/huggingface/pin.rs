//! A pinned model of the Hugging Face hub.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::report;
use crate::gguf::Gguf;
use crate::inputs::{Block, ModelFile, Pinned, Trust};
use crate::page::script::Script;
use crate::upstream::git::is_commit;
use crate::upstream::huggingface::{HuggingfaceRequest, file_urls, is_file, is_repository};
use crate::urls::unfetchable;

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
    /// The file, or the parts of a split model in order.
    pub files: Vec<ModelFile>,
    /// Facts in the headers of the files, if they are GGUF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gguf: Option<Gguf>,
}

impl HuggingfacePin {
    /// Returns the URLs of one of its files.
    #[must_use]
    pub fn urls(&self, file: &ModelFile) -> Vec<Url> {
        file_urls(&self.endpoints, &self.repo, &self.commit, &file.path)
    }

    /// The bytes of all files.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).fold(0, u64::saturating_add)
    }

    /// Returns the version for people: the first file's name, and the commit.
    #[must_use]
    pub fn version(&self) -> String {
        let name = self.files.first().and_then(|file| file.path.rsplit('/').next()).unwrap_or_default();
        format!("{name} ({})", self.commit.get(..12).unwrap_or(&self.commit))
    }
}

impl Pinned for Block<HuggingfaceRequest> {
    fn version(&self) -> String {
        self.locked.version()
    }

    fn short_version(&self) -> String {
        let name = self.locked.files.first().and_then(|file| file.path.rsplit('/').next());
        name.unwrap_or_default().to_owned()
    }

    fn address(&self) -> Option<Url> {
        let mut url = self.locked.endpoints.first()?.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend(self.locked.repo.split('/'));
        Some(url)
    }

    fn size(&self) -> u64 {
        self.locked.size()
    }

    fn visible(&self) -> Value {
        let files =
            self.locked.files.iter().map(|file| serde_json::json!({ "path": file.path, "sha256": file.sha256 }));
        serde_json::json!({ "files": files.collect::<Vec<_>>() })
    }

    fn fault(&self) -> Option<String> {
        let pin = &self.locked;
        if !is_repository(&pin.repo) || !is_commit(&pin.commit) {
            return Some("it names no commit of a repository".to_owned());
        }
        if let Some(fault) = unfetchable(&pin.endpoints) {
            return Some(fault);
        }
        let paths: BTreeSet<&str> =
            pin.files.iter().map(|file| file.path.as_str()).filter(|path| is_file(path)).collect();
        let sound = !paths.is_empty() && paths.len() == pin.files.len();
        // A file and a directory cannot have the same path.
        let nested =
            |path: &&str| paths.iter().any(|other| other.strip_prefix(*path).is_some_and(|rest| rest.starts_with('/')));
        (!sound || paths.iter().any(nested)).then(|| "its files are not paths, each once".to_owned())
    }

    fn report(&self, page: &mut String) {
        report::report(page, &self.locked);
    }

    fn trust(&self) -> Trust {
        Trust::Published
    }

    fn lists(&self, name: &str, page: &mut String) {
        report::lists(name, page, &self.locked);
    }

    fn rebuild(&self, name: &str, script: &mut Script) -> Result<(), String> {
        report::rebuild(name, &self.locked, script);
        Ok(())
    }

    fn gguf(&self) -> Option<&Gguf> {
        self.locked.gguf.as_ref()
    }

    fn model_files(&self) -> Vec<ModelFile> {
        self.locked.files.clone()
    }
}
