//! The rules for requests: permitted URLs, redirects and mirrors.

use std::time::Duration;

use url::{Host, Url};

use super::Mirror;
use super::hub::HubToken;
use crate::error::{Error, Kind, Result};
use crate::urls::{log_url, show_url};

/// The fetcher's settings, from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// True to forbid the network; `file:` URLs still work.
    pub offline: bool,
    /// Hosts that may be asked over plain http, besides loopback.
    pub insecure_hosts: Vec<String>,
    /// Mirrors.
    pub mirrors: Vec<Mirror>,
    /// The archive that the user named, which may be asked even offline.
    pub archive: Option<Url>,
    /// Number of times that all URLs of a download are tried before it fails.
    pub rounds: u32,
    /// The pause after the first failed round; it doubles with each further one.
    pub pause: Duration,
    /// The time in which a connection must deliver at least [`Self::floor`] bytes; otherwise it is closed.
    pub window: Duration,
    /// The minimum number of bytes in each [`Self::window`].
    pub floor: u64,
    /// Greatest size of a download without a promise.
    pub largest: u64,
    /// The user's token for the Hugging Face hub.
    pub hub_token: Option<HubToken>,
}

/// The protection of received bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// The connection: https, or a host where nobody can intercept it.
    #[default]
    Transport,
    /// The bytes themselves: they are signed, or their digest is known. Plain http is enough, as for apt.
    Content,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            offline: false,
            insecure_hosts: Vec::new(),
            mirrors: Vec::new(),
            archive: None,
            rounds: 5,
            pause: Duration::from_millis(500),
            window: Duration::from_secs(30),
            floor: 30 * 1024,
            largest: 16 << 30,
            hub_token: None,
        }
    }
}

impl Settings {
    /// Returns the URLs, then the corresponding ones at each mirror.
    #[must_use]
    pub fn with_mirrors(&self, urls: &[Url]) -> Vec<Url> {
        let mut all = urls.to_vec();
        for moved in urls.iter().flat_map(|url| self.mirrors.iter().filter_map(|mirror| mirror.moved(url))) {
            if !all.contains(&moved) {
                all.push(moved);
            }
        }
        all
    }

    /// Returns the original address for `found`, the address that answered when `tried` was asked instead of `asked`.
    pub(super) fn original(&self, asked: &Url, tried: &Url, found: Url) -> Url {
        if asked == tried {
            return found;
        }
        // If a mirror redirects elsewhere, the original address cannot be derived from it.
        let mut mirrors = self.mirrors.iter().filter(|mirror| mirror.moved(asked).as_ref() == Some(tried));
        mirrors.find_map(|mirror| mirror.original(&found)).unwrap_or_else(|| asked.clone())
    }

    /// Fails if a redirect from the last of `previous` to `next` must not be followed.
    pub(super) fn may_follow(&self, previous: &[Url], next: &Url) -> Result<(), String> {
        let leads = || format!("a redirect leads to {}", log_url(next));
        if previous.len() > 10 {
            return Err("there are more than 10 redirects".to_owned());
        }
        if next.scheme() == "file" {
            return Err("a redirect to a local file".to_owned());
        }
        // A request by https must stay confidential. Loopback is no exception: any local process may listen there.
        if next.scheme() == "http" && previous.iter().any(|url| url.scheme() == "https") {
            return Err(format!("{}: from https to plain http", leads()));
        }
        let first = previous.first().unwrap_or(next);
        self.check_led(first, next).map_err(|error| format!("{}: {}", leads(), error.message()))
    }

    /// Fails if a URL that the server of `from` names must not be asked. The archive that the user named may lead
    /// elsewhere: a registry has its tokens and often its blobs on other hosts.
    pub(super) fn check_led(&self, from: &Url, to: &Url) -> Result<()> {
        self.check_way(to, Trust::Transport)?;
        if self.is_of_archive(from) { Ok(()) } else { self.check_network(to) }
    }

    /// Fails if this URL must not be asked: https is allowed anywhere, http only on loopback or hosts that the user
    /// allowed.
    pub fn check(&self, url: &Url) -> Result<()> {
        self.check_for(url, Trust::Transport)
    }

    /// Returns whether a host may be asked over plain http even if nothing else authenticates the bytes.
    pub(super) fn may_be_plain(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        is_loopback(url) || self.insecure_hosts.iter().any(|allowed| allowed == host)
    }

    /// Returns whether a URL is below the archive that the user named.
    fn is_of_archive(&self, url: &Url) -> bool {
        self.archive.as_ref().is_some_and(|archive| {
            (url.scheme(), url.host_str(), url.port_or_known_default())
                == (archive.scheme(), archive.host_str(), archive.port_or_known_default())
                && url.path().starts_with(archive.path())
        })
    }

    /// Like [`Self::check`], but allows plain http if a signature or digest authenticates the bytes.
    pub(super) fn check_for(&self, url: &Url, trust: Trust) -> Result<()> {
        self.check_way(url, trust)?;
        self.check_network(url)
    }

