//! Input kind `llama-ui`: the web UI of llama-server, as a bundle that is published for each build of llama.cpp.
//!
//! ```toml
//! [inputs.llama-cpp-ui]             # written by nobody as a rule: `ui = "upstream"` of an output asks for it
//! type = "llama-ui"
//! for = "llama-cpp"                 # the input with the sources, whose build number decides
//! sources = ["https://host/b{number}/dist.tar.gz"]   # in place of llama.cpp's own; the digest is beside it, `.sha256`
//! ```

mod look_up;
mod pin;
mod resolve;
mod supply;

use serde::{Deserialize, Serialize};
use url::Url;

use super::Request;
use crate::error::Result;
use crate::fields::{SourceText, Table, urls};

use look_up::NUMBER;
pub use pin::LlamaUiPin;

/// A wanted web UI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlamaUiRequest {
    /// The input with the sources that it is for.
    #[serde(rename = "for")]
    pub source: String,
    /// URLs of bundles, with `{number}` in the place of the build number, instead of llama.cpp's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

impl LlamaUiRequest {
    /// Returns the request for the bundle that llama.cpp publishes for the sources in this input.
    #[must_use]
    pub fn upstream(source: &str) -> Self {
        Self { source: source.to_owned(), sources: Vec::new() }
    }
}

impl Request for LlamaUiRequest {
    type Pin = LlamaUiPin;

    fn parse(source: &SourceText, fields: &Table) -> Result<Self> {
        let sources = fields.texts("sources")?.unwrap_or_default();
        if let Some(wrong) = sources.iter().find(|text| !text.get_ref().contains(NUMBER)) {
            let label = "such as \"https://host/b{number}/dist.tar.gz\"";
            return Err(source.error(wrong.span(), "a source of bundles needs `{number}` for the build number", label));
        }
        let texts = sources.iter().map(|text| text.get_ref().clone()).collect();
        let with_number = sources.into_iter().map(|text| {
            let filled = look_up::filled(text.get_ref(), 1);
            toml::Spanned::new(text.span(), filled)
        });
        let _: Vec<Url> = urls(source, with_number.collect())?;
        let followed = fields.text("for")?.map_or_else(|| "llama-cpp".to_owned(), toml::Spanned::into_inner);
        Ok(Self { source: followed, sources: texts })
    }

    fn follows(&self) -> Option<&str> {
        Some(&self.source)
    }
}
