//! The credentials that podman and docker keep: `auths` of containers-auth.json(5) and of docker's config.json.
//!
//! Of several places the first that knows the registry: `REGISTRY_AUTH_FILE`, podman's in the runtime directory and below the
//! configuration, docker's. Helpers that are programs of their own are not asked. What is read here is told to nobody but
//! the registry: the type has no `Debug`.

use std::collections::HashMap;
use std::path::PathBuf;

use base64::Engine as _;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use url::Url;

use crate::error::{Error, Kind, Result};

/// No such file is longer, in bytes.
const MOST: u64 = 1 << 20;

/// User and password, as they are sent.
pub(super) struct Credentials(String);

impl Credentials {
    /// The header that shows them.
    pub fn header(&self) -> Result<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Basic {}", self.0))
            .map_err(|_| Error::new(Kind::Invalid, "the credentials for a registry cannot be sent"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

#[derive(Deserialize)]
struct AuthFile {
    #[serde(default)]
    auths: HashMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    auth: Option<String>,
}

/// The credentials for the repository at this URL, if somebody keeps some.
pub(super) fn find(url: &Url) -> Option<Credentials> {
    files().into_iter().find_map(|path| {
        let short = path.metadata().is_ok_and(|found| found.is_file() && found.len() <= MOST);
        let text = if short { std::fs::read(&path).ok()? } else { return None };
        pick(&text, url)
    })
}

fn files() -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = variable("HOME");
    let configuration = variable("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
    let docker = variable("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker")));
    [
        variable("REGISTRY_AUTH_FILE"),
        variable("XDG_RUNTIME_DIR").map(|path| path.join("containers/auth.json")),
        configuration.map(|path| path.join("containers/auth.json")),
        docker.map(|path| path.join("config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The entry of a file that says most of the repository: its own, then those of the directories above it, then the host's.
fn pick(text: &[u8], url: &Url) -> Option<Credentials> {
    let file: AuthFile = serde_json::from_slice(text).ok()?;
    let host = url.host_str()?;
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let repository = url.path().trim_start_matches("/v2/").trim_end_matches('/');
    let mut names = vec![format!("{host}/{repository}")];
    while let Some((above, _)) = names.last().and_then(|name| name.rsplit_once('/')) {
        names.push(above.to_owned());
    }
    // Docker's own registry is kept under names of older days.
    if host == "registry-1.docker.io" {
        names.extend(["docker.io", "index.docker.io/v1"].map(str::to_owned));
    }
    let plain =
        |key: &str| key.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/').to_owned();
    names.iter().find_map(|name| {
        let (_, auth) = file.auths.iter().find(|(key, _)| plain(key) == *name)?;
        let text = auth.auth.as_ref()?.trim();
        // Only what can be a user and password.
        let decoded = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
        decoded.contains(&b':').then(|| Credentials(text.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(text: &str, url: &str) -> Option<String> {
        pick(text.as_bytes(), &url.parse().unwrap()).map(|found| found.0)
    }

    #[test]
    fn the_entry_that_says_most_is_taken() {
        let file = r#"{"auths": {"r.example": {"auth": "aG9zdDpw"}, "r.example/team": {"auth": "dGVhbTpw"},
                       "https://other.example/": {"auth": "b3RoZXI6cA=="}, "broken.example": {"auth": "!!"},
                       "helper.example": {}}, "credsStore": "x"}"#;
        assert_eq!(picked(file, "https://r.example/v2/team/image/").as_deref(), Some("dGVhbTpw"));
        assert_eq!(picked(file, "https://r.example/v2/teams/image/").as_deref(), Some("aG9zdDpw"));
        assert_eq!(picked(file, "https://other.example/v2/a/").as_deref(), Some("b3RoZXI6cA=="));
        for none in ["https://r.example:5000/v2/a/", "https://broken.example/v2/a/", "https://helper.example/v2/a/"] {
            assert_eq!(picked(file, none), None, "{none}");
        }
        assert_eq!(picked("[]", "https://r.example/v2/a/"), None);
    }
}
