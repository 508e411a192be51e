//! The content of a commit as a tree: raw blobs, submodules in their places.

use std::collections::BTreeMap;

use git2::{FileMode, ObjectType, Oid, Tree};
use url::Url;

use super::{Repository, Submodule};
use crate::error::{Error, Kind, Result};
use crate::manifest::rules;
use crate::tree::{Receiver as _, TreeWriter, show};

/// How deep submodules may nest.
const MAX_NESTING: usize = 8;

/// The largest file of a repository, in bytes; source code stays far below it.
const MAX_BLOB: usize = 256 << 20;

/// Finds the cache of a submodule's repository.
pub type CacheOf<'a> = &'a dyn Fn(&str) -> std::path::PathBuf;

/// Writes the commit's content and returns the submodules by path. A blob is held whole while it is written, since git
/// stores blobs as deltas of one another; nothing else is.
pub fn write_content(
    repository: &Repository,
    commit: &str,
    cache_of: CacheOf,
    writer: &mut TreeWriter,
) -> Result<BTreeMap<String, Submodule>> {
    let mut submodules = BTreeMap::new();
    write_commit(repository, commit, b"", cache_of, writer, &mut submodules, 0)?;
    Ok(submodules)
}

fn write_commit(
    repository: &Repository,
    commit: &str,
    prefix: &[u8],
    cache_of: CacheOf,
    writer: &mut TreeWriter,
    submodules: &mut BTreeMap<String, Submodule>,
    nesting: usize,
) -> Result<()> {
    let trouble = |error: git2::Error| repository.trouble(&error);
    let commit = repository.cache.find_commit(Oid::from_str(commit).map_err(trouble)?).map_err(trouble)?;
    let mut links = Vec::new();
    write_tree(repository, &commit.tree().map_err(trouble)?, prefix, b"", writer, &mut links)?;
    if links.is_empty() {
        return Ok(());
    }
    let urls = submodule_urls(repository, &commit.tree().map_err(trouble)?)?;
    for (path, id) in links {
        let place = join(prefix, &path);
        let Some(url) = urls.get(&path) else {
            // git itself leaves an empty directory for a link that .gitmodules does not explain.
            writer.directory(&place)?;
            continue;
        };
        if nesting >= MAX_NESTING {
            return Err(Error::new(Kind::Invalid, format!("submodules nest more than {MAX_NESTING} deep"))
                .fact("path", show(&place)));
        }
        let inner = fetched(repository, url, &id, cache_of)?;
        writer.directory(&place)?;
        submodules
            .insert(String::from_utf8_lossy(&place).into_owned(), Submodule { url: url.clone(), commit: id.clone() });
        write_commit(&inner, &id, &place, cache_of, writer, submodules, nesting + 1)?;
    }
    Ok(())
}

