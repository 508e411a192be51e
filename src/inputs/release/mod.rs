//! Input kind `release`: a file of a release that a forge publishes, and the tree in it. [`crate::upstream::release`]
//! does the look-ups.
//!
//! ```toml
//! [inputs.llama-release]
//! type = "release"
//! url = "https://github.com/ggml-org/llama.cpp"
//! asset = "llama-b{number}-bin-ubuntu-rocm-{rocm}-x64.tar.gz"
//! # without any of these, the newest release that has such a file
//! # tag = "b11429"             # or another tag of the same commit: "v0.6.0"
//! # release = "latest"         # the newest tag v...; or a range of versions: ">=0.9, <1"
//! # api = "https://..."        # where the forge of another host has its API for this repository
//! ```

mod pin;
mod report;
mod resolve;
mod supply;

use std::ops::Range;

use super::Request;
use super::git::git_url;
use crate::error::Result;
use crate::fields::{SourceText, Table, urls};
use crate::upstream::git::{demand_range, release_version};
use crate::upstream::release::{AssetPattern, ReleaseRef, ReleaseRequest};

pub use pin::ReleasePin;
pub use resolve::{at_tag, build_tags};

impl Request for ReleaseRequest {
    type Pin = ReleasePin;
    const ALTERNATIVES: &'static [&'static str] = &["tag", "release"];

    fn parse(source: &SourceText, fields: &Table) -> Result<Self> {
        fields.later(&["url", "asset"]);
        let (wanted, api) = (wanted(source, fields), api(source, fields));
        let asset = fields.text("asset");
        let request = Self {
            url: git_url(source, &fields.needed("url")?)?,
            wanted: wanted?,
            api: api?,
            asset: match asset? {
                Some(text) => text.get_ref().parse::<AssetPattern>().map_err(|error| source.at(text.span(), &error))?,
                None => return Err(fields.missing("asset", &[])),
            },
        };
        request.api_base().map_err(|error| source.at(fields.span.clone(), &error))?;
        Ok(request)
    }

    fn unheld(&self) -> Option<Self> {
        let newest = match &self.wanted {
            ReleaseRef::Newest => return None,
            ReleaseRef::Range(range) if range == "latest" => return None,
            ReleaseRef::Range(_) => ReleaseRef::Range("latest".to_owned()),
            ReleaseRef::Tag(tag) if release_version(tag).is_some() => ReleaseRef::Range("latest".to_owned()),
            ReleaseRef::Tag(_) => ReleaseRef::Newest,
        };
        Some(Self { wanted: newest, ..self.clone() })
    }
}

/// Reads the address of the API.
fn api(source: &SourceText, fields: &Table) -> Result<Option<url::Url>> {
    let text = fields.text("api")?;
    Ok(urls(source, text.into_iter().collect())?.pop())
}

/// Reads the field that says which release is wanted.
fn wanted(source: &SourceText, fields: &Table) -> Result<ReleaseRef> {
    fields.later(&["tag", "release"]);
    let tag = field(fields, "tag")?;
    let range = field(fields, "release")?;
    match (tag, range) {
        (Some((_, _)), Some((span, _))) => {
            Err(source.error(span, "only one of `tag` and `release` can be given", "this is the second"))
        }
        (Some((span, tag)), None) if tag.is_empty() || tag.chars().any(|c| c.is_control() || c.is_whitespace()) => {
            Err(source.error(span, "invalid tag", "such as \"b11429\""))
        }
        (Some((_, tag)), None) => Ok(ReleaseRef::Tag(tag)),
        (None, Some((span, range))) => {
            demand_range(&range).map_err(|error| source.at(span, &error))?;
            Ok(ReleaseRef::Range(range))
        }
        (None, None) => Ok(ReleaseRef::Newest),
    }
}

fn field(fields: &Table, name: &'static str) -> Result<Option<(Range<usize>, String)>> {
    Ok(fields.text(name)?.map(|text| (text.span(), text.into_inner())))
}
