//! Resolves refs and fetches commits, with libgit2.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use git2::{ConfigLevel, Direction, ErrorClass, ObjectType, Oid};
use tracing::info;
use url::Url;

use super::address::Address;
use super::release::{newest, release_version};
use super::session::{PLACEHOLDER, Session};
use super::{GitRef, GitRequest};
use crate::error::{Error, Kind, Result};
use crate::fetch::Fetcher;
use crate::log::CACHE;
use crate::upstream::proxy::variable;

/// A resolved request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The full name of the ref, if one was followed.
    pub reference: Option<String>,
    /// The commit.
    pub commit: String,
    /// The number in the commit's tag `b<number>`.
    pub number: Option<u64>,
    /// The commit's tags.
    pub tags: Vec<String>,
}

/// A remote repository with its cache in the store.
pub struct Repository<'a> {
    /// The input's name, for messages.
    pub name: &'a str,
    /// Its address in the pin.
    pub url: &'a str,
    /// The address that is asked: the same, or that of a mirror.
    at: String,
    pub(super) fetcher: &'a Fetcher,
    pub(super) session: Arc<Session>,
    pub(super) cache: git2::Repository,
}

/// Number of tags of a commit that are kept.
const MOST_TAGS: usize = 16;
/// The configuration key under which the cache keeps the address that answered, if it redirected.
const ANSWERED: &str = "strixlock.answered";

impl<'a> Repository<'a> {
    /// Opens or creates the cache at `path` for the repository at `url`.
    pub fn open(name: &'a str, url: &'a str, path: &Path, fetcher: &'a Fetcher) -> Result<Self> {
        super::library::set();
        let session = Session::new(fetcher.exchange())?;
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
        Ok(Self { name, url, at: url.to_owned(), fetcher, session, cache })
    }

    /// Returns this repository, to be asked at a mirror.
    #[must_use]
    pub fn asked_at(self, at: String) -> Self {
        Self { at, ..self }
    }

    /// Resolves the request at the remote. Transfers no objects.
    pub fn resolve(&self, request: &GitRequest) -> Result<Resolved> {
        let refs = self.refs()?;
        let missing = |what: String, have: &str| {
            let names = refs.near(have, what.rsplit(' ').next().unwrap_or_default());
            Error::new(Kind::NotFound, format!("the repository has no {what}"))
                .fact("url", self.shown())
                .fact("nearest", names)
        };
        let (reference, commit) = match &request.reference {
            GitRef::Head => {
                let head = refs.names.get("HEAD").ok_or_else(|| self.no_head(&refs))?;
                (Some(refs.head.clone().unwrap_or_else(|| "HEAD".to_owned())), *head)
            }
            GitRef::Branch(branch) => {
                let full = format!("refs/heads/{branch}");
                let id = refs.names.get(&full).ok_or_else(|| missing(format!("branch {branch}"), "refs/heads/"))?;
                (Some(full), *id)
            }
            GitRef::Tag(tag) => {
                let full = format!("refs/tags/{tag}");
                let id = refs.peeled(&full).ok_or_else(|| missing(format!("tag {tag}"), "refs/tags/"))?;
                (Some(full), id)
            }
            GitRef::Release(range) => {
                let tag = newest(range, refs.tags()).map_err(|error| error.fact("url", self.shown()))?;
                let full = format!("refs/tags/{tag}");
                let id = refs.peeled(&full).ok_or_else(|| missing(format!("tag {tag}"), "refs/tags/"))?;
                (Some(full), id)
            }
            GitRef::Ref(full) => {
                let id = refs.peeled(full).ok_or_else(|| missing(format!("ref {full}"), "refs/"))?;
                (Some(full.clone()), id)
            }
            GitRef::Pull(number) => {
                let full = format!("refs/pull/{number}/head");
                let wanted = format!("pull request {number}");
                let id = refs.peeled(&full).ok_or_else(|| {
                    missing(wanted, "refs/pull/").hint("the host may keep no refs of pull requests: name its branch")
                })?;
                (Some(full), id)
            }
            GitRef::Commit(commit) => (None, Oid::from_str(commit).map_err(|error| self.trouble(&error))?),
        };
        Ok(Resolved {
            reference,
            commit: commit.to_string(),
            number: refs.number_of(commit),
            tags: refs.tags_of(commit),
        })
    }

    /// Returns the error for a repository without HEAD: it is empty, or HEAD names a branch that does not exist.
    fn no_head(&self, refs: &Refs) -> Error {
        let error = |why: &str| {
            Error::new(Kind::NotFound, format!("the repository has no HEAD: {why}")).fact("url", self.shown())
        };
        if refs.names.is_empty() {
            return error("it is empty").hint("check the address, or wait for its first commit");
        }
        error("the branch that it names does not exist")
            .fact("branches", refs.near("refs/heads/", "master"))
            .fact("tags", refs.near("refs/tags/", "master"))
            .hint("name one with `branch = \"...\"` or `tag = \"...\"`")
    }

