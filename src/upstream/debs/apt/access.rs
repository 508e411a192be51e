//! Settings by which apt reaches archives: proxies, certificates and logins. None is applied here, since a lock is
//! realized without apt's configuration. Each is reported, with the equivalent setting of this program.

use std::collections::BTreeSet;

use url::Url;

use super::{Settings, parts};
use crate::error::Result;
use crate::upstream::proxy;

/// Settings for TLS, except logins.
const TLS: [(&str, &str); 3] = [
    ("CAInfo", "name that file in `SSL_CERT_FILE`"),
    ("Verify-Peer", "name the server's certificate in `SSL_CERT_FILE`"),
    ("SslCert", "certificates of clients are not supported"),
];

/// Lists the settings by which apt would reach one of these archives in another way, and what to do instead.
pub(super) fn not_followed<'a>(
    settings: &Settings,
    archives: impl Iterator<Item = &'a Url>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<String>> {
    let archives: Vec<&Url> = archives.filter(|url| matches!(url.scheme(), "http" | "https")).collect();
    let told = |name: &str, instead: &str| format!("apt's setting `{name}` is not followed: {instead}");
    let mut all = BTreeSet::new();
    for url in &archives {
        if let Some((name, value)) = proxy_setting(settings, url) {
            let wanted = if value.eq_ignore_ascii_case("DIRECT") { "" } else { value };
            all.extend(proxy::instead(url, wanted, environment).map(|instead| told(&name, &instead)));
        } else if let Some((name, _)) = first(settings, url, &["Proxy-Auto-Detect", "ProxyAutoDetect"]) {
            all.insert(told(
                &name,
                "set in the environment what its program prints, as `http_proxy` and `https_proxy`",
            ));
        }
        for (key, instead) in TLS.iter().filter(|_| url.scheme() == "https") {
            match first(settings, url, &[key]) {
                Some((_, value)) if *key == "Verify-Peer" && value != "false" => {}
                Some((_, value)) if *key == "CAInfo" && environment("SSL_CERT_FILE").as_deref() == Some(value) => {}
                Some((name, _)) => _ = all.insert(told(&name, instead)),
                None => {}
            }
        }
    }
    let mut all: Vec<String> = all.into_iter().collect();
    if !archives.is_empty() {
        logins(settings, &archives, &mut all)?;
    }
    Ok(all)
}

/// Returns the proxy for a URL; the proxy for http applies to https too.
fn proxy_setting<'s>(settings: &'s Settings, url: &Url) -> Option<(String, &'s str)> {
    let mut plain = url.clone();
    first(settings, url, &["Proxy"]).or_else(|| {
        plain.set_scheme("http").ok()?;
        first(settings, &plain, &["Proxy"])
    })
}

/// Returns name and value of the first of these settings that is set, for the URL's host or for all hosts.
fn first<'s>(settings: &'s Settings, url: &Url, keys: &[&str]) -> Option<(String, &'s str)> {
    let host = url.host_str().unwrap_or_default();
    let names = keys.iter().map(|key| format!("Acquire::{}::{key}", url.scheme()));
    let mut names = names.flat_map(|name| [format!("{name}::{host}"), name]);
    names.find_map(|name| settings.get(&name).map(|value| (name, value)))
}

