//! Resolving refs and fetching commits, with libgit2.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{Direction, ErrorClass, ErrorCode, FetchOptions, Oid, ProxyOptions, RemoteCallbacks};
use url::Url;

use super::{GitRef, GitRequest};
use crate::error::{Error, Kind, Result};
use crate::fetch::Settings;
use crate::progress::{Progress, Unit};

/// What a request resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The full name of the ref, if one was followed.
    pub reference: Option<String>,
    /// The commit.
    pub commit: String,
    /// The number of the tag `b<number>` on the commit.
    pub number: Option<u64>,
}

/// A remote repository with its cache in the store.
pub struct Repository<'a> {
    /// The input's name, for messages.
    pub name: &'a str,
    /// Its address, as it is pinned.
    pub url: &'a str,
    /// Where it is asked: the same, or a mirror.
    at: String,
    /// The rules of the network.
    pub settings: &'a Settings,
    /// Who watches.
    pub progress: &'a dyn Progress,
    pub(super) cache: git2::Repository,
}

impl<'a> Repository<'a> {
    /// Opens, or makes, the cache at `path` for the repository at `url`.
    pub fn open(
        name: &'a str,
        url: &'a str,
        path: &Path,
        settings: &'a Settings,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        super::timeouts::set();
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).external_template(false);
        let cache = git2::Repository::open_bare(path)
            .or_else(|_| git2::Repository::init_opts(path, &options))
            .map_err(|error| {
                Error::failure("cannot open a cached git repository")
                    .fact("path", path.display())
                    .because(&error)
                    .hint("it is only a cache: remove it and run again")
            })?;
        Ok(Self { name, url, at: url.to_owned(), settings, progress, cache })
    }

    /// The same repository, asked at a mirror.
    #[must_use]
    pub fn asked_at(self, at: String) -> Self {
        Self { at, ..self }
    }

    /// Asks the remote what the request means now. Moves no objects.
    pub fn resolve(&self, request: &GitRequest) -> Result<Resolved> {
        let refs = self.refs()?;
        let missing = |what: String, have: &str| {
            let mut names: Vec<&str> = refs
                .names
                .keys()
                .filter_map(|name| name.strip_prefix(have))
                .filter(|name| !name.ends_with("^{}"))
                .collect();
            names.sort_by_key(|name| strsim::damerau_levenshtein(name, what.rsplit(' ').next().unwrap_or_default()));
            names.truncate(5);
            let there = if names.is_empty() { "none at all".to_owned() } else { names.join(", ") };
            Error::new(Kind::NotFound, format!("the repository has no {what}"))
                .fact("url", self.shown())
                .fact("nearest", there)
        };
        let (reference, commit) = match &request.reference {
            GitRef::Head => {
                let head = refs.names.get("HEAD").ok_or_else(|| {
                    Error::new(Kind::NotFound, "the repository has no HEAD: it is empty")
                        .fact("url", self.shown())
                        .hint("check the address, or name a branch")
                })?;
                (Some(refs.head.clone().unwrap_or_else(|| "HEAD".to_owned())), *head)
            }
            GitRef::Branch(branch) => {
                let full = format!("refs/heads/{branch}");
                let id = refs.names.get(&full).ok_or_else(|| missing(format!("branch {branch}"), "refs/heads/"))?;
                (Some(full), *id)
            }
            GitRef::Tag(tag) => {
                let full = format!("refs/tags/{tag}");
                let peeled = refs.names.get(&format!("{full}^{{}}")).or_else(|| refs.names.get(&full));
                let id = *peeled.ok_or_else(|| missing(format!("tag {tag}"), "refs/tags/"))?;
                (Some(full), id)
            }
            GitRef::Commit(commit) => (None, Oid::from_str(commit).map_err(|error| self.trouble(&error))?),
        };
        Ok(Resolved { reference, commit: commit.to_string(), number: refs.number_of(commit) })
    }

    fn refs(&self) -> Result<Refs> {
        self.allowed()?;
        let mut remote = self.cache.remote_anonymous(&self.at).map_err(|error| self.trouble(&error))?;
        let connection = remote
            .connect_auth(Direction::Fetch, Some(callbacks()), Some(proxy()))
            .map_err(|error| self.trouble(&error))?;
        let mut refs = Refs { names: BTreeMap::new(), head: None };
        for head in connection.list().map_err(|error| self.trouble(&error))? {
            if head.name() == "HEAD" {
                refs.head = head.symref_target().map(str::to_owned);
            }
            refs.names.insert(head.name().to_owned(), head.oid());
        }
        Ok(refs)
    }

    /// Makes sure that the commit and its history are in the cache: the ref that it came from, else the commit by its
    /// name, else, for servers that forbid that, everything.
    pub fn fetch(&self, commit: &str, reference: Option<&str>) -> Result<()> {
        if self.has(commit) {
            return Ok(());
        }
        self.allowed()?;
        let by_ref =
            reference.map(|reference| format!("+{reference}:refs/strixlock/{}", reference.trim_start_matches("refs/")));
        let by_name = format!("{commit}:refs/strixlock/commits/{commit}");
        let everything =
            ["+refs/heads/*:refs/strixlock/heads/*".to_owned(), "+refs/tags/*:refs/strixlock/tags/*".to_owned()];
        let mut failure = None;
        for refspecs in [by_ref.as_slice(), std::slice::from_ref(&by_name), &everything] {
            if refspecs.is_empty() {
                continue;
            }
            match self.fetch_refs(refspecs) {
                Ok(()) if self.has(commit) => return Ok(()),
                Ok(()) => failure = None,
                Err(error) => failure = Some(error),
            }
        }
        Err(match failure {
            Some(error) if error.kind() == Kind::Unreachable => error,
            _ => Error::new(Kind::NotFound, "the repository does not have the commit")
                .fact("url", self.shown())
                .fact("commit", commit)
                .hint("it may have been force-pushed away; name a mirror that has it in the configuration, or update"),
        })
    }

    /// Whether the commit is in the cache with all its history.
    fn has(&self, commit: &str) -> bool {
        // Objects arrive in one pack that is only taken in whole, so a commit that is there has its history.
        Oid::from_str(commit).is_ok_and(|id| self.cache.find_commit(id).is_ok())
    }

    fn fetch_refs(&self, refspecs: &[String]) -> Result<()> {
        let task = self.progress.begin(self.name, None, Unit::Steps);
        let mut callbacks = callbacks();
        callbacks.transfer_progress(move |progress| {
            task.set_total(progress.total_objects() as u64);
            task.set_position(progress.received_objects() as u64);
            true
        });
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(callbacks)
            .proxy_options(proxy())
            .download_tags(git2::AutotagOption::None)
            .update_fetchhead(false);
        let mut remote = self.cache.remote_anonymous(&self.at).map_err(|error| self.trouble(&error))?;
        remote.fetch(refspecs, Some(&mut options), None).map_err(|error| self.trouble(&error))
    }

    fn allowed(&self) -> Result<()> {
        match Url::parse(&self.at) {
            Ok(url) if matches!(url.scheme(), "http" | "https" | "file") => self.settings.check(&url),
            _ if self.settings.offline => {
                Err(Error::new(Kind::Unreachable, "this is not in the store, and --offline forbids the network")
                    .fact("url", self.shown()))
            }
            _ => Ok(()),
        }
    }

    fn shown(&self) -> String {
        Url::parse(&self.at).map_or_else(|_| self.at.clone(), |url| crate::fetch::show_url(&url))
    }

    pub(super) fn trouble(&self, error: &git2::Error) -> Error {
        let error_with = |kind, message: &str| Error::new(kind, message).fact("url", self.shown()).because(error);
        if error.message().contains("No space left on device") {
            return Error::failure("the cache of a git repository cannot be written")
                .because(error)
                .hint("free some space, or put the store elsewhere with --store");
        }
        match (error.class(), error.code()) {
            (_, ErrorCode::Auth) => error_with(Kind::Unreachable, "the git server wants credentials")
                .hint("use an ssh URL with an agent, or a git credential helper"),
            (ErrorClass::Net | ErrorClass::Ssl | ErrorClass::Os | ErrorClass::Repository, ErrorCode::NotFound) => {
                error_with(Kind::NotFound, "there is no git repository at this address").hint("check the address")
            }
            (ErrorClass::Http, _) if error.message().contains("404") => {
                error_with(Kind::NotFound, "there is no git repository at this address").hint("check the address")
            }
            (ErrorClass::Net | ErrorClass::Ssl | ErrorClass::Http | ErrorClass::Ssh | ErrorClass::Os, _) => {
                error_with(Kind::Unreachable, "the git server cannot be used")
            }
            _ => error_with(Kind::NotFound, "the git server gave no usable answer")
                .hint("check that the address is a git repository"),
        }
    }
}

