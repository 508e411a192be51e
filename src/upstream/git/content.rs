//! Writes the content of a commit as a tree: raw blobs, and submodules at their paths.

use std::collections::BTreeMap;

use git2::{Oid, Tree};
use url::Url;

use super::measure::measure;
use super::{Repository, Submodule, names, submodules};
use crate::error::{Error, Kind, Result};
use crate::tree::path::join;
use crate::tree::{Limits, Receiver as _, TreeWriter, climbs_out, named};

/// Greatest nesting of submodules.
const MAX_NESTING: usize = 8;

/// Greatest length of a symlink's target on Linux.
const MAX_TARGET: u64 = 4095;

/// Parameters of [`write_content`].
pub struct Content<'a> {
    /// Returns the path of the cache for a submodule's repository.
    pub cache_of: &'a dyn Fn(&str) -> std::path::PathBuf,
    /// The pinned submodules by path; `.gitmodules` is not read then.
    pub pinned: Option<&'a BTreeMap<String, Submodule>>,
    /// Limits on the tree.
    pub limits: Limits,
    /// Fails if the disk has no room for this many bytes.
    pub demand_space: &'a dyn Fn(u64) -> Result<()>,
}

/// Writes the content of a commit's tree and returns the submodules by path. Memory holds one whole blob at a time,
/// since git stores blobs as deltas of one another.
pub fn write_content(
    repository: &Repository,
    tree: Oid,
    content: &Content,
    writer: &mut TreeWriter,
) -> Result<BTreeMap<String, Submodule>> {
    let mut writing = Writing { content, writer, submodules: BTreeMap::new() };
    writing.root(repository, tree, b"", 0)?;
    Ok(writing.submodules)
}

struct Writing<'a, 'w> {
    content: &'a Content<'a>,
    writer: &'w mut TreeWriter,
    submodules: BTreeMap<String, Submodule>,
}

impl Writing<'_, '_> {
    fn root(&mut self, repository: &Repository, tree: Oid, prefix: &[u8], nesting: usize) -> Result<()> {
        let trouble = |error: git2::Error| repository.trouble(&error);
        let size = measure(repository, tree, self.content.limits)?;
        (self.content.demand_space)(size.bytes)?;
        let tree = repository.cache.find_tree(tree).map_err(trouble)?;
        let mut links = Vec::new();
        self.tree(repository, &tree, prefix, b"", &mut links)?;
        let urls = match self.content.pinned {
            Some(_) => BTreeMap::new(),
            None => submodules::urls(repository, &tree, &links)?,
        };
        for (path, id) in links {
            let place = join(prefix, &path);
            self.writer.directory(&place)?;
            let name = String::from_utf8_lossy(&place).into_owned();
            let submodule = match self.content.pinned {
                Some(pinned) => pinned.get(&name).cloned(),
                None => urls.get(&path).map(|url| Submodule { url: url.clone(), commit: id.clone() }),
            };
            // In locks of earlier versions a gitlink without an entry in `.gitmodules` is an empty directory.
            let Some(submodule) = submodule else { continue };
            self.submodule(repository, &place, &id, &submodule, nesting)?;
            self.submodules.insert(name, submodule);
        }
        Ok(())
    }

    fn submodule(
        &mut self,
        parent: &Repository,
        place: &[u8],
        commit: &str,
        submodule: &Submodule,
        nesting: usize,
    ) -> Result<()> {
        if nesting >= MAX_NESTING {
            return Err(Error::new(Kind::Invalid, format!("submodules nest more than {MAX_NESTING} deep"))
                .fact("path", named(place)));
        }
        if commit != submodule.commit {
            return Err(Error::new(Kind::Invalid, "a submodule is pinned to another commit than the repository names")
                .fact("path", named(place))
                .fact("locked", &submodule.commit)
                .fact("found", commit)
                .hint("the lock contradicts itself; restore it from version control, or update this input"));
        }
        let inner = fetched(parent, &submodule.url, commit, self.content.cache_of)?;
        let tree = inner.tree_of(commit)?;
        self.root(&inner, tree, place, nesting + 1)
    }

    fn tree(
        &mut self,
        repository: &Repository,
        tree: &Tree,
        prefix: &[u8],
        below: &[u8],
        links: &mut Vec<(Vec<u8>, String)>,
    ) -> Result<()> {
        let trouble = |error: git2::Error| repository.trouble(&error);
        for entry in tree {
            let path = join(below, entry.name_bytes());
            let place = join(prefix, &path);
            match entry.filemode_raw() {
                names::TREE => {
                    let tree = repository.cache.find_tree(entry.id()).map_err(trouble)?;
                    self.writer.directory(&place)?;
                    self.tree(repository, &tree, prefix, &path, links)?;
                }
                names::COMMIT => links.push((path, entry.id().to_string())),
                names::LINK => {
                    let refused = |why: &str| {
                        Error::new(Kind::Invalid, format!("the commit is refused at `{}`: {why}", named(&place)))
                            .fact("url", repository.shown())
                    };
                    let odb = repository.cache.odb().map_err(trouble)?;
                    if odb.read_header(entry.id()).map_err(trouble)?.0 as u64 > MAX_TARGET {
                        return Err(refused("the target of its link is longer than 4095 bytes"));
                    }
                    let blob = repository.cache.find_blob(entry.id()).map_err(trouble)?;
                    let target = blob.content();
                    if climbs_out(&place, target) {
                        return Err(refused("its link leads out of the tree").fact("target", named(target)));
                    }
                    self.writer.link(&place, target)?;
                }
                mode => {
                    let blob = repository.cache.find_blob(entry.id()).map_err(trouble)?;
                    self.writer.file(&place, mode == names::EXECUTABLE, &mut blob.content())?;
                }
            }
        }
        Ok(())
    }
}

/// Fetches a submodule's commit into its cache, from its own URL, else from a mirror. The repository keeps its own URL,
/// which is the one that goes into the lock.
fn fetched<'a>(
    parent: &Repository<'a>,
    url: &'a str,
    commit: &str,
    cache_of: &dyn Fn(&str) -> std::path::PathBuf,
) -> Result<Repository<'a>> {
    let cache = cache_of(url);
    let mirrors = Url::parse(url).map(|url| parent.fetcher.settings().with_mirrors(&[url])).unwrap_or_default();
    let mut failure = None;
    for from in std::iter::once(url.to_owned()).chain(mirrors.into_iter().skip(1).map(String::from)) {
        let repository = Repository::open(parent.name, url, &cache, parent.fetcher)?.asked_at(from);
        match repository.fetch(commit, None) {
            Ok(()) => return Ok(repository),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(failure.unwrap_or_else(|| Error::failure("there is no URL to ask")))
}
