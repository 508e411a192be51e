//! The credentials that podman and docker store: `auths` in containers-auth.json(5) and in docker's config.json.
//!
//! The first file with a login for the registry is used: `REGISTRY_AUTH_FILE`, podman's in the runtime directory and in
//! the configuration directory, docker's. If none has a login, the first helper program that they name is used (see
//! [`super::helper`]). Identity tokens, which are exchanged for other tokens, are not supported; if there is nothing
//! else, the error says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde::Deserialize;
use url::Url;

use super::repository::{DOCKER, host, repository};
use super::stored::{Credentials, Helper, Stored};

/// Greatest length of a file with credentials, in bytes.
const MOST: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthFile {
    auths: Option<BTreeMap<String, Auth>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct Auth {
    auth: Option<String>,
    identitytoken: Option<String>,
}

/// Returns the credentials stored for the repository at this URL.
pub(in crate::fetch) fn find(url: &Url) -> Stored {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let files = files(variable, rustix::process::getuid().as_raw()).into_iter();
    first_login(
        files.filter_map(|path| read(&path).map(|text| (path, text))).flat_map(|(path, text)| all(&text, url, &path)),
    )
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let short = path.metadata().is_ok_and(|found| found.is_file() && found.len() <= MOST);
    if short { std::fs::read(path).ok() } else { None }
}

fn files(variable: impl Fn(&str) -> Option<PathBuf>, user: u32) -> Vec<PathBuf> {
    let home = variable("HOME");
    let runtime = variable("XDG_RUNTIME_DIR").map(|path| path.join("containers"));
    let configuration = variable("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
    let docker = variable("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker")));
    [
        variable("REGISTRY_AUTH_FILE"),
        // Podman's directory for users without a session.
        Some(runtime.unwrap_or_else(|| format!("/run/containers/{user}").into()).join("auth.json")),
        configuration.map(|path| path.join("containers/auth.json")),
        docker.map(|path| path.join("config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the first login, else the first other entry.
fn first_login(all: impl Iterator<Item = Stored>) -> Stored {
    let mut other = None;
    for stored in all {
        if stored.login().is_some() {
            return stored;
        }
        other = other.or(Some(stored));
    }
    other.unwrap_or(Stored::Nothing)
}

/// Returns a file's entries for a repository, the most specific first: its own, those of its parent paths, the host's;
/// then the helper for all registries.
fn all(text: &[u8], url: &Url, path: &Path) -> Vec<Stored> {
    let Ok(file) = serde_json::from_slice::<AuthFile>(text) else { return Vec::new() };
    let host = host(url);
    let mut names = vec![format!("{host}/{}", repository(url))];
    while let Some((above, _)) = names.last().and_then(|name| name.rsplit_once('/')) {
        names.push(above.to_owned());
    }
    // Docker Hub's login is stored under its old names.
    if host == DOCKER {
        names.extend(["docker.io", "index.docker.io/v1"].map(str::to_owned));
    }
    let store =
        file.creds_store.iter().filter(|name| !name.is_empty()).map(|name| Stored::Helper(Helper::new(name, path)));
    names.iter().filter_map(|name| entry(&file, name, path)).chain(store).collect()
}

fn entry(file: &AuthFile, name: &str, path: &Path) -> Option<Stored> {
    let place = || format!("in {}", path.display());
    if let Some(auth) = file.auths.as_ref().and_then(|auths| of(auths, name)) {
        let text = auth.auth.as_deref().unwrap_or_default().trim();
        let decoded = base64::engine::general_purpose::STANDARD.decode(text).ok().unwrap_or_default();
        let has_token = auth.identitytoken.as_ref().is_some_and(|token| !token.is_empty());
        // An identity token is stored with a user without a password.
        if has_token && (decoded.is_empty() || decoded.ends_with(b":")) {
            return Some(Stored::IdentityToken(place()));
        }
        // An empty entry means that a helper has the login.
        if decoded.contains(&b':') {
            return Some(Stored::Login(Credentials::encoded(text), place()));
        }
    }
    let helper = file.cred_helpers.as_ref().and_then(|helpers| of(helpers, name));
    helper.map(|helper| Stored::Helper(Helper::new(helper, path)))
}

/// Returns the entry for a registry's name, in any of its spellings.
fn of<'a, T>(entries: &'a BTreeMap<String, T>, name: &str) -> Option<&'a T> {
    let plain =
        |key: &str| key.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/') == name;
    entries.get(name).or_else(|| entries.iter().find(|(key, _)| plain(key)).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a short form of stored credentials.
    fn stored(text: &str, url: &str) -> String {
        match first_login(all(text.as_bytes(), &url.parse().unwrap(), Path::new("f")).into_iter()) {
            Stored::Login(login, _) => {
                let header = login.header().unwrap();
                header.to_str().unwrap().trim_start_matches("Basic ").to_owned()
            }
            Stored::Helper(helper) => helper.program(),
            Stored::HelperWithout(_) => "nothing in the helper".to_owned(),
            Stored::IdentityToken(_) => "identity token".to_owned(),
            Stored::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn the_entry_that_says_most_is_taken() {
        let file = r#"{"auths": {"r.example": {"auth": "aG9zdDpw"}, "r.example/team": {"auth": "dGVhbTpw"},
                       "https://other.example/": {"auth": "b3RoZXI6cA=="}, "broken.example": {"auth": "!!"},
                       "helper.example": {}, "both.example": {}, "token.example": {"auth": "bWU6", "identitytoken": "t"},
                       "r.example/helped": {}},
                       "credHelpers": {"own.example": "mine", "both.example": "mine", "r.example": "mine"},
                       "credsStore": "x"}"#;
        for (url, wanted) in [
            ("https://r.example/v2/team/image/", "dGVhbTpw"),
            ("https://r.example/v2/teams/image/", "aG9zdDpw"),
            ("https://r.example/v2/helped/", "aG9zdDpw"),
            ("https://other.example/v2/a/", "b3RoZXI6cA=="),
            ("https://r.example:5000/v2/a/", "docker-credential-x"),
            ("https://broken.example/v2/a/", "docker-credential-x"),
            ("https://helper.example/v2/a/", "docker-credential-x"),
            ("https://own.example/v2/a/", "docker-credential-mine"),
            ("https://both.example/v2/a/", "docker-credential-mine"),
            ("https://token.example/v2/a/", "identity token"),
        ] {
            assert_eq!(stored(file, url), wanted, "{url}");
        }
        for nothing in
            [r#"{"auths": {"r.example": {"auth": "!!"}}}"#, r#"{"credsStore": "", "credHelpers": null}"#, "[]"]
        {
            assert_eq!(stored(nothing, "https://r.example/v2/a/"), "nothing", "{nothing}");
        }
        let docker = r#"{"auths": {"https://index.docker.io/v1/": {"auth": "bWU6cA=="}}}"#;
        assert_eq!(stored(docker, "https://registry-1.docker.io/v2/library/ubuntu/"), "bWU6cA==");
    }

    #[test]
    fn a_login_in_a_later_file_comes_before_a_helper_in_an_earlier_one() {
        let login = || Stored::Login(Credentials::encoded("bWU6cA=="), "b".into());
        let helper = || Stored::Helper(Helper::new("x", Path::new("a")));
        assert!(matches!(first_login([helper(), login()].into_iter()), Stored::Login(..)));
        assert!(matches!(first_login([helper(), Stored::IdentityToken("b".into())].into_iter()), Stored::Helper(..)));
    }

    #[test]
    fn podman_s_file_is_found_without_a_runtime_directory_too() {
        let files = |variables: &[(&str, &str)]| {
            files(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into()), 1000)
        };
        assert_eq!(files(&[]), [Path::new("/run/containers/1000/auth.json")]);
        assert_eq!(
            files(&[("XDG_RUNTIME_DIR", "/run/user/1000"), ("HOME", "/h")]),
            ["/run/user/1000/containers/auth.json", "/h/.config/containers/auth.json", "/h/.docker/config.json"]
                .map(PathBuf::from)
        );
    }
}