struct Refs {
    names: BTreeMap<String, Oid>,
    head: Option<String>,
}

impl Refs {
    /// llama.cpp tags each build of its master branch `b<number>`.
    fn number_of(&self, commit: Oid) -> Option<u64> {
        let numbers = self.names.iter().filter(|(_, id)| **id == commit).filter_map(|(name, _)| {
            let digits = name.strip_prefix("refs/tags/b")?.trim_end_matches("^{}");
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        });
        numbers.max()
    }
}

fn proxy<'a>() -> ProxyOptions<'a> {
    let mut proxy = ProxyOptions::new();
    proxy.auto();
    proxy
}

fn callbacks<'a>() -> RemoteCallbacks<'a> {
    let mut callbacks = RemoteCallbacks::new();
    let mut tries = 0;
    callbacks.credentials(move |url, user, allowed| {
        // libgit2 asks again and again while a credential is refused.
        tries += 1;
        if tries > 2 {
            return Err(git2::Error::new(ErrorCode::Auth, ErrorClass::Http, "the credentials were refused"));
        }
        if allowed.is_ssh_key() {
            return git2::Cred::ssh_key_from_agent(user.unwrap_or("git"));
        }
        let config = git2::Config::open_default()?;
        git2::Cred::credential_helper(&config, url, user)
    });
    callbacks
}
