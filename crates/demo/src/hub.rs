//! A stand-in for the Hugging Face hub: its API and addresses, with the answers, refusals and headers of the real one.
//!
//! * `GET /api/models/<repo>/revision/<revision>?blobs=true`: commit and files, those in LFS with their SHA-256
//! * `GET /<repo>/resolve/<revision>/<path>`: for LFS files 302 to a content server elsewhere (`X-Linked-Size`,
//!   `X-Linked-ETag`, `X-Repo-Commit`), for others the bytes
//! * refusals with `X-Error-Code`: `RepoNotFound` (401 without a token, so that nobody can probe for private ones),
//!   `GatedRepo` (401 without a token, 403 with one that has no access), `RevisionNotFound`, `EntryNotFound`
//! * a renamed repository: 307 to the new name, for both
//!
//! The content server has another port, so it is another origin, like the real one. Its log tells if a token reached
//! it. Rate limits are faults of the server: 429 with `Retry-After`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::http::{Body, Incoming, Resource, Response, Server};
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::gguf;
use crate::threads::lock;

/// The token of a user who may read every repository, gated and private ones included.
pub const MEMBER: &str = "hf_demoMember";
/// The token of a user without access to any gated or private repository.
pub const STRANGER: &str = "hf_demoStranger";

/// The users who may read a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Everybody sees the list of files; only accounts that accepted its conditions get the files.
    Gated,
    /// Only members know that it exists.
    Private,
}

/// The files of a commit by path.
type Files = BTreeMap<String, Vec<u8>>;

struct Repository {
    access: Access,
    /// Commits by id, the last of which is `main`.
    commits: Vec<(String, Files)>,
}

#[derive(Default)]
struct Shelves {
    repositories: BTreeMap<String, Repository>,
    /// New names by old ones.
    renamed: BTreeMap<String, String>,
    lfs: Lfs,
}

/// The form in which the API gives the digests of LFS files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lfs {
    /// As `sha256`.
    #[default]
    Sha256,
    /// As `oid`, like another part of the API.
    Oid,
    /// Not at all.
    Untold,
}

type Shelf = Arc<Mutex<Shelves>>;

/// The stand-in. It ends when it is dropped.
pub struct Hub {
    content: Arc<Server>,
    shelf: Shelf,
    endpoint: String,
}

impl Hub {
    /// Starts the hub below `root` of a server, such as `/hub`.
    pub fn start(server: &Server, root: &str) -> Result<Self> {
        let (content, shelf) = (Arc::new(Server::start()?), Shelf::default());
        let routes = Routes { root: root.to_owned(), shelf: Arc::clone(&shelf), content: Arc::clone(&content) };
        server.handle(&format!("{root}/"), move |incoming: &Incoming| routes.answer(incoming));
        Ok(Self { content, shelf, endpoint: server.url(root) })
    }

    /// Returns its URL, for `endpoints` and `HF_ENDPOINT`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the server that has the contents of LFS files, for its log and its faults.
    #[must_use]
    pub fn content(&self) -> &Server {
        &self.content
    }

    /// Commits these files to `main` of a repository. Those that end in `.gguf` are in LFS.
    pub fn commit(&self, repo: &str, access: Access, files: &[(&str, Vec<u8>)]) {
        let files: Files = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.clone())).collect();
        for (path, bytes) in files.iter().filter(|(path, _)| is_large(path)) {
            let digest = Sha256Digest::of(bytes).hex();
            // It looks like the file's digest but is another one, of how the file is stored.
            let etag = Sha256Digest::of(format!("chunks of {digest}").as_bytes()).hex();
            let resource = Resource::bytes(bytes.clone()).etag(&format!("\"{etag}\""));
            self.content.put(&format!("/lfs/{digest}/{path}"), resource);
        }
        let mut shelf = lock(&self.shelf);
        let repository =
            shelf.repositories.entry(repo.to_owned()).or_insert_with(|| Repository { access, commits: Vec::new() });
        repository.access = access;
        let text = format!("{repo} {} {:?}", repository.commits.len(), files.keys().collect::<Vec<_>>());
        let id = Sha256Digest::of(text.as_bytes()).hex()[..40].to_owned();
        repository.commits.push((id, files));
    }

    /// Renames a repository; the old name redirects to the new one.
    pub fn rename(&self, old: &str, new: &str) {
        let mut shelf = lock(&self.shelf);
        if let Some(repository) = shelf.repositories.remove(old) {
            shelf.repositories.insert(new.to_owned(), repository);
            shelf.renamed.insert(old.to_owned(), new.to_owned());
        }
    }

    /// Sets the form in which digests are given from now on.
    pub fn tell_digests(&self, lfs: Lfs) {
        lock(&self.shelf).lfs = lfs;
    }
}

struct Routes {
    root: String,
    shelf: Shelf,
    content: Arc<Server>,
}

/// The user who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    Anonymous,
    Stranger,
    Member,
}

