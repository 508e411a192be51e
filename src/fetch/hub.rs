//! The Hugging Face hub: the user's token, and explanations of refusals.
//!
//! A token opens private repositories, so it is sent to one origin only: the hub that the user's own environment names.
//! Neither a manifest nor a redirect can send it anywhere else (`reqwest` drops credentials on redirects to another
//! host or port), and it is never printed.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use url::{Origin, Url};

use crate::error::{Error, Kind};
use crate::urls::show_url;

/// The default hub.
pub const HUB: &str = "https://huggingface.co/";

/// A user's token and the hub that it belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct HubToken {
    origin: Origin,
    secret: String,
}

/// Hides the secret, even in debug output.
impl fmt::Debug for HubToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HubToken({})", self.origin.ascii_serialization())
    }
}

/// The hub settings in the environment, as Hugging Face's own tools read them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HubSettings {
    /// `HF_ENDPOINT`: another hub, with the same repositories.
    pub endpoint: Option<Url>,
    /// The token: `HF_TOKEN`, else the file that `HF_TOKEN_PATH` names, else `token` in `HF_HOME`
    /// (`~/.cache/huggingface`).
    pub token: Option<HubToken>,
}

impl HubSettings {
    /// Reads the environment through `variable`. Invalid values are ignored, so that they cannot stop other downloads.
    #[must_use]
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let endpoint =
            variable("HF_ENDPOINT").and_then(|text| Url::parse(&format!("{}/", text.trim_end_matches('/'))).ok());
        let hub = endpoint.clone().or_else(|| Url::parse(HUB).ok());
        let secret = variable("HF_TOKEN").or_else(|| fs_err::read_to_string(token_file(variable)?).ok());
        let secret = secret.map(|text| text.trim().to_owned()).filter(|text| is_token(text));
        let token = hub.zip(secret).map(|(hub, secret)| HubToken { origin: hub.origin(), secret });
        Self { endpoint, token }
    }
}

fn token_file(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(path) = variable("HF_TOKEN_PATH") {
        return Some(path.into());
    }
    let cache =
        || variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(Path::new(&variable("HOME")?).join(".cache")));
    let home = variable("HF_HOME").map(PathBuf::from).or_else(|| Some(cache()?.join("huggingface")));
    Some(home?.join("token"))
}

/// Returns whether a text can be sent in a header.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl HubToken {
    /// Returns the token, if `url` is on the hub that it belongs to.
    pub(super) fn secret_for(&self, url: &Url) -> Option<&str> {
        (url.origin() == self.origin).then_some(&self.secret)
    }
}

/// Explains a refusal of the hub. Returns `None` if the answer is not the hub's. `known` is true if a token was sent.
pub(super) fn refusal(url: &Url, status: StatusCode, headers: &HeaderMap, known: bool) -> Option<Error> {
    let code = headers.get("x-error-code").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let page = page(url);
    let with = |kind, message: &str, hint: String| {
        Some(Error::new(kind, message).fact("url", show_url(url)).fact("answer", status).hint(hint))
    };
    match (code, status) {
        ("GatedRepo", _) if known => with(
            Kind::Unreachable,
            "the repository is gated, and the account of your token has no access",
            format!(
                "accept its conditions on {page} with that account, and wait for the owner's approval if the page says \
                 so"
            ),
        ),
        ("GatedRepo", _) => with(
            Kind::Unreachable,
            "the repository is gated: it is only for accounts that accepted its conditions",
            format!("accept them on {page}, then put a token that may read into HF_TOKEN, or run `hf auth login`"),
        ),
        ("RepoNotFound", _) => with(
            Kind::NotFound,
            "the hub has no such repository, or it is private",
            if known {
                "check the name; a private one needs a token of an account that may read it".to_owned()
            } else {
                "check the name; for a private one put a token into HF_TOKEN, or run `hf auth login`".to_owned()
            },
        ),
        ("RevisionNotFound", _) => with(
            Kind::NotFound,
            "the repository has no such revision",
            format!("its branches and tags are listed on {page}"),
        ),
        ("EntryNotFound", _) => with(
            Kind::NotFound,
            "the repository has no such file at this commit",
            format!("its files are listed on {page}"),
        ),
        ("", StatusCode::UNAUTHORIZED) if known => with(
            Kind::Unreachable,
            "the hub does not accept your token",
            "it may have expired: make a new one on its settings page, and put it into HF_TOKEN or run `hf auth login`"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Returns the web page of the repository that an address of the hub belongs to.
fn page(url: &Url) -> String {
    let mut parts = url.path().split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>();
    if let Some(api) = parts.windows(2).position(|pair| pair == ["api", "models"]) {
        parts.drain(api..api + 2);
    }
    let end = parts.iter().position(|part| matches!(*part, "resolve" | "revision")).unwrap_or(parts.len());
    let mut page = url.clone();
    page.set_path(&parts.get(..end).unwrap_or_default().join("/"));
    page.set_query(None);
    show_url(&page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn settings(variables: &[(&str, &str)]) -> HubSettings {
        HubSettings::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_token_goes_to_its_hub_and_nowhere_else() {
        let token = settings(&[("HF_TOKEN", " hf_secret\n")]).token.unwrap();
        assert_eq!(token.secret_for(&url("https://huggingface.co/a/b/resolve/main/c")), Some("hf_secret"));
        for other in [
            "http://huggingface.co/",
            "https://huggingface.co:444/",
            "https://huggingface.co.example/",
            "https://cdn-lfs.huggingface.co/",
            "https://evil.example/huggingface.co/",
        ] {
            assert_eq!(token.secret_for(&url(other)), None, "{other}");
        }
        assert!(!format!("{token:?}").contains("secret"));
        let own = settings(&[("HF_TOKEN", "hf_x"), ("HF_ENDPOINT", "https://hub.example/base")]);
        assert_eq!(own.endpoint, Some(url("https://hub.example/base/")));
        let token = own.token.unwrap();
        assert!(token.secret_for(&url("https://hub.example/")).is_some());
        assert!(token.secret_for(&url(HUB)).is_none());
    }

    #[test]
    fn the_token_file_is_where_their_own_tools_write_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        fs_err::create_dir_all(directory.path().join(".cache/huggingface")).unwrap();
        for (file, text) in [(".cache/huggingface/token", "usual\n"), ("token", "home"), ("mine", "mine")] {
            fs_err::write(directory.path().join(file), text).unwrap();
        }
        let home = path("");
        let secret = |variables: &[(&str, &str)]| settings(variables).token.map(|token| token.secret);
        assert_eq!(secret(&[("HOME", &home)]).as_deref(), Some("usual"));
        assert_eq!(secret(&[("HOME", &home), ("HF_HOME", &home)]).as_deref(), Some("home"));
        assert_eq!(secret(&[("HF_TOKEN_PATH", &path("mine")), ("HF_HOME", &home)]).as_deref(), Some("mine"));
        assert_eq!(secret(&[("HF_TOKEN", "a b")]), None, "no header can hold this");
        assert_eq!(secret(&[]), None);
    }

    #[test]
    fn the_page_of_a_repository_is_found() {
        for (at, wanted) in [
            ("https://huggingface.co/api/models/a/b/revision/main?blobs=true", "https://huggingface.co/a/b"),
            ("https://huggingface.co/a/b/resolve/main/c.gguf", "https://huggingface.co/a/b"),
            ("https://hub.example/base/a/b/resolve/main/c.gguf", "https://hub.example/base/a/b"),
        ] {
            assert_eq!(page(&url(at)), wanted);
        }
    }
}
