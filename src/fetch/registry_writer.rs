//! Requests that write to a container registry, and those that only its writers need: OCI Distribution Specification
//! 1.1. Blobs are sent by [`super::upload`].

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LINK};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::client::{Fetcher, transport_error};
use super::registry::SendError;
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::oci::Descriptor;
use crate::oci::document::{self, INDEX};
use crate::urls::{server, show_url};

/// Greatest size of one page of a list, in bytes.
const LARGEST_PAGE: u64 = 4 << 20;
/// Greatest number of pages of a list. A registry that names more is taken to lead in a circle.
const MOST_PAGES: usize = 1000;
/// Greatest number of tags.
const MOST_TAGS: usize = 200_000;
/// Greatest length of a tag, by the specification.
const LONGEST_TAG: usize = 128;

/// An access to a repository of a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read it.
    Read,
    /// Read it and add to it.
    Write,
    /// Read it, add to it and remove from it.
    Delete,
}

impl Access {
    /// Returns the actions in a token service's scope.
    fn actions(self) -> &'static str {
        match self {
            Self::Read => "pull",
            Self::Write => "pull,push",
            Self::Delete => "pull,push,delete",
        }
    }
}

/// A page of tags.
#[derive(Deserialize)]
struct Tags {
    /// Some registries send `null` for a repository without tags.
    tags: Option<Vec<String>>,
}

/// A page of the manifests that refer to one.
#[derive(Deserialize)]
struct Referrers {
    manifests: Vec<Descriptor>,
}

impl Fetcher {
    /// Returns the base address of a repository, like [`Self::registry`], for this access.
    pub fn registry_for(&self, host: &str, repository: &str, access: Access) -> Result<Url> {
        let base = self.registry(host, repository)?;
        self.logins.allow(base.as_str(), access.actions());
        Ok(base)
    }

