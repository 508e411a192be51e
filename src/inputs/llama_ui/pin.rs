//! A pinned web UI.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::LlamaUiRequest;
use crate::digest::Sha256Digest;
use crate::inputs::archive::Archive;
use crate::inputs::{Block, Pinned, TreePin, Trust};
use crate::page::fact;
use crate::page::script::Script;
use crate::urls::unfetchable;

/// A pinned web UI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlamaUiPin {
    /// The build number of the sources that it is for.
    #[serde(rename = "for")]
    pub wanted: u64,
    /// The bundle; absent if the sources have the files themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Bundle>,
}

/// A pinned bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The build number that it was published for.
    pub number: u64,
    /// The directory of the sources that its files are laid into.
    pub directory: String,
    /// Its URLs.
    pub urls: Vec<Url>,
    /// Size in bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Sha256Digest,
    /// True if a digest is published for it; otherwise it is that of the first download.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vouched: bool,
    /// The tree in it.
    pub tree: TreePin,
}

impl Bundle {
    /// Returns the name under which it is downloaded by whoever checks it: that of one bundle only.
    fn download(&self) -> String {
        format!("ui-{}.tar.gz", &self.sha256.hex()[..12])
    }

    /// Returns the archive that it is.
    fn archive<'p>(&'p self, file: &'p str) -> Archive<'p> {
        Archive { file, urls: &self.urls, sha256: self.sha256, wrapped: false, tree: &self.tree }
    }
}

impl LlamaUiPin {
    /// Returns true if there can be no better bundle for the sources.
    pub(super) fn is_exact(&self) -> bool {
        self.bundle.as_ref().is_none_or(|bundle| bundle.number == self.wanted)
    }
}

/// Returns a sentence about the bundle of an older build.
pub(super) fn older(number: u64, wanted: u64) -> String {
    format!("b{wanted} has no web UI of its own; this is that of b{number}, the nearest older one")
}

impl Pinned for Block<LlamaUiRequest> {
    fn version(&self) -> String {
        let LlamaUiPin { wanted, bundle } = &self.locked;
        match bundle {
            None => format!("in the sources of b{wanted}"),
            Some(bundle) if bundle.number == *wanted => format!("b{wanted}"),
            Some(bundle) => format!("b{} for b{wanted}", bundle.number),
        }
    }

    fn address(&self) -> Option<Url> {
        self.locked.bundle.as_ref()?.urls.first().cloned()
    }

    fn size(&self) -> u64 {
        self.locked.bundle.as_ref().map_or(0, |bundle| bundle.size)
    }

    fn visible(&self) -> Value {
        serde_json::json!({ "tree": self.locked.bundle.as_ref().map(|bundle| bundle.tree.digest) })
    }

    fn fault(&self) -> Option<String> {
        let bundle = self.locked.bundle.as_ref()?;
        if bundle.number > self.locked.wanted {
            return Some("the web UI is that of a newer build than its sources".to_owned());
        }
        if !crate::tree::is_path(bundle.directory.as_bytes()) {
            return Some(format!("invalid directory `{}` of the web UI", bundle.directory));
        }
        unfetchable(&bundle.urls)
    }

    fn report(&self, page: &mut String) {
        fact(page, "web UI for", &format!("{} b{}", self.requested.source, self.locked.wanted));
        let Some(bundle) = &self.locked.bundle else {
            page.push_str("- the sources have its files themselves: nothing is fetched\n");
            return;
        };
        fact(page, "published for", &format!("b{}", bundle.number));
        if !self.locked.is_exact() {
            fact(page, "note", &older(bundle.number, self.locked.wanted));
        }
        fact(page, "laid into the sources at", &bundle.directory);
        fact(page, "size", &format!("{} bytes", bundle.size));
        bundle.archive(&bundle.download()).report(page, "ui");
    }

    fn trust(&self) -> Trust {
        match &self.locked.bundle {
            None => Trust::AsThatOf(self.requested.source.clone()),
            Some(bundle) if bundle.vouched => Trust::Published,
            Some(_) => Trust::FirstUse,
        }
    }

    fn unverified(&self) -> Vec<String> {
        let Some(bundle) = &self.locked.bundle else { return Vec::new() };
        vec![format!("That the web UI was built from the sources of b{} is the word of its publisher.", bundle.number)]
    }

    fn rebuild(&self, name: &str, script: &mut Script) -> Result<(), String> {
        match &self.locked.bundle {
            // The sources have the files.
            None => script.run(&["mkdir", &format!("inputs/{name}")]),
            Some(bundle) => bundle.archive(&bundle.download()).rebuild(name, script),
        }
        Ok(())
    }

    fn tree(&self) -> Option<&TreePin> {
        self.locked.bundle.as_ref().map(|bundle| &bundle.tree)
    }
}
