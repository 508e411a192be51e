//! What the refusals of a registry mean, and what to do about them.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use url::Url;

use super::Logins;
use super::credentials::{self, DOCKER, Kept};
use crate::error::{Error, Kind};
use crate::fetch::retry;
use crate::urls::show_url;

/// What it means that a registry refused `url` of the repository at `base`; `None` where the status says it all.
pub(in crate::fetch) fn refusal(
    logins: &Logins,
    base: &str,
    url: &Url,
    status: StatusCode,
    headers: &HeaderMap,
) -> Option<Error> {
    let base: Url = base.parse().ok()?;
    let with = |kind, message: &str| Error::new(kind, message).fact("url", show_url(url)).fact("answer", status);
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(
            with(Kind::Unreachable, "the registry does not let the repository be read")
                .hint(how_to_log_in(&base, &logins.known(&base))),
        ),
        StatusCode::NOT_FOUND | StatusCode::GONE if url.path().contains("/manifests/") => {
            Some(with(Kind::NotFound, "the registry has no such image").hint(format!(
                "check repository and tag: `skopeo list-tags docker://{}/{}` lists the tags that there are",
                name(&base),
                credentials::repository(&base)
            )))
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Some(with(Kind::NotFound, "the registry does not have this part of the image"))
        }
        StatusCode::TOO_MANY_REQUESTS => Some(too_many(&base, url, headers)),
        _ => None,
    }
}

/// What it means that the token service of the registry at `base` gave no token.
pub(super) fn no_token(base: &Url, url: &Url, status: StatusCode, headers: &HeaderMap, kept: &Kept) -> Error {
    if status == StatusCode::TOO_MANY_REQUESTS {
        return too_many(base, url, headers);
    }
    let error = Error::new(Kind::Unreachable, "the registry's token service gives no token")
        .fact("url", show_url(url))
        .fact("answer", status);
    if status.is_client_error() { error.hint(how_to_log_in(base, kept)) } else { error }
}

fn too_many(base: &Url, url: &Url, headers: &HeaderMap) -> Error {
    Error::new(Kind::Unreachable, "the registry takes no more requests from here for now")
        .fact("url", show_url(url))
        .fact("answer", StatusCode::TOO_MANY_REQUESTS)
        .hint(format!(
            "run again in {}; from those who are logged in (`podman login {}`) it may take more",
            retry::when(headers),
            name(base)
        ))
}

/// What opens the repository at `base`, after what is kept for it did not.
pub(super) fn how_to_log_in(base: &Url, kept: &Kept) -> String {
    let name = name(base);
    match kept {
        Kept::Nothing => format!(
            "check the name; if it is private, `podman login {name}` or `docker login {name}` keeps what the registry wants to \
             see"
        ),
        Kept::Login(_, place) => format!(
            "the login kept {place} did not open it: check the name, and whether that user may read it; `podman login {name}` or \
             `docker login {name}` replaces a login that is out of date"
        ),
        Kept::Helper(helper) => format!(
            "check the name; {} says that `{}` has the login, which the registry did not ask for",
            helper.file(),
            helper.program()
        ),
        Kept::HelperWithout(helper) => format!(
            "check the name; `{}`, which {} names, has no login for the registry: `docker login {name}` keeps one there, `podman \
             login {name}` in a file",
            helper.program(),
            helper.file()
        ),
        Kept::IdentityToken(place) => format!(
            "what is kept {place} is an identity token, which strixlock cannot use: `podman login {name}` keeps a user and \
             password, or an access token in the password's place"
        ),
    }
}

/// The registry, as one logs in to it.
pub(super) fn name(base: &Url) -> String {
    let host = credentials::host(base);
    if host == DOCKER { "docker.io".to_owned() } else { host }
}
