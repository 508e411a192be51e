//! Reads URLs in a table.

use toml::Spanned;
use url::Url;

use super::SourceText;
use crate::error::{Error, Result};
use crate::urls::{has_login, is_fetchable};

/// Parses URLs. Fails for one that contains a password or cannot be fetched.
pub fn urls(source: &SourceText, texts: Vec<Spanned<String>>) -> Result<Vec<Url>> {
    let parse = |text: Spanned<String>| {
        let url = Url::parse(text.get_ref())
            .map_err(|error| source.error(text.span(), format!("invalid URL: {error}"), "such as https://host/path"))?;
        if has_login(&url) {
            return Err(login(source, &text));
        }
        if is_fetchable(&url) {
            return Ok(url);
        }
        Err(source.error(
            text.span(),
            format!("`{}:` URLs cannot be fetched", url.scheme()),
            "https:, http: (loopback) or file:",
        ))
    };
    texts.into_iter().map(parse).collect()
}

/// Returns the error for a URL with a login. The URLs of a manifest are copied into the lock, which gets published.
#[must_use]
pub fn login(source: &SourceText, text: &Spanned<String>) -> Error {
    source.error(
        text.span(),
        "a URL must not contain a user or password",
        "put them into ~/.netrc or a git credential helper",
    )
}