    /// Returns the names of all tags of the remote.
    pub fn tags(&self) -> Result<Vec<String>> {
        Ok(self.refs()?.tags().map(str::to_owned).collect())
    }

    fn refs(&self) -> Result<Refs> {
        let address = self.address()?;
        let _asking = self.fetcher.asking(&address.server());
        let mut remote = self.remote()?;
        let mut refs = Refs { names: BTreeMap::new(), head: None };
        self.session.run(address, || {
            let connection = remote.connect_auth(Direction::Fetch, None, None).map_err(|error| self.trouble(&error))?;
            for head in connection.list().map_err(|error| self.trouble(&error))? {
                if head.name() == "HEAD" {
                    refs.head = head.symref_target().map(str::to_owned);
                }
                refs.names.insert(head.name().to_owned(), head.oid());
            }
            Ok::<_, Error>(())
        })?;
        self.remember_answered();
        Ok(refs)
    }

    pub(super) fn remote(&self) -> Result<git2::Remote<'_>> {
        self.cache.remote_anonymous(PLACEHOLDER).map_err(|error| self.trouble(&error))
    }

    /// Fetches the commit with its history unless the cache has it: by the ref that it came from, else by its id, else,
    /// from servers that forbid that, by fetching all branches and tags.
    pub fn fetch(&self, commit: &str, reference: Option<&str>) -> Result<()> {
        if self.has(commit)? {
            info!(target: CACHE, "{}: have: commit {commit} is in the cache of {}", self.name, self.shown());
            return Ok(());
        }
        info!(target: CACHE, "{}: fetch: commit {commit} is not in the cache of {}", self.name, self.shown());
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
                Ok(()) if self.has(commit)? => return Ok(()),
                Ok(()) => failure = None,
                // An oversized answer would be oversized again, and a server that does not answer is not asked again.
                Err(error) if matches!(error.kind(), Kind::Invalid | Kind::Mismatch) || !self.session.reached() => {
                    return Err(error);
                }
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

    /// Returns whether the commit is in the cache with all its history. Fails if the id is that of another object.
    fn has(&self, commit: &str) -> Result<bool> {
        let Ok(id) = Oid::from_str(commit) else { return Ok(false) };
        let Ok((size, kind)) = self.cache.odb().and_then(|odb| odb.read_header(id)) else { return Ok(false) };
        if kind != ObjectType::Commit {
            let error = format!("this names a {}, not a commit", kind.str());
            return Err(Error::new(Kind::NotFound, error)
                .fact("url", self.shown())
                .fact(kind.str(), commit)
                .hint("name a branch, a commit, or a tag of a commit"));
        }
        super::measure::demand(kind, size, commit)?;
        // Objects arrive in one pack that is stored as a whole or not at all, so a present commit has its history.
        Ok(self.cache.find_commit(id).is_ok())
    }

    /// Records which address answered: relative addresses are resolved against it, even in later runs without a
    /// request.
    pub(super) fn remember_answered(&self) {
        if self.at != self.url || self.session.config.rewrite(self.url).is_some() {
            return;
        }
        let Some(answered) = self.session.answered() else { return };
        let Ok(mut config) = self.cache.config().and_then(|config| config.open_level(ConfigLevel::Local)) else {
            return;
        };
        let own = Url::parse(self.url).is_ok_and(|own| own.as_str().trim_end_matches('/') == answered.as_str());
        // If this fails, the asked address is used, which is right unless it redirects.
        let written = if own { config.remove(ANSWERED) } else { config.set_str(ANSWERED, answered.as_str()) };
        drop(written);
    }

    /// Returns the address that relative addresses of submodules are resolved against: the one that answered.
    pub(super) fn base(&self) -> String {
        let config = self.cache.config().and_then(|config| config.open_level(ConfigLevel::Local));
        config.and_then(|config| config.get_string(ANSWERED)).unwrap_or_else(|_| self.url.to_owned())
    }

    /// Returns the address to ask, after the rewriting rules of the user's git configuration. Fails if the fetcher may
    /// not ask it.
    pub(super) fn address(&self) -> Result<Address> {
        let (config, settings) = (&self.session.config, self.fetcher.settings());
        let rewriting = config.rewrite(&self.at);
        let asked = rewriting.as_ref().map_or(self.at.as_str(), |rewriting| rewriting.url.as_str());
        let shown = shown(asked);
        let address = Address::parse(asked).ok_or_else(|| {
            let error =
                Error::new(Kind::Invalid, "this address of a git repository cannot be used").fact("url", &shown);
            let rule = rewriting.as_ref().map(|rewriting| format!("url.{}.insteadOf", self::shown(rewriting.base)));
            match rule {
                Some(rule) => error.fact("in place of", self.shown()).hint(format!(
                    "`{rule}` of git's configuration leads to it; a directory of this machine is named with file://"
                )),
                None => error.hint("https:, ssh: or file:"),
            }
        })?;
        if let Some(rewriting) = &rewriting {
            let instead_of = self::shown(rewriting.instead_of);
            let rule = format!("url.{}.insteadOf={instead_of}", self::shown(rewriting.base));
            self.tell(&format!("{shown} is asked in place of {}: `{rule}` of git's configuration", self.shown()));
        }
        match &address {
            Address::Http(url) => {
                settings.check(url)?;
                for setting in config.not_read(url, &variable) {
                    self.warn(&setting);
                }
            }
            Address::Ssh(_) if settings.offline => {
                return Err(Error::new(
                    Kind::Unreachable,
                    "this is not in the store, and --offline forbids the network",
                )
                .fact("url", shown));
            }
            Address::Ssh(_) | Address::Local(_) => {}
        }
        Ok(address)
    }

    fn tell(&self, text: &str) {
        self.fetcher.note_once(&format!("note: {}: {text}", self.name));
    }

    fn warn(&self, text: &str) {
        self.fetcher.note_once(&format!("warning: {}: {text}", self.name));
    }

    pub fn shown(&self) -> String {
        shown(&self.at)
    }

    pub(super) fn trouble(&self, error: &git2::Error) -> Error {
        if let Some(known) = self.session.failure() {
            return known;
        }
        let error_with = |kind, message: &str| Error::new(kind, message).fact("url", self.shown()).because(error);
        if error.message().contains("No space left on device") {
            return Error::failure("the cache of a git repository cannot be written")
                .because(error)
                .hint("free some space, or put the store elsewhere with --store");
        }
        if error.class() == ErrorClass::Net {
            error_with(Kind::Unreachable, "the git server cannot be used")
        } else {
            error_with(Kind::NotFound, "the git server gave no usable answer")
                .hint("check that the address is a git repository")
        }
    }
}

