//! Names of a repository and its registry, from the repository's base address.

use url::Url;

/// The host of Docker Hub's registry.
pub(in crate::fetch) const DOCKER: &str = "registry-1.docker.io";

/// Returns host and port of a repository.
pub(in crate::fetch) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns the name under which helpers store the login of a repository's registry.
pub(in crate::fetch) fn server(url: &Url) -> String {
    let host = host(url);
    if host == DOCKER { "https://index.docker.io/v1/".to_owned() } else { host }
}

/// Returns the name of the repository at a URL.
pub(in crate::fetch) fn repository(url: &Url) -> &str {
    url.path().trim_start_matches("/v2/").trim_end_matches('/')
}

/// Returns the registry's name for a login command.
pub(in crate::fetch) fn name(base: &Url) -> String {
    let host = host(base);
    if host == DOCKER { "docker.io".to_owned() } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_know_docker_s_own_registry_by_a_name_of_older_days() {
        for (url, wanted) in [
            ("https://registry-1.docker.io/v2/library/ubuntu/", "https://index.docker.io/v1/"),
            ("https://r.example:5000/v2/a/", "r.example:5000"),
        ] {
            assert_eq!(server(&url.parse().unwrap()), wanted);
        }
    }
}
