//! A pinned file.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::FileRequest;
use crate::digest::Sha256Digest;
use crate::gguf::Gguf;
use crate::inputs::archive::Archive;
use crate::inputs::{Block, ModelFile, Pinned, TreePin, model};
use crate::page::script::Script;
use crate::page::{cell, commands, fact};
use crate::text;
use crate::urls::unfetchable;

/// A pinned file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePin {
    /// URLs of the file.
    pub urls: Vec<Url>,
    /// Size in bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Sha256Digest,
    /// Facts in its header, if it is a GGUF file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gguf: Option<Gguf>,
    /// The tree in it, if it is an archive to be unpacked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<TreePin>,
    /// True if a directory around everything in the archive was taken off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wrapped: bool,
}

impl FilePin {
    /// Returns the file's name in a tree: the last part of its first URL.
    #[must_use]
    pub fn name(&self) -> String {
        let last = self.urls.first().and_then(|url| url.path().rsplit('/').next()).unwrap_or_default();
        let name = percent_encoding::percent_decode_str(last).decode_utf8_lossy().into_owned();
        let sound = !name.contains('/') && !name.contains(char::is_control) && crate::tree::is_path(name.as_bytes());
        if sound { name } else { "file".to_owned() }
    }

    /// Returns the name under which it is downloaded by whoever checks it: that of one file only.
    fn download(&self) -> String {
        format!("archive-{}", &self.sha256.hex()[..12])
    }

    /// Returns the archive that it is, if it is to be unpacked.
    fn archive<'p>(&'p self, file: &'p str) -> Option<Archive<'p>> {
        let (urls, sha256, wrapped) = (&self.urls, self.sha256, self.wrapped);
        Some(Archive { file, urls, sha256, wrapped, tree: self.content.as_ref()? })
    }
}

impl Pinned for Block<FileRequest> {
    fn version(&self) -> String {
        format!("sha256:{}…", &self.locked.sha256.hex()[..12])
    }

    fn short_version(&self) -> String {
        self.locked.name()
    }

    fn address(&self) -> Option<Url> {
        self.locked.urls.first().cloned()
    }

    fn size(&self) -> u64 {
        self.locked.size
    }

    fn visible(&self) -> Value {
        match &self.locked.content {
            None => serde_json::json!({ "name": self.locked.name(), "sha256": self.locked.sha256 }),
            // Another archive with the same tree gives the same output.
            Some(content) => serde_json::json!({ "content": content.digest }),
        }
    }

    fn fault(&self) -> Option<String> {
        if self.requested.unpack != self.locked.content.is_some() {
            return Some("the tree of an unpacked archive is missing, or it is not to be unpacked".to_owned());
        }
        unfetchable(&self.locked.urls)
    }

    fn report(&self, page: &mut String) {
        let pin = &self.locked;
        fact(page, "size", &format!("{} bytes", pin.size));
        if let Some(archive) = pin.archive(&pin.download()) {
            archive.report(page, "source");
            return;
        }
        for mirror in pin.urls.iter().skip(1) {
            fact(page, "also at", mirror.as_str());
        }
        model::report(page, pin.gguf.as_ref());
        let url = text::shell_word(&pin.urls.first().map(ToString::to_string).unwrap_or_default());
        commands(page, &[&format!("curl -fL {url} | sha256sum   # {}", pin.sha256.hex())]);
    }

    fn tree(&self) -> Option<&TreePin> {
        self.locked.content.as_ref()
    }

    fn unverified(&self) -> Vec<String> {
        vec![format!("The digest of `{}` is that of the first download.", cell(&self.locked.name()))]
    }

    fn rebuild(&self, name: &str, script: &mut Script) -> Result<(), String> {
        let pin = &self.locked;
        match pin.archive(&pin.download()) {
            Some(archive) => archive.rebuild(name, script),
            None => model::rebuild(name, &self.model_files(), "fetch", |_| pin.urls.clone(), script),
        }
        Ok(())
    }

    fn gguf(&self) -> Option<&Gguf> {
        self.locked.gguf.as_ref()
    }

    fn model_files(&self) -> Vec<ModelFile> {
        let pin = &self.locked;
        if pin.content.is_some() {
            return Vec::new();
        }
        vec![ModelFile { path: pin.name(), size: pin.size, sha256: pin.sha256 }]
    }
}