/// Returns an address without its password.
fn shown(address: &str) -> String {
    Url::parse(address).map_or_else(|_| address.to_owned(), |url| crate::urls::show_url(&url))
}

struct Refs {
    names: BTreeMap<String, Oid>,
    head: Option<String>,
}

impl Refs {
    /// Lists a few of the names below `prefix`, those most similar to `wanted` first.
    fn near(&self, prefix: &str, wanted: &str) -> String {
        let names = self.names.keys().filter_map(|name| name.strip_prefix(prefix));
        let mut names: Vec<&str> = names.filter(|name| !name.ends_with("^{}") && name.len() <= 256).collect();
        names.sort_by_cached_key(|name| strsim::damerau_levenshtein(name, wanted));
        names.truncate(5);
        if names.is_empty() { "none at all".to_owned() } else { names.join(", ") }
    }

    /// Returns the object that a ref leads to: the commit of an annotated tag.
    fn peeled(&self, full: &str) -> Option<Oid> {
        self.names.get(&format!("{full}^{{}}")).or_else(|| self.names.get(full)).copied()
    }

    /// Returns the names of all tags.
    fn tags(&self) -> impl Iterator<Item = &str> {
        let names = self.names.keys().filter_map(|name| name.strip_prefix("refs/tags/"));
        names.filter(|name| !name.ends_with("^{}"))
    }

    /// Returns the tags of a commit, those of releases first.
    fn tags_of(&self, commit: Oid) -> Vec<String> {
        let is_its = |tag: &&str| self.peeled(&format!("refs/tags/{tag}")) == Some(commit) && tag.len() <= 256;
        let mut tags: Vec<&str> = self.tags().filter(is_its).collect();
        tags.sort_by_key(|tag| (release_version(tag).is_none(), *tag));
        tags.into_iter().take(MOST_TAGS).map(str::to_owned).collect()
    }

    /// Returns the number in the commit's tag: llama.cpp tags each build of its master branch `b<number>`.
    fn number_of(&self, commit: Oid) -> Option<u64> {
        let numbers = self.names.iter().filter(|(_, id)| **id == commit).filter_map(|(name, _)| {
            let digits = name.strip_prefix("refs/tags/b")?.trim_end_matches("^{}");
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
            // The number is compiled into programs as an `int`.
            plain.then(|| digits.parse::<i32>().ok()?.try_into().ok())?
        });
        numbers.max()
    }
}
