//! A pinned web UI.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::LlamaUiRequest;
use crate::digest::Sha256Digest;
use crate::inputs::{Block, Pinned, TreePin};
use crate::page::{commands, fact};
use crate::text;
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
    /// The tree in it.
    pub tree: TreePin,
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
        fact(page, "digest", &bundle.sha256.to_string());
        for url in &bundle.urls {
            fact(page, "url", url.as_str());
        }
        bundle.tree.report(page);
        let url = bundle.urls.first().map(ToString::to_string).unwrap_or_default();
        let [nar, tree] = bundle.tree.commands("ui");
        commands(
            page,
            &[
                &format!("curl -fLo ui.tar.gz {}", text::shell_word(&url)),
                &format!("echo '{}  ui.tar.gz' | sha256sum -c", bundle.sha256.hex()),
                "mkdir ui && tar -xzf ui.tar.gz -C ui --no-same-owner",
                &nar,
                &tree,
            ],
        );
    }

    fn tree(&self) -> Option<&TreePin> {
        self.locked.bundle.as_ref().map(|bundle| &bundle.tree)
    }
}
