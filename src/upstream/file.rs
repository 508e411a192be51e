//! Input kind `file`: any file by its URL.

use serde::{Deserialize, Serialize};
use url::Url;

/// A wanted file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRequest {
    /// Where it can be had; each of them gives the same bytes.
    pub urls: Vec<Url>,
}
