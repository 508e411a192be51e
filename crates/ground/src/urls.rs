//! URLs in messages and in what is published.

use url::Url;

/// Returns a URL for messages: without user and password.
#[must_use]
pub fn show_url(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() || !url.username().is_empty() {
        let _ = url.set_password(None);
        let _ = url.set_username("");
    }
    url.to_string()
}

/// Returns whether a URL can be fetched and holds no secret: locks are published.
#[must_use]
pub fn is_fetchable(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https" | "file") && !has_login(url)
}

/// Describes the first of a pin's URLs that cannot be fetched, if there is one.
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
    fn passwords_are_not_shown() {
        assert_eq!(show_url(&Url::parse("https://me:secret@a.example/x").unwrap()), "https://a.example/x");
    }
}