/// Reports logins for these archives in `auth.conf` and `auth.conf.d`. The logins themselves are neither kept nor
/// shown.
fn logins(settings: &Settings, archives: &[&Url], all: &mut Vec<String>) -> Result<()> {
    let mut files: Vec<_> = settings.file("Dir::Etc::netrc").into_iter().filter(|file| file.is_file()).collect();
    if let Some(directory) = settings.file("Dir::Etc::netrcparts") {
        files.extend(parts::read(&directory, &["conf"], false, all)?);
    }
    for file in files {
        let shown = file.display();
        let Ok(text) = std::fs::read_to_string(&file) else {
            all.push(format!("{shown} cannot be read: if an archive requires a login, put it into ~/.netrc"));
            continue;
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let machines = words.windows(2).filter(|pair| pair[0] == "machine").map(|pair| pair[1]);
        for machine in machines.filter(|machine| archives.iter().any(|url| is_for(machine, url))) {
            let machine = machine.escape_debug();
            all.push(format!("the login for {machine} in {shown} is not followed: put it into ~/.netrc"));
        }
    }
    Ok(())
}

/// Returns whether `[scheme://]host[:port][/path]` matches a URL.
fn is_for(machine: &str, url: &Url) -> bool {
    let (scheme, rest) = machine.split_once("://").unwrap_or((url.scheme(), machine));
    let Ok(wanted) = Url::parse(&format!("{scheme}://{rest}")) else { return false };
    let path = wanted.path();
    // `Url` drops the default port of its scheme.
    let place = rest.split('/').next().unwrap_or_default();
    let names_port = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let ports = !names_port || wanted.port_or_known_default() == url.port_or_known_default();
    scheme == url.scheme()
        && wanted.host_str() == url.host_str()
        && ports
        && (path == "/" || url.path().starts_with(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(dump: &str, archives: &[&str], set: &[(&str, &str)]) -> Vec<String> {
        let archives: Vec<Url> = archives.iter().map(|url| url.parse().unwrap()).collect();
        let environment = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
        // Without a directory of files there are no logins.
        let settings = Settings::parse(&format!("Dir \"/nowhere\";\n{dump}"));
        not_followed(&settings, archives.iter(), &environment).unwrap()
    }

    #[test]
    fn proxies_and_certificates_are_named_with_what_to_set() {
        let dump = "Acquire::http::Proxy \"http://cache.lan:3142\";\nAcquire::http::Proxy::near.lan \"DIRECT\";\n\
                    Acquire::https::CAInfo \"/etc/ca.pem\";\nAcquire::https::Verify-Peer \"true\";\n";
        let not = "is not followed: ";
        assert_eq!(
            told(dump, &["http://a.example/debian", "http://a.example/security", "http://near.lan/", "file:///x"], &[]),
            [format!(
                "apt's setting `Acquire::http::Proxy` {not}set `http_proxy=http://cache.lan:3142` in the environment"
            )]
        );
        assert_eq!(
            told(dump, &["https://a.example/"], &[]),
            [
                format!(
                    "apt's setting `Acquire::http::Proxy` {not}set `https_proxy=http://cache.lan:3142` in the \
                     environment"
                ),
                format!("apt's setting `Acquire::https::CAInfo` {not}name that file in `SSL_CERT_FILE`"),
            ]
        );
        let set = [("https_proxy", "http://cache.lan:3142/"), ("SSL_CERT_FILE", "/etc/ca.pem")];
        assert_eq!(told(dump, &["https://a.example/"], &set), [""; 0]);
        assert_eq!(
            told(dump, &["http://near.lan/"], &[("http_proxy", "http://cache.lan:3142")]),
            [format!("apt's setting `Acquire::http::Proxy::near.lan` {not}set `no_proxy=near.lan` in the environment")]
        );
        let auto = told("Acquire::http::Proxy-Auto-Detect \"/usr/bin/x\";", &["http://a.example/"], &[]);
        assert!(auto[0].starts_with("apt's setting `Acquire::http::Proxy-Auto-Detect` is not followed"), "{auto:?}");
    }

    #[test]
    fn a_login_is_for_hosts_ports_and_paths() {
        let url: Url = "https://a.example:8443/debian/x".parse().unwrap();
        for (machine, expected) in [
            ("a.example", true),
            ("a.example:8443/debian", true),
            ("https://a.example/debian/", true),
            ("http://a.example", false),
            ("a.example:443", false),
            ("a.example/ubuntu", false),
            ("example", false),
        ] {
            assert_eq!(is_for(machine, &url), expected, "{machine}");
        }
    }
}
