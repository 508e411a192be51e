//! The credentials that podman and docker keep: `auths` of containers-auth.json(5) and of docker's config.json.
//!
//! Of several places the first that has a login for the registry: `REGISTRY_AUTH_FILE`, podman's in the runtime directory and
//! below the configuration, docker's. Where none has a login, the first helper program that they name has (see
//! [`super::helper`]). Identity tokens, a grant that is exchanged for others, are not used; where only one is kept, that is
//! said. What is read here is told to nobody but the registry: the types have no `Debug`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use url::Url;

use super::helper::Helper;
use crate::error::{Error, Kind, Result};

/// Where Docker's own registry answers.
pub(super) const DOCKER: &str = "registry-1.docker.io";

/// No such file is longer, in bytes.
const MOST: u64 = 1 << 20;

/// User and password, as they are sent.
#[derive(Clone)]
pub(super) struct Credentials(String);

impl Credentials {
    /// Those of a user; `None` for a name that cannot be sent with a password.
    pub fn new(user: &str, password: &str) -> Option<Self> {
        let text = || base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        (!user.contains(':')).then(|| Self(text()))
    }

    /// The header that shows them.
    pub fn header(&self) -> Result<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Basic {}", self.0))
            .map_err(|_| Error::new(Kind::Invalid, "the credentials for a registry cannot be sent"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// What is kept for a repository, and where, as in "kept in FILE".
#[derive(Clone)]
pub(super) enum Kept {
    /// User and password.
    Login(Credentials, String),
    /// A helper program may have them, which was not asked.
    Helper(Helper),
    /// The helper program that was asked has none.
    HelperWithout(Helper),
    /// An identity token without a password.
    IdentityToken(String),
    /// Nothing at all.
    Nothing,
}

impl Kept {
    /// User and password, where they are here.
    pub fn login(&self) -> Option<&Credentials> {
        if let Self::Login(credentials, _) = self { Some(credentials) } else { None }
    }
}

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

/// What somebody keeps for the repository at this URL.
pub(super) fn find(url: &Url) -> Kept {
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
        // For users without a session podman has a directory of its own.
        Some(runtime.unwrap_or_else(|| format!("/run/containers/{user}").into()).join("auth.json")),
        configuration.map(|path| path.join("containers/auth.json")),
        docker.map(|path| path.join("config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The first login, else the first of whatever there is.
fn first_login(all: impl Iterator<Item = Kept>) -> Kept {
    let mut other = None;
    for kept in all {
        if kept.login().is_some() {
            return kept;
        }
        other = other.or(Some(kept));
    }
    other.unwrap_or(Kept::Nothing)
}

/// Host and port of a repository.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The registry of a repository by the name under which helpers keep its login.
pub(super) fn server(url: &Url) -> String {
    let host = host(url);
    if host == DOCKER { "https://index.docker.io/v1/".to_owned() } else { host }
}

/// The name of the repository at a URL.
pub(super) fn repository(url: &Url) -> &str {
    url.path().trim_start_matches("/v2/").trim_end_matches('/')
}

/// What a file has for a repository, what says most of it first: its own entry, those of the directories above it, the
/// host's; then the helper that has every registry's, listed in the file or not.
fn all(text: &[u8], url: &Url, path: &Path) -> Vec<Kept> {
    let Ok(file) = serde_json::from_slice::<AuthFile>(text) else { return Vec::new() };
    let host = host(url);
    let mut names = vec![format!("{host}/{}", repository(url))];
    while let Some((above, _)) = names.last().and_then(|name| name.rsplit_once('/')) {
        names.push(above.to_owned());
    }
    // Docker's own registry is kept under names of older days.
    if host == DOCKER {
        names.extend(["docker.io", "index.docker.io/v1"].map(str::to_owned));
    }
    let store =
        file.creds_store.iter().filter(|name| !name.is_empty()).map(|name| Kept::Helper(Helper::new(name, path)));
    names.iter().filter_map(|name| entry(&file, name, path)).chain(store).collect()
}

fn entry(file: &AuthFile, name: &str, path: &Path) -> Option<Kept> {
    let place = || format!("in {}", path.display());
    if let Some(auth) = file.auths.as_ref().and_then(|auths| of(auths, name)) {
        let text = auth.auth.as_deref().unwrap_or_default().trim();
        let decoded = base64::engine::general_purpose::STANDARD.decode(text).ok().unwrap_or_default();
        let has_token = auth.identitytoken.as_ref().is_some_and(|token| !token.is_empty());
        // Beside a token stands a user without a password.
        if has_token && (decoded.is_empty() || decoded.ends_with(b":")) {
            return Some(Kept::IdentityToken(place()));
        }
        // Only what can be a user and password. An entry without contents says that a helper has them.
        if decoded.contains(&b':') {
            return Some(Kept::Login(Credentials(text.to_owned()), place()));
        }
    }
    let helper = file.cred_helpers.as_ref().and_then(|helpers| of(helpers, name));
    helper.map(|helper| Kept::Helper(Helper::new(helper, path)))
}

/// The value under a registry's name, in one of the ways in which it is written.
fn of<'a, T>(entries: &'a BTreeMap<String, T>, name: &str) -> Option<&'a T> {
    let plain =
        |key: &str| key.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/') == name;
    entries.get(name).or_else(|| entries.iter().find(|(key, _)| plain(key)).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept, in short.
    fn kept(text: &str, url: &str) -> String {
        match first_login(all(text.as_bytes(), &url.parse().unwrap(), Path::new("f")).into_iter()) {
            Kept::Login(login, _) => login.0,
            Kept::Helper(helper) => helper.program(),
            Kept::HelperWithout(_) => "nothing in the helper".to_owned(),
            Kept::IdentityToken(_) => "identity token".to_owned(),
            Kept::Nothing => "nothing".to_owned(),
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
            assert_eq!(kept(file, url), wanted, "{url}");
        }
        for nothing in
            [r#"{"auths": {"r.example": {"auth": "!!"}}}"#, r#"{"credsStore": "", "credHelpers": null}"#, "[]"]
        {
            assert_eq!(kept(nothing, "https://r.example/v2/a/"), "nothing", "{nothing}");
        }
        let docker = r#"{"auths": {"https://index.docker.io/v1/": {"auth": "bWU6cA=="}}}"#;
        assert_eq!(kept(docker, "https://registry-1.docker.io/v2/library/ubuntu/"), "bWU6cA==");
    }

    #[test]
    fn helpers_know_docker_s_own_registry_by_a_name_of_older_days() {
        for (url, wanted) in [
            ("https://registry-1.docker.io/v2/library/ubuntu/", "https://index.docker.io/v1/"),
            ("https://r.example:5000/v2/a/", "r.example:5000"),
        ] {
            assert_eq!(server(&url.parse().unwrap()), wanted);
        }
    }

    #[test]
    fn a_login_in_a_later_file_comes_before_a_helper_in_an_earlier_one() {
        let login = || Kept::Login(Credentials("bWU6cA==".to_owned()), "b".into());
        let helper = || Kept::Helper(Helper::new("x", Path::new("a")));
        assert!(matches!(first_login([helper(), login()].into_iter()), Kept::Login(..)));
        assert!(matches!(first_login([helper(), Kept::IdentityToken("b".into())].into_iter()), Kept::Helper(..)));
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
