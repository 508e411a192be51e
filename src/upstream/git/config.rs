//! The configuration of the user's git: rewritten addresses, the ssh program, and warnings for settings that are
//! ignored.

use std::path::PathBuf;

use git2::{Config, ConfigLevel};
use url::Url;

use crate::error::{Error, Kind, Result};
use crate::upstream::proxy;
use crate::urls::show_url;

/// Settings in git's order, in which the last one wins. Sections and keys are in lower case.
#[derive(Debug, Default)]
pub(super) struct GitConfig {
    settings: Vec<(String, String)>,
}

/// An address that replaces another by `url.<base>.insteadOf`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rewriting<'a> {
    pub url: String,
    pub base: &'a str,
    pub instead_of: &'a str,
}

/// Environment variables that override settings.
const VARIABLES: [(&str, &str); 3] = [
    ("GIT_SSL_CAINFO", "http.sslcainfo"),
    ("GIT_SSL_CAPATH", "http.sslcapath"),
    ("GIT_SSL_NO_VERIFY", "http.sslverify"),
];

impl GitConfig {
    /// Reads the system's and the user's files, and the environment variables that add to them.
    pub fn read() -> Result<Self> {
        let settings = files().map_err(|error| {
            Error::new(Kind::Invalid, "git's configuration cannot be read")
                .because(&error)
                .hint("correct it; `git config --list` names the line")
        })?;
        let mut config = Self { settings };
        let variable = |name: &str| std::env::var(name).ok();
        let count = variable("GIT_CONFIG_COUNT").and_then(|count| count.parse().ok()).unwrap_or(0u16);
        for number in 0..count {
            let name = variable(&format!("GIT_CONFIG_KEY_{number}"));
            if let (Some(name), Some(value)) = (name, variable(&format!("GIT_CONFIG_VALUE_{number}"))) {
                config.settings.push((canonical(&name), value));
            }
        }
        for (name, setting) in VARIABLES {
            if let Some(value) = variable(name) {
                let value = if setting == "http.sslverify" { "false".to_owned() } else { value };
                config.settings.push((setting.to_owned(), value));
            }
        }
        Ok(config)
    }

    /// Returns a setting by its lower-case name; an empty one counts as unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Applies `url.<base>.insteadOf` to an address; the longest matching prefix wins.
    pub fn rewrite(&self, url: &str) -> Option<Rewriting<'_>> {
        let mut best: Option<Rewriting> = None;
        for (name, instead_of) in &self.settings {
            let base = name.strip_prefix("url.").and_then(|rest| rest.strip_suffix(".insteadof"));
            if let (Some(base), Some(rest)) = (base, url.strip_prefix(instead_of.as_str()))
                && best.as_ref().is_none_or(|best| best.instead_of.len() < instead_of.len())
            {
                best = Some(Rewriting { url: format!("{base}{rest}"), base, instead_of });
            }
        }
        best
    }

    /// Lists the settings by which git would reach a URL in another way than this program, and what to do instead.
    /// Settings that a variable of `environment` already repeats are left out.
    pub fn not_read(&self, url: &Url, environment: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
        let told =
            |name: &str, instead: String| format!("git's setting `{name}` is ignored for {}: {instead}", show_url(url));
        let mut all = Vec::new();
        if let Some(proxy) = self.for_url(url, "proxy") {
            all.extend(proxy::instead(url, proxy, environment).map(|instead| told("http.proxy", instead)));
        }
        let tls = url.scheme() == "https";
        for (key, name, variable_name) in
            [("sslcainfo", "http.sslCAInfo", "SSL_CERT_FILE"), ("sslcapath", "http.sslCAPath", "SSL_CERT_DIR")]
        {
            match self.for_url(url, key).filter(|path| tls && !path.is_empty()) {
                Some(path) if environment(variable_name).as_deref() != Some(path) => {
                    all.push(told(name, format!("set `{variable_name}={path}` in the environment")));
                }
                _ => {}
            }
        }
        let off = |value: &str| ["false", "no", "off", "0", ""].iter().any(|no| value.eq_ignore_ascii_case(no));
        if tls && self.for_url(url, "sslverify").is_some_and(off) {
            all.push(told("http.sslVerify", "name the server's certificate in `SSL_CERT_FILE`".to_owned()));
        }
        let otherwise = "log in by ssh, or by a git credential helper";
        for (key, name) in
            [("sslcert", "http.sslCert"), ("extraheader", "http.extraHeader"), ("cookiefile", "http.cookieFile")]
        {
            if self.for_url(url, key).is_some_and(|value| !value.is_empty()) {
                all.push(told(name, otherwise.to_owned()));
            }
        }
        all
    }

    /// Returns `http.<pattern>.<key>` for the pattern that matches a URL best, else `http.<key>`.
    fn for_url(&self, url: &Url, key: &str) -> Option<&str> {
        let mut best: Option<(usize, &str)> = None;
        for (name, value) in &self.settings {
            let Some(pattern) = name.strip_prefix("http.").and_then(|rest| rest.strip_suffix(key)) else { continue };
            let fit = match pattern.strip_suffix('.') {
                None if pattern.is_empty() => 0,
                Some(pattern) if fits(pattern, url) => pattern.len(),
                _ => continue,
            };
            if best.is_none_or(|(known, _)| known <= fit) {
                best = Some((fit, value));
            }
        }
        best.map(|(_, value)| value)
    }
}

/// Returns a setting of the user's git by its lower-case name. Those of repositories are not read.
pub fn user_setting(name: &str) -> Result<Option<String>> {
    Ok(GitConfig::read()?.get(name).map(str::to_owned))
}

