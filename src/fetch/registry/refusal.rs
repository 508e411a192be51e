//! Explains refusals of a registry, and what to do about them.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use url::Url;

use super::Logins;
use super::repository::{name, repository};
use super::stored::Stored;
use crate::error::{Error, Kind};
use crate::fetch::retry;
use crate::urls::show_url;

/// Explains why a registry refused `url` of the repository at `base`. Returns `None` if the status says it all.
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
            with(Kind::Unreachable, "the registry denies access to the repository")
                .hint(how_to_log_in(&base, &logins.known(&base))),
        ),
        StatusCode::NOT_FOUND | StatusCode::GONE if url.path().contains("/manifests/") => {
            Some(with(Kind::NotFound, "the registry has no such image").hint(format!(
                "check repository and tag: `skopeo list-tags docker://{}/{}` lists the tags",
                name(&base),
                repository(&base)
            )))
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Some(with(Kind::NotFound, "the registry does not have this part of the image"))
        }
        StatusCode::TOO_MANY_REQUESTS => Some(too_many(&base, url, headers)),
        _ => None,
    }
}

/// Explains why the token service of the registry at `base` gave no token.
pub(in crate::fetch) fn no_token(
    base: &Url,
    url: &Url,
    status: StatusCode,
    headers: &HeaderMap,
    stored: &Stored,
) -> Error {
    if status == StatusCode::TOO_MANY_REQUESTS {
        return too_many(base, url, headers);
    }
    let error = Error::new(Kind::Unreachable, "the registry's token service denies a token")
        .fact("url", show_url(url))
        .fact("answer", status);
    if status.is_client_error() { error.hint(how_to_log_in(base, stored)) } else { error }
}

fn too_many(base: &Url, url: &Url, headers: &HeaderMap) -> Error {
    Error::new(Kind::Unreachable, "the registry does not accept more requests for now")
        .fact("url", show_url(url))
        .fact("answer", StatusCode::TOO_MANY_REQUESTS)
        .hint(format!(
            "run again in {}; a login (`podman login {}`) may raise the limit",
            retry::when(headers),
            name(base)
        ))
}

/// Returns a hint on how to get access to the repository at `base`, by the credentials that were stored for it.
pub(in crate::fetch) fn how_to_log_in(base: &Url, stored: &Stored) -> String {
    let name = name(base);
    match stored {
        Stored::Nothing => {
            format!("check the name; if it is private, log in with `podman login {name}` or `docker login {name}`")
        }
        Stored::Login(_, place) => format!(
            "the login stored {place} was not accepted: check the name, and whether that user may read it; \
             `podman login {name}` or `docker login {name}` replaces an outdated login"
        ),
        Stored::Helper(helper) => format!(
            "check the name; {} says that `{}` has the login, which the registry did not ask for",
            helper.file(),
            helper.program()
        ),
        Stored::HelperWithout(helper) => format!(
            "check the name; `{}`, which {} names, has no login for the registry: `docker login {name}` stores one \
             there, `podman login {name}` in a file",
            helper.program(),
            helper.file()
        ),
        Stored::IdentityToken(place) => format!(
            "only an identity token is stored {place}, which strixlock cannot use: `podman login {name}` stores a user \
             and password, or an access token as the password"
        ),
    }
}
