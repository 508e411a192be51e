//! The content of a commit as a tree: raw blobs, submodules in their places.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{FileMode, ObjectType, Oid, Tree};
use url::Url;

use super::{Repository, Submodule};
use crate::error::{Error, Kind, Result};
use crate::tree::{TreeWriter, show};

/// How deep submodules may nest.
const MAX_NESTING: usize = 8;

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
        let inner = Repository::open(
            repository.name,
            url,
            Path::new(&cache_of(url)),
            repository.settings,
            repository.progress,
        )?;
        inner.fetch(&id, None)?;
        writer.directory(&place)?;
        submodules
            .insert(String::from_utf8_lossy(&place).into_owned(), Submodule { url: url.clone(), commit: id.clone() });
        write_commit(&inner, &id, &place, cache_of, writer, submodules, nesting + 1)?;
    }
    Ok(())
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
    let file = tempfile::NamedTempFile::new()?;
    fs_err::write(file.path(), blob.content())?;
    let config = git2::Config::open(file.path()).map_err(trouble)?;
    let mut fields: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
    let mut entries = config.entries(Some("^submodule\\..*\\.(path|url)$")).map_err(trouble)?;
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(trouble)?;
        let (Ok(name), Ok(value)) = (entry.name(), entry.value()) else { continue };
        if let Some(name) = name.strip_suffix(".path") {
            fields.entry(name.to_owned()).or_default().0 = Some(value.to_owned());
        } else if let Some(name) = name.strip_suffix(".url") {
            fields.entry(name.to_owned()).or_default().1 = Some(value.to_owned());
        }
    }
    let both = fields.into_values().filter_map(|(path, url)| Some((path?, url?)));
    Ok(both.map(|(path, url)| (path.into_bytes(), absolute(repository.url, &url))).collect())
}

fn absolute(base: &str, url: &str) -> String {
    if !url.starts_with("./") && !url.starts_with("../") {
        return url.to_owned();
    }
    let base = format!("{}/", base.trim_end_matches('/'));
    Url::parse(&base).and_then(|base| base.join(url)).map_or_else(|_| url.to_owned(), String::from)
}
