//! Input kind `git`: a repository at a ref, pinned to a commit. Look-ups and the transport are
//! [`crate::upstream::git`]'s.
//!
//! ```toml
//! [inputs.llama-cpp]
//! type = "git"
//! url = "https://github.com/ggml-org/llama.cpp"
//! branch = "master"            # without any of these, HEAD
//! # tag = "b11429"
//! # release = "latest"         # the newest tag v...; or a range of versions: ">=0.9, <1"
//! # pull = 7                   # a pull request
//! # ref = "refs/pull/7/head"   # any ref by its full name
//! # commit = "<40 hex>"
//! patches = ["patches/a.patch"]   # applied in order; paths relative to the manifest
//! ```

mod patches;
mod pin;
mod report;
mod resolve;
mod supply;

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;
use url::Url;

use super::Request;
use super::project::is_project_path;
use crate::error::Result;
use crate::fields::{SourceText, Table, login};
use crate::upstream::git::{GitRef, GitRequest, demand_range, is_commit, is_git_url};
use crate::urls::has_login;

pub use pin::GitPin;
pub use resolve::{at_commit, first_parents, named_commit};
pub use supply::fetch_history;
pub(super) use supply::git as at_repository;
pub use supply::write_pack;

impl Request for GitRequest {
    type Pin = GitPin;
    const ALTERNATIVES: &'static [&'static str] = &WANTED;

    fn parse(source: &SourceText, fields: &Table) -> Result<Self> {
        let (reference, patches) = (git_ref(source, fields), patch_paths(source, fields));
        Ok(Self { url: git_url(source, &fields.needed("url")?)?, reference: reference?, patches: patches? })
    }

    fn asks(&self) -> Result<Vec<String>> {
        Ok(vec![self.url.clone()])
    }

    fn unheld(&self) -> Option<Self> {
        let range = matches!(&self.reference, GitRef::Release(range) if range != "latest");
        range.then(|| Self { reference: GitRef::Release("latest".to_owned()), ..self.clone() })
    }
}

/// Reads the paths of the patches.
fn patch_paths(source: &SourceText, fields: &Table) -> Result<Vec<String>> {
    let all = fields.texts("patches")?.unwrap_or_default();
    if let Some(wrong) = all.iter().find(|path| !is_project_path(path.get_ref())) {
        return Err(source.error(
            wrong.span(),
            "invalid path of a patch",
            "relative to the manifest, such as \"patches/a.patch\"",
        ));
    }
    Ok(all.into_iter().map(Spanned::into_inner).collect())
}

/// Names of the fields that say which commit is wanted.
const WANTED: [&str; 6] = ["branch", "tag", "release", "pull", "ref", "commit"];

fn git_ref(source: &SourceText, fields: &Table) -> Result<GitRef> {
    let mut found = None;
    for wanted in WANTED.map(|name| wanted(source, fields, name)) {
        let Some((span, wanted)) = wanted? else { continue };
        if found.is_some() {
            let message = "only one of `branch`, `tag`, `release`, `pull`, `ref` and `commit` can be given";
            return Err(source.error(span, message, "this is the second"));
        }
        found = Some(wanted);
    }
    Ok(found.unwrap_or(GitRef::Head))
}

/// Reads one of the fields, if it is present.
fn wanted(source: &SourceText, fields: &Table, name: &'static str) -> Result<Option<(Range<usize>, GitRef)>> {
    if name == "pull" {
        return pull(source, fields);
    }
    let Some(text) = fields.text(name)? else { return Ok(None) };
    let (span, value) = (text.span(), text.get_ref().clone());
    let refused = |message: &str, label: &str| Err(source.error(span.clone(), message, label));
    let reference = match name {
        "branch" => GitRef::Branch(value),
        "tag" => GitRef::Tag(value),
        "release" => {
            demand_range(&value).map_err(|error| source.at(span.clone(), &error))?;
            GitRef::Release(value)
        }
        "ref" if !GitRef::is_full_name(&value) => {
            return refused("a ref is given by its full name", "such as \"refs/pull/7/head\"");
        }
        "ref" => GitRef::Ref(value),
        _ if !is_commit(&value) => {
            return refused("a commit is given by all of its 40 lower-case hex digits", "this does not identify one");
        }
        _ => GitRef::Commit(value),
    };
    Ok(Some((span, reference)))
}

/// Reads the number of a pull request, if it is present.
fn pull(source: &SourceText, fields: &Table) -> Result<Option<(Range<usize>, GitRef)>> {
    let Some(value) = fields.field("pull") else { return Ok(None) };
    let number = match value.get_ref() {
        DeValue::Integer(number) => number.to_string().parse().ok().filter(|number| *number > 0),
        other => return Err(fields.wrong_type(value.span(), "pull", "the number of a pull request", other)),
    };
    let Some(number) = number else {
        return Err(source.error(value.span(), "invalid number of a pull request", "such as pull = 7"));
    };
    Ok(Some((value.span(), GitRef::Pull(number))))
}

/// Reads an address that git accepts: a URL, or `user@host:path`.
pub(super) fn git_url(source: &SourceText, text: &Spanned<String>) -> Result<String> {
    let value = text.get_ref();
    if Url::parse(value).is_ok_and(|url| url.scheme() != "ssh" && has_login(&url)) {
        return Err(login(source, text));
    }
    if is_git_url(value) {
        return Ok(value.clone());
    }
    Err(source.error(text.span(), "this is not the address of a git repository", "https:, ssh: or file:"))
}
