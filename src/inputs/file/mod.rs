//! Input kind `file`: any file by its URL, or the tree in an archive.
//!
//! ```toml
//! [inputs.model]
//! type = "file"
//! url = "https://host/model.gguf"
//! urls = []                    # more URLs of the same bytes
//! unpack = true                # the file is a tar archive: a source for builds
//! ```

mod pin;
mod resolve;
mod supply;
mod unpacked;

use serde::{Deserialize, Serialize};
use url::Url;

use super::Request;
use crate::error::Result;
use crate::fields::{SourceText, Table, urls};

pub use pin::FilePin;

/// A wanted file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRequest {
    /// URLs of the file, which all have the same bytes.
    pub urls: Vec<Url>,
    /// Take the tree in the file, which is an archive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unpack: bool,
}

impl Request for FileRequest {
    type Pin = FilePin;

    fn parse(source: &SourceText, fields: &Table) -> Result<Self> {
        let unpack = fields.flag("unpack");
        let mut all = fields.texts("urls")?.unwrap_or_default();
        if let Some(url) = fields.text("url")? {
            all.insert(0, url);
        }
        if all.is_empty() {
            return Err(fields.missing("url", &["urls"]));
        }
        Ok(Self { urls: urls(source, all)?, unpack: unpack? })
    }

    fn asks(&self) -> Result<Vec<String>> {
        Ok(self.urls.iter().map(Url::to_string).collect())
    }
}
