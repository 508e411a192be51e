//! The API's answer about a release, or about a page of them. It is parsed piece by piece, since forges add fields at
//! will. Faults of files that are not wanted do not matter.

use serde_json::Value;
use tracing::debug;
use url::Url;

use super::{Asset, Release};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::log::LISTS;
use crate::urls::{has_login, show_url};

/// Longest name of a file or tag.
const LONGEST_NAME: usize = 255;

/// Returns true for a valid name of a file: it becomes a part of a URL, a cell of a table and a word of a command.
#[must_use]
pub fn is_asset(name: &str) -> bool {
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && c != '/' && c != '\\';
    !name.is_empty() && name.len() <= LONGEST_NAME && !name.starts_with(['.', '-']) && name.chars().all(plain)
}

/// Returns true for a valid name of a tag.
fn is_tag(tag: &str) -> bool {
    !tag.is_empty() && tag.len() <= LONGEST_NAME && !tag.contains(|c: char| c.is_control() || c.is_whitespace())
}

/// Returns the error for an answer that cannot be used.
pub(super) fn broken(url: &Url, why: &str) -> Error {
    Error::new(Kind::Mismatch, format!("invalid answer about releases: {why}"))
        .fact("url", show_url(url))
        .hint("`api` must lead to an API like that of GitHub, Forgejo or Gitea")
}

/// Parses the answer about one release.
pub(super) fn release(body: &[u8], url: &Url) -> Result<Release> {
    read(&json(body, url)?).ok_or_else(|| broken(url, "it has no valid `tag_name`"))
}

/// Parses a page of releases. Also returns the number of entries without a valid tag.
pub(super) fn releases(body: &[u8], url: &Url) -> Result<(Vec<Release>, usize)> {
    let value = json(body, url)?;
    let all = value.as_array().ok_or_else(|| broken(url, "it is not a list"))?;
    let read: Vec<Release> = all.iter().filter_map(read).collect();
    let nameless = all.len() - read.len();
    if nameless > 0 {
        debug!(target: LISTS, "{nameless} releases of {} are skipped: invalid tags", show_url(url));
    }
    Ok((read, nameless))
}

fn json(body: &[u8], url: &Url) -> Result<Value> {
    serde_json::from_slice(body).map_err(|error| broken(url, "it is not JSON").because(&error))
}

fn read(value: &Value) -> Option<Release> {
    let tag = value.get("tag_name")?.as_str().filter(|tag| is_tag(tag))?.to_owned();
    let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
    let published = value.get("published_at").and_then(Value::as_str);
    let published = published.and_then(|text| text.parse::<jiff::Timestamp>().ok()).map(jiff::Timestamp::as_second);
    let listed = value.get("assets").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let assets: Vec<Asset> = listed.iter().filter_map(asset).collect();
    let nameless = listed.len() - assets.len();
    Some(Release { tag, draft: flag("draft"), prerelease: flag("prerelease"), published, assets, nameless })
}

fn asset(value: &Value) -> Option<Asset> {
    let name = value.get("name")?.as_str().filter(|name| is_asset(name))?.to_owned();
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let url = text("browser_download_url").and_then(|text| Url::parse(text).ok());
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && !has_login(url));
    // Other algorithms than SHA-256 are no help: the pin has that one.
    let said = text("digest").and_then(|digest| digest.strip_prefix("sha256:"));
    let sha256 = said.and_then(Sha256Digest::from_hex);
    let fault = if text("state").is_some_and(|state| state != "uploaded") {
        Some("it is not uploaded yet")
    } else if said.is_some() && sha256.is_none() {
        Some("its digest is not a SHA-256")
    } else if url.is_none() {
        Some("it has no address that can be downloaded")
    } else {
        None
    };
    Some(Asset { name, url, size: value.get("size").and_then(Value::as_u64), sha256, fault })
}
