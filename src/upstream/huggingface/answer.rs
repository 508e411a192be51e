//! The hub's answer about a revision. It is parsed piece by piece, since the hub adds fields at will. Faults of files
//! that are not requested do not matter.

use std::collections::HashMap;

use serde_json::Value;
use tracing::debug;
use url::Url;

use super::{HubFile, is_file, is_repository};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::log::LISTS;
use crate::upstream::git::is_commit;
use crate::urls::show_url;

/// The parts of the answer that are read.
pub(super) struct Answer {
    /// `sha`
    pub commit: String,
    /// `id`: the current name of the repository.
    pub repository: Option<String>,
    /// `siblings`
    pub files: Vec<HubFile>,
    /// Number of files with an invalid name.
    pub nameless: usize,
}

pub(super) fn parse(body: &[u8], url: &Url) -> Result<Answer> {
    let broken = |why: &str| {
        Error::new(Kind::Mismatch, format!("invalid answer from the model hub: {why}"))
            .fact("url", show_url(url))
            .hint("an endpoint must speak the API of huggingface.co")
    };
    let value: Value = serde_json::from_slice(body).map_err(|error| broken("it is not JSON").because(&error))?;
    let commit = value.get("sha").and_then(Value::as_str).filter(|sha| is_commit(sha));
    let commit = commit.ok_or_else(|| broken("it names no commit"))?.to_owned();
    let repository = value.get("id").and_then(Value::as_str).filter(|id| is_repository(id)).map(str::to_owned);
    let siblings = value.get("siblings").and_then(Value::as_array).ok_or_else(|| broken("it lists no files"))?;
    let mut files: Vec<HubFile> = Vec::with_capacity(siblings.len());
    let mut by_path: HashMap<&str, usize> = HashMap::with_capacity(siblings.len());
    let mut nameless = 0;
    for sibling in siblings {
        // A file with an invalid name cannot be requested.
        let Some(path) = sibling.get("rfilename").and_then(Value::as_str).filter(|path| is_file(path)) else {
            debug!(target: LISTS, "a file of the hub's list is skipped: invalid name {}", sibling["rfilename"]);
            nameless += 1;
            continue;
        };
        let file = read(path, sibling);
        match by_path.get(path) {
            None => {
                by_path.insert(path, files.len());
                files.push(file);
            }
            Some(index) if files[*index] != file => files[*index].fault = Some("it is listed twice, and differs"),
            Some(_) => {}
        }
    }
    Ok(Answer { commit, repository, files, nameless })
}

/// Reads one file, with its fault if it has one.
fn read(path: &str, sibling: &Value) -> HubFile {
    let lfs = sibling.get("lfs").filter(|lfs| !lfs.is_null());
    let size = lfs.and_then(|lfs| lfs.get("size")).or_else(|| sibling.get("size")).and_then(Value::as_u64);
    // The tree API calls this digest `oid`. A file without one is hashed when it is downloaded; ETags are never used.
    let said = lfs.and_then(|lfs| ["sha256", "oid"].iter().find_map(|key| lfs.get(key).filter(|said| !said.is_null())));
    let sha256 = said.map(|said| {
        let hex = said.as_str()?;
        Sha256Digest::from_hex(hex.strip_prefix("sha256:").unwrap_or(hex))
    });
    let (sha256, fault) = match sha256 {
        Some(None) => (None, Some("its digest in LFS is not a SHA-256")),
        Some(sha256) => (sha256, None),
        None => (None, None),
    };
    HubFile { path: path.to_owned(), size, sha256, fault }
}
