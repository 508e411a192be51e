//! Compares the proxies that other programs are configured to use with the one that the environment names for
//! strixlock.

use url::Url;

use crate::urls::show_url;

/// Returns an environment variable that is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns which variable to set so that `url` is reached through `proxy`, or directly if `proxy` is empty. Returns
/// `None` if the environment says so already.
pub(super) fn instead(url: &Url, proxy: &str, environment: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let name = if url.scheme() == "http" { "http_proxy" } else { "https_proxy" };
    let used = [name, &name.to_uppercase(), "all_proxy", "ALL_PROXY"].into_iter().find_map(environment);
    if shown(proxy) == shown(&used.unwrap_or_default()) {
        return None;
    }
    Some(match proxy {
        "" => format!("set `no_proxy={}` in the environment", url.host_str().unwrap_or_default()),
        proxy => format!("set `{name}={}` in the environment", shown(proxy)),
    })
}

/// Returns an address in canonical form, without a password.
fn shown(proxy: &str) -> String {
    let text = if proxy.is_empty() || proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    Url::parse(&text).map_or(text, |url| show_url(&url)).trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_named_unless_the_environment_names_it() {
        let url: Url = "https://h.example/x".parse().unwrap();
        let ask = |proxy: &str, set: Option<(&str, &str)>| {
            instead(&url, proxy, &|name| set.filter(|(known, _)| *known == name).map(|(_, value)| value.to_owned()))
        };
        let set = |text: &str| Some(format!("set `{text}` in the environment"));
        assert_eq!(ask("me:secret@p.lan:1", None), set("https_proxy=http://p.lan:1"));
        assert_eq!(ask("http://p.lan:1/", Some(("HTTPS_PROXY", "http://p.lan:2"))), set("https_proxy=http://p.lan:1"));
        assert_eq!(ask("http://p.lan:1/", Some(("https_proxy", "p.lan:1"))), None);
        assert_eq!(ask("", None), None);
        assert_eq!(ask("", Some(("all_proxy", "p.lan:1"))), set("no_proxy=h.example"));
    }
}
