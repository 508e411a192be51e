//! Proxies for downloads. Their passwords are not shown.

use std::collections::BTreeMap;

use url::Url;

use super::{Finding, Level, Surroundings};
use crate::urls::show_url;

/// The environment variables that are read.
pub const VARIABLES: [&str; 8] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];

/// Judges every proxy variable.
pub(super) fn check(surroundings: &Surroundings) -> Vec<Finding> {
    let proxies = &surroundings.proxies;
    let mut findings: Vec<Finding> = proxies
        .iter()
        .filter(|(name, value)| !name.eq_ignore_ascii_case("no_proxy") && !value.is_empty())
        .map(|(name, value)| one(name, value))
        .collect();
    findings.extend(contradictions(proxies));
    if findings.is_empty() {
        findings.push(Finding::good("proxy", "none"));
    }
    findings
}

/// Judges one variable.
fn one(name: &str, value: &str) -> Finding {
    // Like curl, assume http without a scheme.
    let text = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    match Url::parse(&text).ok().filter(|url| url.has_host() && SCHEMES.contains(&url.scheme())) {
        Some(url) => Finding::good("proxy", format!("{name}: {}", show_url(&url))),
        None => Finding::new("proxy", Level::Bad, format!("invalid proxy URL in {name}"))
            .why("downloads fail, or silently bypass the proxy")
            .mend(format!("export {name}=http://HOST:PORT, or unset {name}")),
    }
}

/// The schemes of proxies.
const SCHEMES: [&str; 5] = ["http", "https", "socks5", "socks5h", "socks4"];

/// Warns of a variable that is set differently in upper and lower case. Programs differ in which one they read.
fn contradictions(proxies: &BTreeMap<String, String>) -> Vec<Finding> {
    let upper = proxies.iter().filter(|(name, _)| name.chars().all(|c| !c.is_ascii_lowercase()));
    let differs =
        upper.filter(|(name, value)| proxies.get(&name.to_ascii_lowercase()).is_some_and(|lower| lower != *value));
    differs
        .map(|(name, _)| {
            let lower = name.to_ascii_lowercase();
            Finding::new("proxy", Level::Advice, format!("{name} and {lower} differ"))
                .why("some programs read one, some the other")
                .mend(format!("export {lower}=\"${name}\""))
        })
        .collect()
}