impl Routes {
    fn answer(&self, incoming: &Incoming) -> Response {
        let caller = match incoming.header("authorization").map(|value| value.strip_prefix("Bearer ")) {
            None => Caller::Anonymous,
            Some(Some(MEMBER)) => Caller::Member,
            Some(Some(STRANGER)) => Caller::Stranger,
            Some(_) => return Response::text(401, "{\"error\":\"Invalid credentials in Authorization header\"}"),
        };
        let path = incoming.path.strip_prefix(&format!("{}/", self.root)).unwrap_or_default();
        let (path, is_api) = path.strip_prefix("api/models/").map_or((path, false), |rest| (rest, true));
        let mut parts = path.splitn(5, '/');
        let mut next = || parts.next().unwrap_or_default();
        let (repo, what, revision, file) = (format!("{}/{}", next(), next()), next(), next(), next());
        let shelf = lock(&self.shelf);
        let hidden = |repository: &&Repository| repository.access != Access::Private || caller == Caller::Member;
        if let Some(new) = shelf.renamed.get(&repo) {
            let place = incoming.target.replacen(&repo, new, 1);
            return Response::text(307, "Temporary Redirect").header("Location", &place);
        }
        let Some(repository) = shelf.repositories.get(&repo).filter(hidden) else {
            let status = if caller == Caller::Anonymous { 401 } else { 404 };
            return refuse(status, "RepoNotFound", "Repository not found");
        };
        let revision = percent_encoding::percent_decode_str(revision).decode_utf8_lossy();
        let found = repository.commits.iter().rev().find(|(id, _)| revision == "main" || *id == revision);
        let Some((commit, files)) = found else {
            return refuse(404, "RevisionNotFound", &format!("Invalid rev id: {revision}"));
        };
        match (is_api, what) {
            (true, "revision") => {
                let blobs = incoming.parameter("blobs").is_some_and(|value| value == "true");
                about(&repo, repository.access, commit, files, blobs.then_some(shelf.lfs))
            }
            (false, "resolve") => match (repository.access, caller) {
                (Access::Gated, Caller::Anonymous) => refuse(401, "GatedRepo", "Access to model is restricted."),
                (Access::Gated, Caller::Stranger) => refuse(403, "GatedRepo", "You are not in the authorized list."),
                _ => self.resolve(commit, file, files),
            },
            _ => Response::text(404, "Sorry, we can't find the page you are looking for."),
        }
    }

    fn resolve(&self, commit: &str, path: &str, files: &Files) -> Response {
        let Some(bytes) = files.get(path) else { return refuse(404, "EntryNotFound", "Entry not found") };
        if !is_large(path) {
            let headers = vec![("X-Repo-Commit".to_owned(), commit.to_owned())];
            return Response { status: 200, headers, body: Body::Bytes(bytes.clone()) };
        }
        let digest = Sha256Digest::of(bytes).hex();
        let place = self.content.url(&format!("/lfs/{digest}/{path}?Expires=1795132800&Signature=demo"));
        Response::text(302, format!("Found. Redirecting to {place}"))
            .header("Location", &place)
            .header("X-Repo-Commit", commit)
            .header("X-Linked-Size", &bytes.len().to_string())
            .header("X-Linked-ETag", &format!("\"{digest}\""))
            .header("Accept-Ranges", "bytes")
    }
}

/// Returns the answer about a revision.
fn about(repo: &str, access: Access, commit: &str, files: &Files, blobs: Option<Lfs>) -> Response {
    let sibling = |(path, bytes): (&String, &Vec<u8>)| {
        let mut sibling = json!({ "rfilename": path });
        if let Some(lfs) = blobs {
            let digest = Sha256Digest::of(bytes).hex();
            sibling["size"] = bytes.len().into();
            sibling["blobId"] = digest[..40].into();
            if is_large(path) {
                sibling["lfs"] = json!({ "size": bytes.len(), "pointerSize": 134 });
                match lfs {
                    Lfs::Sha256 => sibling["lfs"]["sha256"] = digest.into(),
                    Lfs::Oid => sibling["lfs"]["oid"] = digest.into(),
                    Lfs::Untold => {}
                }
            }
        }
        sibling
    };
    let gated = if access == Access::Gated { json!("manual") } else { json!(false) };
    let text = json!({
        "_id": &commit[..24],
        "id": repo,
        "modelId": repo,
        "sha": commit,
        "private": access == Access::Private,
        "gated": gated,
        "siblings": files.iter().map(sibling).collect::<Vec<_>>(),
    });
    let mut response = Response::text(200, text.to_string());
    response.headers = vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())];
    response.header("RateLimit", "\"api\";r=499;t=177")
}

fn refuse(status: u16, code: &str, message: &str) -> Response {
    Response::text(status, json!({ "error": message }).to_string())
        .header("X-Error-Code", code)
        .header("X-Error-Message", message)
}

/// Returns whether a file is in LFS, as `.gitattributes` of model repositories have it.
fn is_large(path: &str) -> bool {
    gguf::is_name(path)
}
