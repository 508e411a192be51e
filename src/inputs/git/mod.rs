//! Input kind `git`: a repository at a ref, pinned to a commit. Look-ups and the transport are
//! [`crate::upstream::git`]'s.
//!
//! ```toml
//! [inputs.llama-cpp]
//! type = "git"
//! url = "https://github.com/ggml-org/llama.cpp"
//! branch = "master"            # or tag = "b9000", or commit = "<40 hex>"; without any of them, HEAD
//! ```

mod pin;
mod report;
mod resolve;
mod supply;

use toml::Spanned;
use url::Url;

use super::Request;
use crate::error::Result;
use crate::fields::{SourceText, Table, login};
use crate::upstream::git::{GitRef, GitRequest, is_commit, is_git_url};
use crate::urls::has_login;

pub use pin::GitPin;

impl Request for GitRequest {
    type Pin = GitPin;

    fn parse(source: &SourceText, fields: &Table) -> Result<Self> {
        let reference = git_ref(source, fields)?;
        Ok(Self { url: git_url(source, &fields.needed("url")?)?, reference })
    }
}

fn git_ref(source: &SourceText, fields: &Table) -> Result<GitRef> {
    let mut found = None;
    for (name, text) in ["branch", "tag", "commit"].map(|name| (name, fields.text(name))) {
        let Some(text) = text? else { continue };
        if found.is_some() {
            return Err(source.error(
                text.span(),
                "only one of `branch`, `tag` and `commit` can be given",
                "this is the second",
            ));
        }
        let value = text.get_ref();
        if name == "commit" && !is_commit(value) {
            return Err(source.error(
                text.span(),
                "a commit is given by all of its 40 lower-case hex digits",
                "this does not identify one",
            ));
        }
        let value = value.clone();
        found = Some(match name {
            "branch" => GitRef::Branch(value),
            "tag" => GitRef::Tag(value),
            _ => GitRef::Commit(value),
        });
    }
    Ok(found.unwrap_or(GitRef::Head))
}

/// Reads an address that git accepts: a URL, or `user@host:path`.
fn git_url(source: &SourceText, text: &Spanned<String>) -> Result<String> {
    let value = text.get_ref();
    if Url::parse(value).is_ok_and(|url| url.scheme() != "ssh" && has_login(&url)) {
        return Err(login(source, text));
    }
    if is_git_url(value) {
        return Ok(value.clone());
    }
    Err(source.error(text.span(), "this is not the address of a git repository", "https:, ssh: or file:"))
}
