//! What may be fetched, and from where else.

use std::time::Duration;

use url::{Host, Url};

use super::hub::HubToken;
use crate::error::{Error, Kind, Result};

/// How the fetcher behaves. Comes from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// No network at all; `file:` URLs still work.
    pub offline: bool,
    /// Hosts that may be asked over plain http, besides loopback.
    pub insecure_hosts: Vec<String>,
    /// Where the same bytes can also be had.
    pub mirrors: Vec<Mirror>,
    /// How often all URLs of a download are tried before it fails.
    pub rounds: u32,
    /// The pause after the first failed round; it doubles with each.
    pub pause: Duration,
    /// A connection that brings fewer than [`Self::floor`] bytes in this time is given up.
    pub window: Duration,
    /// See [`Self::window`].
    pub floor: u64,
    /// The user's token for the Hugging Face hub.
    pub hub_token: Option<HubToken>,
}

/// What vouches for bytes that come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// The connection: https, or a host that nobody can get in between.
    #[default]
    Transport,
    /// The bytes themselves: they are signed, or their digest is known. Plain http will do, as it does for apt.
    Content,
}

/// What stands below one address also stands below another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The beginning of the original URLs.
    pub of: Url,
    /// What stands in its place.
    pub at: Url,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            offline: false,
            insecure_hosts: Vec::new(),
            mirrors: Vec::new(),
            rounds: 5,
            pause: Duration::from_millis(500),
            window: Duration::from_secs(30),
            floor: 30 * 1024,
            hub_token: None,
        }
    }
}

impl Settings {
    /// The URL itself, then the same thing at each mirror.
    #[must_use]
    pub fn with_mirrors(&self, urls: &[Url]) -> Vec<Url> {
        let mut all = urls.to_vec();
        for url in urls {
            for mirror in &self.mirrors {
                let moved = url.as_str().strip_prefix(mirror.of.as_str());
                let moved = moved.and_then(|rest| Url::parse(&format!("{}{rest}", mirror.at)).ok());
                if let Some(moved) = moved.filter(|moved| !all.contains(moved)) {
                    all.push(moved);
                }
            }
        }
        all
    }

    /// Whether this URL may be asked: https anywhere, http only where nobody can listen or the user said so.
    pub fn check(&self, url: &Url) -> Result<()> {
        self.check_for(url, Trust::Transport)
    }

    /// Whether a host may be asked over plain http without anybody's word on the bytes.
    pub(super) fn may_be_plain(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        is_loopback(url) || self.insecure_hosts.iter().any(|allowed| allowed == host)
    }

    /// The same, by what is to vouch for the bytes.
    pub(super) fn check_for(&self, url: &Url, trust: Trust) -> Result<()> {
        match url.scheme() {
            "file" => return Ok(()),
            "https" => {}
            "http" if trust == Trust::Content => {}
            "http" => {
                if !self.may_be_plain(url) {
                    let host = url.host_str().unwrap_or_default();
                    return Err(Error::new(Kind::Unreachable, "plain http is only used with loopback hosts")
                        .fact("url", show_url(url))
                        .hint(format!("use https, or add \"{host}\" to `insecure-hosts` in the configuration")));
                }
            }
            other => {
                return Err(
                    Error::new(Kind::Invalid, format!("`{other}:` URLs cannot be fetched")).fact("url", show_url(url))
                );
            }
        }
        if self.offline {
            return Err(Error::new(Kind::Unreachable, "this is not in the store, and --offline forbids the network")
                .fact("url", show_url(url))
                .hint("run again without --offline, or name a mirror with a file: URL in the configuration"));
        }
        Ok(())
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A URL for messages: without a password.
#[must_use]
pub fn show_url(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() || !url.username().is_empty() {
        let _ = url.set_password(None);
        let _ = url.set_username("");
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn plain_http_is_for_loopback_and_named_hosts() {
        let settings = Settings { insecure_hosts: vec!["mirror.lan".into()], ..Settings::default() };
        for allowed in
            ["https://a.example/", "http://127.0.0.1:8/", "http://[::1]/", "http://localhost/", "http://mirror.lan/"]
        {
            assert!(settings.check(&url(allowed)).is_ok(), "{allowed}");
        }
        for refused in
            ["http://a.example/", "ftp://a.example/", "http://127.0.0.1.example/", "http://localhost.example/"]
        {
            assert!(settings.check(&url(refused)).is_err(), "{refused}");
        }
        let plain = url("http://a.example/");
        assert!(settings.check_for(&plain, Trust::Content).is_ok(), "what is signed needs no safe way");
        let offline = Settings { offline: true, ..settings };
        assert!(offline.check_for(&plain, Trust::Content).is_err());
        assert!(offline.check(&url("https://a.example/")).is_err());
        assert!(offline.check(&url("file:///a")).is_ok());
    }

    #[test]
    fn mirrors_come_after_the_original() {
        let mirror = Mirror { of: url("https://a.example/x/"), at: url("https://b.example/y/") };
        let settings = Settings { mirrors: vec![mirror], ..Settings::default() };
        let all = settings.with_mirrors(&[url("https://a.example/x/f%2B.gz"), url("https://c.example/f")]);
        let all: Vec<&str> = all.iter().map(Url::as_str).collect();
        assert_eq!(all, ["https://a.example/x/f%2B.gz", "https://c.example/f", "https://b.example/y/f%2B.gz"]);
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(show_url(&url("https://me:secret@a.example/x")), "https://a.example/x");
    }
}
