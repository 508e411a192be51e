//! Addresses and commits as git writes them.

use url::Url;

use crate::urls::has_login;

/// Returns whether a text is a commit: all 40 digits of it.
#[must_use]
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns whether git takes a text as an address: a URL without a password, or `user@host:path`.
#[must_use]
pub fn is_git_url(text: &str) -> bool {
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric())
        || text.contains(|c: char| c.is_control() || c.is_whitespace())
    {
        return false;
    }
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https" | "file") => !has_login(&url),
        Ok(url) if url.scheme() == "ssh" => url.password().is_none(),
        _ => text.contains('@') && text.contains(':') && !text.contains("://"),
    }
}