    /// Fails if the way to a URL is not safe.
    fn check_way(&self, url: &Url, trust: Trust) -> Result<()> {
        match url.scheme() {
            "file" | "https" => Ok(()),
            "http" if trust == Trust::Content || self.may_be_plain(url) => Ok(()),
            "http" => {
                let host = url.host_str().unwrap_or_default();
                Err(Error::new(Kind::Unreachable, "plain http is only used with loopback hosts")
                    .fact("url", show_url(url))
                    .hint(format!("use https, or add \"{host}\" to `insecure-hosts` in the configuration")))
            }
            other => {
                Err(Error::new(Kind::Invalid, format!("`{other}:` URLs cannot be fetched")).fact("url", show_url(url)))
            }
        }
    }

    /// Fails if the network must not be used for a URL.
    fn check_network(&self, url: &Url) -> Result<()> {
        if !self.offline || url.scheme() == "file" || self.is_of_archive(url) {
            return Ok(());
        }
        Err(Error::new(Kind::Unreachable, "this is not in the store, and --offline forbids the network")
            .fact("url", show_url(url))
            .hint("run again without --offline, or name a mirror with a file: URL in the configuration"))
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
        let from = Settings { archive: Some(url("http://box.lan:8000/a/")), ..offline };
        assert!(from.check_for(&url("http://box.lan:8000/a/b"), Trust::Content).is_ok(), "the user named it");
        assert!(from.check(&url("http://box.lan:8000/a/b")).is_err(), "but the way is not safe");
        for other in ["http://box.lan:8000/b", "http://box.lan/a/b", "https://box.lan:8000/a/b", "http://b.lan:8000/a/"]
        {
            assert!(from.check_for(&url(other), Trust::Content).is_err(), "{other}");
        }
    }

    #[test]
    fn offline_the_archive_that_the_user_named_may_lead_elsewhere() {
        let archive = Some(url("https://r.example/v2/a/"));
        let from = Settings { archive, offline: true, ..Settings::default() };
        let blob = url("https://r.example/v2/a/blobs/x");
        for (asked, to, may) in [
            (&blob, "https://cdn.example/x", true),
            (&blob, "https://auth.example/token", true),
            (&blob, "http://cdn.example/x", false),
            (&url("https://b.example/v2/a/"), "https://cdn.example/x", false),
        ] {
            assert_eq!(from.check_led(asked, &url(to)).is_ok(), may, "{asked} {to}");
            assert_eq!(from.may_follow(std::slice::from_ref(asked), &url(to)).is_ok(), may, "{asked} {to}");
        }
    }

    #[test]
    fn redirects_never_lead_from_https_to_http() {
        let settings = Settings { insecure_hosts: vec!["mirror.lan".into()], ..Settings::default() };
        let follow = |from: &[&str], to: &str| {
            let from: Vec<Url> = from.iter().map(|text| url(text)).collect();
            settings.may_follow(&from, &url(to))
        };
        for (from, to) in [
            ("https://a.example/", "https://b.example/"),
            ("http://127.0.0.1:8/", "http://127.0.0.1:9/"),
            ("http://127.0.0.1/", "https://b.example/"),
            ("http://mirror.lan/", "http://127.0.0.1/"),
        ] {
            assert_eq!(follow(&[from], to), Ok(()), "{from} {to}");
        }
        for to in ["http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://mirror.lan/", "http://b.example/"]
        {
            let why = follow(&["https://a.example/"], to).unwrap_err();
            assert!(why.ends_with("from https to plain http"), "{why}");
            assert!(follow(&["https://a.example/", "https://b.example/"], to).is_err());
        }
        assert!(follow(&["http://127.0.0.1/", "https://a.example/"], "http://127.0.0.1/").is_err());
        assert!(follow(&["http://127.0.0.1/"], "http://b.example/").is_err());
        assert!(follow(&["http://127.0.0.1/"], "file:///etc/passwd").is_err());
        assert!(follow(&["https://a.example/"; 11], "https://a.example/").is_err());
    }

    #[test]
    fn what_a_mirror_answers_is_as_if_the_original_did() {
        let mirror = Mirror::new(url("https://a.example/x/"), url("https://b.example/y")).unwrap();
        let settings = Settings { mirrors: vec![mirror], ..Settings::default() };
        let (asked, tried) = (url("https://a.example/x/t"), url("https://b.example/y/t"));
        let base = |tried: &Url, found: &str| settings.original(&asked, tried, url(found)).to_string();
        assert_eq!(base(&asked, "https://a.example/z/"), "https://a.example/z/");
        assert_eq!(base(&tried, "https://b.example/y/t/"), "https://a.example/x/t/");
        assert_eq!(base(&tried, "https://cdn.example/t/"), "https://a.example/x/t");
    }

    #[test]
    fn mirrors_come_after_the_original() {
        let mirror = Mirror::new(url("https://a.example/x/"), url("https://b.example/y/")).unwrap();
        let settings = Settings { mirrors: vec![mirror], ..Settings::default() };
        let all = settings.with_mirrors(&[url("https://a.example/x/f%2B.gz"), url("https://c.example/f")]);
        let all: Vec<&str> = all.iter().map(Url::as_str).collect();
        assert_eq!(all, ["https://a.example/x/f%2B.gz", "https://c.example/f", "https://b.example/y/f%2B.gz"]);
    }
}
