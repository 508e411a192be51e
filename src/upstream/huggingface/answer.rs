//! The hub's answer about a revision. Parsed piece by piece, since the hub adds fields as it likes.

use serde_json::Value;
use url::Url;

use super::{HubFile, is_file};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::fetch::show_url;
use crate::manifest::rules;

/// What is read of the answer.
pub(super) struct Answer {
    /// `sha`
    pub commit: String,
    /// `siblings`
    pub files: Vec<HubFile>,
}

pub(super) fn parse(body: &[u8], url: &Url) -> Result<Answer> {
    let broken = |why: &str| {
        Error::new(Kind::Mismatch, format!("this is no answer of a model hub: {why}"))
            .fact("url", show_url(url))
            .hint("an endpoint must speak the API of huggingface.co")
    };
    let value: Value = serde_json::from_slice(body).map_err(|error| broken("it is no JSON").because(&error))?;
    let commit = value.get("sha").and_then(Value::as_str).filter(|sha| rules::is_commit(sha));
    let commit = commit.ok_or_else(|| broken("it names no commit"))?.to_owned();
    let siblings = value.get("siblings").and_then(Value::as_array).ok_or_else(|| broken("it lists no files"))?;
    let mut files = Vec::with_capacity(siblings.len());
    for sibling in siblings {
        let path = sibling.get("rfilename").and_then(Value::as_str).ok_or_else(|| broken("a file has no name"))?;
        // A name that no file of ours could have is not one that anybody can ask for.
        if !is_file(path) {
            continue;
        }
        let lfs = sibling.get("lfs").filter(|lfs| !lfs.is_null());
        let sha256 = match lfs {
            None => None,
            Some(lfs) => {
                let hex = lfs.get("sha256").and_then(Value::as_str).and_then(Sha256Digest::from_hex);
                Some(hex.ok_or_else(|| broken("a file in LFS has no SHA-256"))?)
            }
        };
        let size = lfs.and_then(|lfs| lfs.get("size")).or_else(|| sibling.get("size")).and_then(Value::as_u64);
        files.push(HubFile { path: path.to_owned(), size, sha256 });
    }
    Ok(Answer { commit, files })
}
