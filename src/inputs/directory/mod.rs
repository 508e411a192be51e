//! Input kind `directory`: files of the project itself, such as patched libraries, pinned by their tree digest.
//!
//! ```toml
//! [inputs.patched-hip]
//! type = "directory"
//! path = "overlays/hip"        # relative to the manifest
//! ```

mod pin;
mod resolve;
mod supply;

use serde::{Deserialize, Serialize};

use super::Request;
use super::project::is_project_path;
use crate::error::Result;
use crate::fields::{SourceText, Table};

pub use pin::DirectoryPin;

/// A wanted directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryRequest {
    /// Its path, relative to the manifest.
    pub path: String,
}

impl Request for DirectoryRequest {
    type Pin = DirectoryPin;

    fn parse(source: &SourceText, fields: &Table) -> Result<Self> {
        let path = fields.needed("path")?;
        if !is_project_path(path.get_ref()) {
            return Err(source.error(
                path.span(),
                "invalid path of a directory",
                "relative to the manifest, such as \"overlays/hip\"",
            ));
        }
        Ok(Self { path: path.into_inner() })
    }
}