    /// Returns the size of a blob of the repository at `base`, if it is there.
    pub fn blob_size(&self, base: &Url, digest: Sha256Digest) -> Result<Option<u64>> {
        let url = join(base, &format!("blobs/{digest}"))?;
        match self.head(&url) {
            Ok(head) => Ok(Some(head.size.unwrap_or(0))),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores a manifest in the repository at `base` under its digest or a tag. Fails if the registry says that it
    /// stored other bytes.
    pub fn put_manifest(&self, base: &Url, name: &str, media_type: &str, manifest: &[u8]) -> Result<()> {
        let url = join(base, &format!("manifests/{name}"))?;
        self.settings().check(&url)?;
        let request = self.request(Method::PUT, &url).header(CONTENT_TYPE, media_type);
        let request = request.body(Bytes::copy_from_slice(manifest));
        let task = self.requesting(&server(&url));
        let headers = self.runtime.block_on(async {
            let _permit = self.document_permit(&url).await;
            self.ask(&url, request, &*task).await.map(|answer| answer.headers().clone())
        })?;
        let (ours, theirs) = (Sha256Digest::of(manifest).to_string(), text(&headers, "docker-content-digest"));
        if theirs.as_ref().is_some_and(|theirs| *theirs != ours) {
            return Err(Error::new(Kind::Mismatch, "the registry stored another manifest than it was sent")
                .fact("url", show_url(&url))
                .fact("sent", ours)
                .fact("stored", theirs.unwrap_or_default()));
        }
        Ok(())
    }

    /// Removes a manifest of the repository at `base`, with its tags. Does nothing if it is not there.
    pub fn delete_manifest(&self, base: &Url, digest: Sha256Digest) -> Result<()> {
        self.delete(&join(base, &format!("manifests/{digest}"))?)
    }

    /// Removes a blob from the repository at `base`. Does nothing if it is not there. The registry may keep its bytes.
    pub fn delete_blob(&self, base: &Url, digest: Sha256Digest) -> Result<()> {
        self.delete(&join(base, &format!("blobs/{digest}"))?)
    }

    fn delete(&self, url: &Url) -> Result<()> {
        self.settings().check(url)?;
        self.runtime.block_on(async {
            let _permit = self.document_permit(url).await;
            let answer = self.send(url, self.request(Method::DELETE, url)).await.map_err(|error| match error {
                SendError::Login(error) => error,
                SendError::Transport(error) => transport_error(url, &error),
            })?;
            match answer.status() {
                status if status.is_success() => Ok(()),
                StatusCode::NOT_FOUND | StatusCode::GONE => Ok(()),
                StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST => {
                    Err(Error::failure("the registry does not allow that anything is removed")
                        .fact("url", show_url(url))
                        .fact("answer", answer.status())
                        .hint("its operator can allow it; for docker-registry: `storage: delete: enabled: true`"))
                }
                status => Err(self.refused(url, status, answer.headers())),
            }
        })
    }

    /// Returns the tags of the repository at `base`; none if there is no such repository.
    pub fn registry_tags(&self, base: &Url) -> Result<Vec<String>> {
        let mut all = Vec::new();
        let mut count = 0;
        self.registry_list(base, "tags/list?n=1000", "application/json", |page: Tags| {
            let tags = page.tags.unwrap_or_default();
            count += tags.len();
            all.extend(tags.into_iter().filter(|tag| (1..=LONGEST_TAG).contains(&tag.len())));
            count <= MOST_TAGS
        })?;
        if count > MOST_TAGS {
            return Err(Error::new(Kind::Mismatch, "the registry sent an invalid list: it has too many tags")
                .fact("url", show_url(base))
                .fact("limit", MOST_TAGS));
        }
        Ok(all)
    }

    /// Returns the first `most` manifests that refer to a manifest, or `None` if the registry does not list them.
    pub fn registry_referrers(
        &self,
        base: &Url,
        subject: Sha256Digest,
        most: usize,
    ) -> Result<Option<Vec<Descriptor>>> {
        let mut all = Vec::new();
        let listed = self.registry_list(base, &format!("referrers/{subject}"), INDEX, |page: Referrers| {
            all.extend(page.manifests);
            all.len() < most
        })?;
        all.truncate(most);
        Ok(listed.then_some(all))
    }

    /// Reads a list in pages, the first of which is at `first` below `base`. `take` returns whether it wants the next one.
    /// Returns `false` if the registry has no such list.
    fn registry_list<T: DeserializeOwned>(
        &self,
        base: &Url,
        first: &str,
        accept: &str,
        mut take: impl FnMut(T) -> bool,
    ) -> Result<bool> {
        let mut url = join(base, first)?;
        let odd = |url: &Url, why: &str| {
            Error::new(Kind::Mismatch, format!("the registry sent an invalid list: {why}")).fact("url", show_url(url))
        };
        for page in 0..MOST_PAGES {
            let (headers, body) = match self.registry_body(&url, accept, LARGEST_PAGE) {
                Err(error) if error.kind() == Kind::NotFound => return Ok(page > 0),
                other => other?,
            };
            let read =
                document::read(&body, "list of a registry").map_err(|error| error.fact("url", show_url(&url)))?;
            if !take(read) {
                return Ok(true);
            }
            let Some(next) = text(&headers, LINK.as_str()).and_then(|link| next_page(&link)) else { return Ok(true) };
            let next = url.join(&next).ok().filter(|next| next.as_str().starts_with(base.as_str()));
            url = next.ok_or_else(|| odd(&url, "it goes on in another place"))?;
        }
        Err(odd(&url, "it has no end"))
    }
}

/// Returns the address of something in the repository at `base`.
pub(super) fn join(base: &Url, below: &str) -> Result<Url> {
    base.join(below).map_err(|error| Error::new(Kind::Invalid, "invalid name in a registry").because(&error))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Returns the address of the next page in a `Link` header: `</v2/a/tags/list?last=x&n=1000>; rel="next"`.
fn next_page(link: &str) -> Option<String> {
    let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = parameters.split(';').any(|one| matches!(one.trim(), r#"rel="next""# | "rel=next"));
    is_next.then(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use strixlock_demo::http::{Incoming, Response, Server};

    use super::*;
    use crate::fetch::Settings;
    use crate::progress::Silent;

    #[test]
    fn the_next_page_is_named_by_a_link() {
        for (link, wanted) in [
            (r#"</v2/a/tags/list?last=x&n=2>; rel="next""#, Some("/v2/a/tags/list?last=x&n=2")),
            (r"<https://r.example/x>; rel=next", Some("https://r.example/x")),
            (r#"</x>; rel="prev""#, None),
            ("</x", None),
            ("", None),
        ] {
            assert_eq!(next_page(link).as_deref(), wanted, "{link}");
        }
    }

    /// Serves pages of one referrer each. `link` returns the header `Link` of the page after so many others.
    fn serve(link: impl Fn(usize) -> Option<String> + Send + Sync + 'static) -> (Server, Fetcher, Url) {
        let server = Server::start().unwrap();
        server.handle("/v2/team/strix/referrers/", move |incoming: &Incoming| {
            let page = incoming.parameter("page").map_or(0, |page| page.parse().unwrap());
            let one = Descriptor::of("x", &[page as u8]);
            let body = serde_json::json!({ "schemaVersion": 2, "manifests": [one] }).to_string();
            link(page).into_iter().fold(Response::text(200, body), |answer, link| answer.header("Link", &link))
        });
        let fetcher = Fetcher::new(Settings { rounds: 1, ..Settings::default() }, Arc::new(Silent)).unwrap();
        let base = fetcher.registry_for(&server.address().to_string(), "team/strix", Access::Read).unwrap();
        (server, fetcher, base)
    }

    fn next(page: usize) -> String {
        format!("</v2/team/strix/referrers/x?page={}>; rel=\"next\"", page + 1)
    }

    #[test]
    fn referrers_are_read_from_all_pages_that_are_wanted() {
        let subject = Sha256Digest::of(b"subject");
        let (_server, fetcher, base) = serve(|page| (page < 4).then(|| next(page)));
        let all = fetcher.registry_referrers(&base, subject, 100).unwrap().unwrap();
        let wanted: Vec<Sha256Digest> = (0..5_u8).map(|page| Sha256Digest::of(&[page])).collect();
        assert_eq!(all.iter().map(|one| one.digest).collect::<Vec<_>>(), wanted);
        assert_eq!(fetcher.registry_referrers(&base, subject, 2).unwrap().unwrap().len(), 2);
    }

    #[test]
    fn a_list_that_leads_elsewhere_or_has_no_end_is_refused() {
        let subject = Sha256Digest::of(b"subject");
        let (_server, fetcher, base) = serve(|_| Some(next(0)));
        let error = fetcher.registry_referrers(&base, subject, usize::MAX).unwrap_err();
        assert!(error.to_string().contains("it has no end"), "{error}");
        for place in ["https://r.example/v2/team/strix/referrers/x", "/v2/other/referrers/x", "../../../x"] {
            let (_server, fetcher, base) = serve(move |_| Some(format!("<{place}>; rel=next")));
            let error = fetcher.registry_referrers(&base, subject, 100).unwrap_err();
            assert_eq!(error.kind(), Kind::Mismatch);
            assert!(error.to_string().contains("it goes on in another place"), "{error}");
        }
    }
}
