//! The places of forges' APIs, `forges.toml`.

use std::sync::LazyLock;

use serde::Deserialize;
use url::Url;

/// The table, compiled into the program. A test parses it, so the fallback is never used.
static TABLE: LazyLock<Table> = LazyLock::new(|| toml::from_str(include_str!("forges.toml")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    forge: Vec<Forge>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Forge {
    host: Option<String>,
    api: String,
}

/// Returns the base of the API for a repository. `None` for addresses that are not http or have no path.
pub(super) fn api_of(repository: &str) -> Option<Url> {
    let url = Url::parse(repository).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let path = url.path().trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    if path.is_empty() {
        return None;
    }
    let fits = |forge: &&Forge| forge.host.as_deref().is_none_or(|host| url.host_str() == Some(host));
    let forge = TABLE.forge.iter().find(fits)?;
    let api = forge.api.replace("{origin}", &url.origin().ascii_serialization()).replace("{path}", path);
    Url::parse(&api).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_where_the_forge_of_the_host_has_it() {
        for (repository, api) in [
            ("https://github.com/ggml-org/llama.cpp", "https://api.github.com/repos/ggml-org/llama.cpp"),
            ("https://github.com/ggml-org/llama.cpp.git/", "https://api.github.com/repos/ggml-org/llama.cpp"),
            ("https://codeberg.org/a/b", "https://codeberg.org/api/v1/repos/a/b"),
            ("http://127.0.0.1:8080/a/b.git", "http://127.0.0.1:8080/api/v1/repos/a/b"),
        ] {
            assert_eq!(api_of(repository).map(String::from).as_deref(), Some(api), "{repository}");
        }
        for repository in ["git@github.com:a/b", "ssh://git@github.com/a/b", "file:///a/b", "https://github.com", ""] {
            assert_eq!(api_of(repository), None, "{repository}");
        }
    }
}
