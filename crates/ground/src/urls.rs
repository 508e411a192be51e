//! URLs in messages, in the log and in locks.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// Characters escaped in a part of a path: all but those that RFC 3986 calls unreserved. `+` is among them, since
/// object stores read a bare one as a blank.
const IN_PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const IN_PATH: &AsciiSet = &IN_PART.remove(b'/');

/// Escapes a part of a path for a URL, slashes included.
#[must_use]
pub fn escape_part(part: &str) -> String {
    utf8_percent_encode(part, IN_PART).to_string()
}

/// Escapes a path for a URL, except its slashes.
#[must_use]
pub fn escape_path(path: &str) -> String {
    utf8_percent_encode(path, IN_PATH).to_string()
}

/// Formats a URL for messages: without user and password.
#[must_use]
pub fn show_url(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() || !url.username().is_empty() {
        let _ = url.set_password(None);
        let _ = url.set_username("");
    }
    url.to_string()
}

/// Formats a URL for the log, which people publish: without user and password, and without the query, where servers
/// put signatures.
#[must_use]
pub fn log_url(url: &Url) -> String {
    let mut url = url.clone();
    if url.query().is_some() {
        url.set_query(Some("..."));
    }
    url.set_fragment(None);
    show_url(&url)
}

/// Returns the server in a URL: the host, and the port if it is not the usual one.
#[must_use]
pub fn server(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns whether a URL can be downloaded (http, https, file) and has no user or password, since locks are
/// published.
#[must_use]
pub fn is_fetchable(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https" | "file") && !has_login(url)
}

/// Describes the first of a pin's URLs that cannot be downloaded, if there is one.
#[must_use]
pub fn unfetchable(urls: &[Url]) -> Option<String> {
    urls.iter().find(|url| !is_fetchable(url)).map(|url| format!("`{}` cannot be fetched", show_url(url)))
}

/// Returns whether a URL carries a user or password.
#[must_use]
pub fn has_login(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_keep_their_slashes_and_parts_do_not() {
        assert_eq!((escape_path("a b/c+~"), escape_part("a/b")), ("a%20b/c%2B~".to_owned(), "a%2Fb".to_owned()));
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(show_url(&Url::parse("https://me:secret@a.example/x").unwrap()), "https://a.example/x");
        let signed = Url::parse("https://me:secret@a.example/x?Signature=secret&Expires=1#secret").unwrap();
        assert_eq!(log_url(&signed), "https://a.example/x?...");
    }
}
