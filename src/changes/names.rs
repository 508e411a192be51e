//! Names of groups of commits, and pages that compare commits: `names.toml`.

use std::sync::LazyLock;

use serde::Deserialize;
use url::Url;

/// The table, compiled into the program. A test parses it, so the fallback is never used.
static TABLE: LazyLock<Table> = LazyLock::new(|| toml::from_str(include_str!("names.toml")).unwrap_or_default());

/// The group of commits of whose paths nothing is known.
const NO_PATHS: &str = "merges";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    group: Vec<Group>,
    compare: Vec<Compare>,
    therock: TheRock,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    paths: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Compare {
    hosts: Vec<String>,
    url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TheRock {
    url: String,
}

/// Returns the place of a commit's group among all groups, and its name. Paths that are in no group of the table give a
/// group named after their first directory, behind all others.
pub(super) fn group(paths: &[String]) -> (usize, String) {
    let fits = |pattern: &String, path: &String| {
        if pattern.ends_with('/') { path.starts_with(pattern.as_str()) } else { path == pattern }
    };
    let in_group = |group: &Group| group.paths.iter().any(|pattern| paths.iter().any(|path| fits(pattern, path)));
    if let Some((place, group)) = TABLE.group.iter().enumerate().find(|(_, group)| in_group(group)) {
        return (place, group.name.clone());
    }
    let first = paths.first().map(|path| path.split_once('/').map_or("top directory", |(directory, _)| directory));
    match first {
        Some(directory) => (TABLE.group.len(), directory.to_owned()),
        None => (TABLE.group.len() + 1, NO_PATHS.to_owned()),
    }
}

/// Returns the page on which the host of a repository compares two commits, if it is known to have one.
pub(super) fn compare_page(repository: &str, from: &str, to: &str) -> Option<String> {
    let url = Url::parse(repository).ok().filter(|url| url.scheme() == "https" && url.query().is_none())?;
    let host = url.host_str()?;
    let page = TABLE.compare.iter().find(|compare| compare.hosts.iter().any(|one| one == host))?;
    let base = url.as_str().trim_end_matches('/');
    let base = base.strip_suffix(".git").unwrap_or(base);
    Some(page.url.replace("{url}", base).replace("{from}", from).replace("{to}", to))
}

/// Returns the page that compares two commits of TheRock.
pub(super) fn therock_page(from: &str, to: &str) -> Option<String> {
    compare_page(&TABLE.therock.url, from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(paths: &[&str]) -> String {
        group(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>()).1
    }

    #[test]
    fn a_commit_is_in_the_first_group_that_one_of_its_paths_fits() {
        for (paths, group) in [
            (["README.md", "ggml/src/ggml-cuda/mmq.cu"].as_slice(), "ggml-hip"),
            (&["ggml/src/ggml-hip/CMakeLists.txt"], "ggml-hip"),
            (&["tests/a.cpp", "src/llama-model.cpp"], "models and inference"),
            (&["ggml/src/ggml-metal/x.m"], "other backends"),
            (&["tools/server/server.cpp", "tools/x"], "llama-server"),
            (&["CMakeLists.txt"], "build"),
            (&["CMakeLists.txt.orig"], "top directory"),
            (&["whisper/x.c"], "whisper"),
            (&[], NO_PATHS),
        ] {
            assert_eq!(name(paths), group, "{paths:?}");
        }
        assert_eq!(group(&["ggml/src/ggml-cuda/a.cu".to_owned()]).0, 0);
    }

    #[test]
    fn hosts_compare_commits_where_the_table_says() {
        let page = |url| compare_page(url, "a", "b");
        let github = Some("https://github.com/o/r/compare/a...b".to_owned());
        assert_eq!(page("https://github.com/o/r"), github);
        assert_eq!(page("https://github.com/o/r.git/"), github);
        assert_eq!(page("https://gitlab.com/o/r").as_deref(), Some("https://gitlab.com/o/r/-/compare/a...b"));
        for other in ["git@github.com:o/r", "ssh://git@github.com/o/r", "https://example.org/o/r", "file:///r"] {
            assert_eq!(page(other), None, "{other}");
        }
        assert!(therock_page("a", "b").is_some_and(|page| page.ends_with("/compare/a...b")));
    }
}