/// Returns whether the pattern of `http.<pattern>.*` matches a URL: the same scheme, host and port, and a parent path.
/// A `*` matches one part of a host name.
fn fits(pattern: &str, url: &Url) -> bool {
    let Ok(pattern) = Url::parse(pattern) else { return false };
    let host = |url: &Url| url.host_str().unwrap_or_default().split('.').map(str::to_owned).collect::<Vec<_>>();
    let (one, other) = (host(&pattern), host(url));
    let hosts = one.len() == other.len() && one.iter().zip(&other).all(|(a, b)| a == "*" || a == b);
    let path = pattern.path().trim_end_matches('/');
    let below = url.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let ports = pattern.port_or_known_default() == url.port_or_known_default();
    pattern.scheme() == url.scheme() && hosts && ports && below
}

/// Returns all settings of the files that git reads outside a repository.
fn files() -> Result<Vec<(String, String)>, git2::Error> {
    let named = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let on = |value: String| !["", "0", "false", "no", "off"].contains(&value.as_str());
    let system = named("GIT_CONFIG_SYSTEM").or_else(|| Config::find_system().ok());
    let system = system.filter(|_| !std::env::var("GIT_CONFIG_NOSYSTEM").is_ok_and(on));
    let mut files: Vec<_> = system.map(|path| (path, ConfigLevel::System)).into_iter().collect();
    if let Some(path) = named("GIT_CONFIG_GLOBAL") {
        files.push((path, ConfigLevel::Global));
    } else {
        files.extend(Config::find_xdg().ok().map(|path| (path, ConfigLevel::XDG)));
        files.extend(Config::find_global().ok().map(|path| (path, ConfigLevel::Global)));
    }
    let mut settings = Vec::new();
    // One at a time: libgit2 would return them in another order if they were opened together.
    for (path, level) in files {
        let mut config = Config::new()?;
        config.add_file(&path, level, false)?;
        config.entries(None)?.for_each(|entry| {
            let value = if entry.has_value() { String::from_utf8_lossy(entry.value_bytes()) } else { "true".into() };
            settings.push((String::from_utf8_lossy(entry.name_bytes()).into_owned(), value.into_owned()));
        })?;
    }
    Ok(settings)
}

/// Returns a name with section and key in lower case; the subsection stays as it is.
fn canonical(name: &str) -> String {
    let (section, rest) = name.split_once('.').unwrap_or((name, ""));
    let section = section.to_ascii_lowercase();
    match rest.rsplit_once('.') {
        Some((middle, key)) => format!("{section}.{middle}.{}", key.to_ascii_lowercase()),
        None => format!("{section}.{}", rest.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[(&str, &str)]) -> GitConfig {
        let settings = settings.iter().map(|(name, value)| (canonical(name), (*value).to_owned())).collect();
        GitConfig { settings }
    }

    #[test]
    fn the_longest_beginning_is_rewritten() {
        let config = config(&[
            ("url.git@h.example:.insteadOf", "https://h.example/"),
            ("URL.https://mirror.example/Org/.InsteadOf", "https://h.example/org/"),
            ("url.ssh://x/.pushInsteadOf", "https://h.example/org/r"),
        ]);
        let url = |text: &str| config.rewrite(text).map(|rewriting| rewriting.url);
        assert_eq!(url("https://h.example/org/r").as_deref(), Some("https://mirror.example/Org/r"));
        assert_eq!(url("https://h.example/other/r").as_deref(), Some("git@h.example:other/r"));
        assert_eq!(url("https://elsewhere.example/r"), None);
    }

    #[test]
    fn settings_for_http_that_are_not_read_are_named_with_what_to_do() {
        let config = config(&[
            ("http.proxy", "proxy.lan:3128"),
            ("http.https://h.example/o.sslCAInfo", "/etc/ca.pem"),
            ("http.https://*.example.sslVerify", "off"),
            ("http.https://h.example.extraHeader", "Authorization: secret"),
            ("http.https://h.example:8443.proxy", ""),
        ]);
        let told = |url: &str, set: &[(&str, &str)]| {
            let environment = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
            config.not_read(&url.parse().unwrap(), &environment)
        };
        let url = "https://h.example/o/r";
        assert_eq!(
            told(url, &[]),
            [
                "git's setting `http.proxy` is ignored for https://h.example/o/r: \
                 set `https_proxy=http://proxy.lan:3128` in the environment",
                "git's setting `http.sslCAInfo` is ignored for https://h.example/o/r: \
                 set `SSL_CERT_FILE=/etc/ca.pem` in the environment",
                "git's setting `http.sslVerify` is ignored for https://h.example/o/r: \
                 name the server's certificate in `SSL_CERT_FILE`",
                "git's setting `http.extraHeader` is ignored for https://h.example/o/r: \
                 log in by ssh, or by a git credential helper",
            ]
        );
        let set = [("HTTPS_PROXY", "http://me:secret@proxy.lan:3128/"), ("SSL_CERT_FILE", "/etc/ca.pem")];
        assert_eq!(told(url, &set).len(), 2);
        assert_eq!(told("https://h.example/oo", &set).len(), 2);
        assert_eq!(told("http://other/r", &[("http_proxy", "http://proxy.lan:3128")]), [""; 0]);
        let direct = told("https://h.example:8443/r", &[("all_proxy", "http://p:1")]);
        assert!(direct[0].ends_with("set `no_proxy=h.example` in the environment"), "{direct:?}");
    }
}