/// A submodule's repository with the commit in its cache: from its own URL, else from a mirror. What is written down is
/// always its own URL.
fn fetched<'a>(parent: &Repository<'a>, url: &'a str, commit: &str, cache_of: CacheOf) -> Result<Repository<'a>> {
    let cache = cache_of(url);
    let mirrors = Url::parse(url).map(|url| parent.settings.with_mirrors(&[url])).unwrap_or_default();
    let mut failure = None;
    for from in std::iter::once(url.to_owned()).chain(mirrors.into_iter().skip(1).map(String::from)) {
        let repository = Repository::open(parent.name, url, &cache, parent.settings, parent.progress)?.asked_at(from);
        match repository.fetch(commit, None) {
            Ok(()) => return Ok(repository),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(failure.unwrap_or_else(|| Error::failure("there is no URL to ask")))
}

fn write_tree(
    repository: &Repository,
    tree: &Tree,
    prefix: &[u8],
    below: &[u8],
    writer: &mut TreeWriter,
    links: &mut Vec<(Vec<u8>, String)>,
) -> Result<()> {
    let trouble = |error: git2::Error| repository.trouble(&error);
    for entry in tree {
        let path = join(below, entry.name_bytes());
        let place = join(prefix, &path);
        match entry.kind() {
            Some(ObjectType::Tree) => {
                let tree = repository.cache.find_tree(entry.id()).map_err(trouble)?;
                writer.directory(&place)?;
                write_tree(repository, &tree, prefix, &path, writer, links)?;
            }
            Some(ObjectType::Blob) => {
                let size = repository.cache.odb().and_then(|odb| odb.read_header(entry.id())).map_err(trouble)?.0;
                if size > MAX_BLOB {
                    return Err(Error::new(
                        Kind::Invalid,
                        format!("`{}` is too large to be held in memory", show(&place)),
                    )
                    .fact("size", size)
                    .fact("limit", MAX_BLOB));
                }
                let blob = repository.cache.find_blob(entry.id()).map_err(trouble)?;
                if entry.filemode() == i32::from(FileMode::Link) {
                    writer.link(&place, blob.content())?;
                } else {
                    let executable = entry.filemode() == i32::from(FileMode::BlobExecutable);
                    writer.file(&place, executable, &mut blob.content())?;
                }
            }
            Some(ObjectType::Commit) => links.push((path, entry.id().to_string())),
            _ => {
                return Err(Error::new(
                    Kind::Invalid,
                    format!("`{}` is of a kind that no tree can hold", show(&place)),
                ));
            }
        }
    }
    Ok(())
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}

/// URLs of submodules by path, from `.gitmodules`; relative ones are resolved against the repository's own.
fn submodule_urls(repository: &Repository, tree: &Tree) -> Result<BTreeMap<Vec<u8>, String>> {
    let trouble = |error: git2::Error| repository.trouble(&error);
    let Some(entry) = tree.get_name(".gitmodules") else { return Ok(BTreeMap::new()) };
    let blob = repository.cache.find_blob(entry.id()).map_err(trouble)?;
    let text = String::from_utf8_lossy(blob.content()).into_owned();
    let mut urls = BTreeMap::new();
    for (path, url) in gitmodules(&text) {
        let url = absolute(repository.url, &url);
        // A file of this machine is only meant by a repository that is itself one.
        let local = url.starts_with("file:") && !repository.url.starts_with("file:");
        if local || !rules::is_git_url(&url) {
            return Err(Error::new(Kind::Invalid, "a submodule has an address that cannot be used")
                .fact("path", &path)
                .fact("url", &url));
        }
        urls.insert(path.into_bytes(), url);
    }
    Ok(urls)
}

/// Paths and URLs in the text of `.gitmodules`. Not read by git's own parser, which would follow `include` to files of
/// this machine.
fn gitmodules(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut current: (Option<String>, Option<String>) = (None, None);
    for line in text.lines().map(str::trim).chain(["["]) {
        if line.starts_with('[') {
            if let (Some(path), Some(url)) = std::mem::take(&mut current) {
                found.push((path, url));
            }
        } else if let Some((key, value)) = line.split_once('=') {
            let value = value.trim().trim_matches('"').to_owned();
            match key.trim() {
                "path" => current.0 = Some(value),
                "url" => current.1 = Some(value),
                _ => {}
            }
        }
    }
    found
}

fn absolute(base: &str, url: &str) -> String {
    if !url.starts_with("./") && !url.starts_with("../") {
        return url.to_owned();
    }
    let base = format!("{}/", base.trim_end_matches('/'));
    Url::parse(&base).and_then(|base| base.join(url)).map_or_else(|_| url.to_owned(), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gitmodules_are_read_and_nothing_is_included() {
        let text = "[include]\n\tpath = /etc/passwd\n[submodule \"a\"]\n\tpath = vendor/a\n\turl = ../a.git\n[submodule \"b\"]\nurl=\"https://b.example/b\"\npath=b\n";
        let found = gitmodules(text);
        assert_eq!(
            found,
            [("vendor/a".to_owned(), "../a.git".to_owned()), ("b".to_owned(), "https://b.example/b".to_owned())]
        );
        assert_eq!(absolute("https://h.example/o/r.git", "../a.git"), "https://h.example/o/a.git");
    }
}
