//! A git repository of the llama.cpp-shaped project, with the same commit ids on every machine.

use std::path::Path;

use git2::{Commit, IndexEntry, IndexTime, ObjectType, Oid, Repository, RepositoryInitOptions, Signature, Time};

use super::{Mode, SourceFile, source_files};
use crate::error::{Error, Result};

/// The commits of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The commits of `master`, oldest first; the last one is HEAD.
    pub commits: Vec<String>,
}

impl History {
    /// Returns the commit of HEAD.
    #[must_use]
    pub fn head(&self) -> &str {
        self.commits.last().map_or("", String::as_str)
    }
}

/// Creates a bare repository: `count` commits on `master` (at least one), `b<number>` tags on every second one, the
/// annotated tag `v0.1` on the second, the branch `feature/strix-halo` and `refs/pull/1/head` off the middle.
pub fn commit_history(directory: &Path, count: usize) -> Result<History> {
    let mut options = RepositoryInitOptions::new();
    // Without this machine's templates, which could add hooks or configuration.
    options.bare(true).initial_head("master").external_template(false);
    let repository = Repository::init_opts(directory, &options).map_err(failed)?;
    for number in 1..=count.max(1) {
        let id = commit_next(&repository)?;
        if number == 2 {
            let object = repository.find_object(id, None).map_err(failed)?;
            repository.tag("v0.1", &object, &signature(2)?, "the second revision\n", false).map_err(failed)?;
        }
        if number == count.div_ceil(2) {
            branch_off(&repository, id)?;
        }
    }
    Ok(History { commits: commits(&repository)? })
}

/// Returns the commits of `master` in a repository.
pub fn history(directory: &Path) -> Result<History> {
    Ok(History { commits: commits(&Repository::open(directory).map_err(failed)?)? })
}

/// Adds a commit to `master`. Returns its id.
pub fn add_commit(directory: &Path) -> Result<String> {
    Ok(commit_next(&Repository::open(directory).map_err(failed)?)?.to_string())
}

/// Adds a commit to `master` that adds files. Returns its id.
pub fn add_files(directory: &Path, files: &[SourceFile]) -> Result<String> {
    let repository = Repository::open(directory).map_err(failed)?;
    Ok(write_commit(&repository, Some("refs/heads/master"), None, files, None, "add files")?.to_string())
}

/// Adds a commit to `master` that adds a submodule. Returns its id.
pub fn add_submodule(directory: &Path, path: &str, url: &str, commit: &str) -> Result<String> {
    let repository = Repository::open(directory).map_err(failed)?;
    let commit = Oid::from_str(commit).map_err(failed)?;
    let text = format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n");
    let modules = SourceFile { path: ".gitmodules".to_owned(), mode: Mode::Plain, bytes: text.into_bytes() };
    let id = write_commit(
        &repository,
        Some("refs/heads/master"),
        None,
        &[modules],
        Some((path, commit)),
        "add a submodule",
    )?;
    Ok(id.to_string())
}

fn commits(repository: &Repository) -> Result<Vec<String>> {
    let mut walk = repository.revwalk().map_err(failed)?;
    walk.push_head().map_err(failed)?;
    let mut ids: Vec<_> = walk.map(|id| Ok(id.map_err(failed)?.to_string())).collect::<Result<_>>()?;
    ids.reverse();
    Ok(ids)
}

fn commit_next(repository: &Repository) -> Result<Oid> {
    let number = if repository.is_empty().map_err(failed)? { 1 } else { commits(repository)?.len() as u64 + 1 };
    let message = format!("demo : revision {number}\n\nOnly the number changes.\n");
    let id = write_commit(repository, Some("refs/heads/master"), None, &source_files(number), None, &message)?;
    if number.is_multiple_of(2) {
        repository.reference(&format!("refs/tags/b{number}"), id, true, "demo").map_err(failed)?;
    }
    Ok(id)
}

fn branch_off(repository: &Repository, from: Oid) -> Result<()> {
    let parent = repository.find_commit(from).map_err(failed)?;
    let file = SourceFile { path: "docs/strix-halo.md".to_owned(), mode: Mode::Plain, bytes: b"soon\n".to_vec() };
    let id = write_commit(repository, None, Some(parent), &[file], None, "hip : work on Strix Halo\n")?;
    for name in ["refs/heads/feature/strix-halo", "refs/pull/1/head"] {
        repository.reference(name, id, true, "demo").map_err(failed)?;
    }
    Ok(())
}

/// Commits files on top of a parent (HEAD without one), whose other files stay.
fn write_commit(
    repository: &Repository,
    reference: Option<&str>,
    parent: Option<Commit<'_>>,
    files: &[SourceFile],
    submodule: Option<(&str, Oid)>,
    message: &str,
) -> Result<Oid> {
    let parent = match parent {
        Some(parent) => Some(parent),
        None if repository.is_empty().map_err(failed)? => None,
        None => Some(repository.head().and_then(|head| head.peel_to_commit()).map_err(failed)?),
    };
    let mut index = git2::Index::new().map_err(failed)?;
    if let Some(parent) = &parent {
        index.read_tree(&parent.tree().map_err(failed)?).map_err(failed)?;
    }
    let odb = repository.odb().map_err(failed)?;
    for file in files {
        let id = odb.write(ObjectType::Blob, &file.bytes).map_err(failed)?;
        let mode = match file.mode {
            Mode::Plain => 0o100_644,
            Mode::Executable => 0o100_755,
            Mode::Link => 0o120_000,
        };
        index.add(&entry(&file.path, mode, id)).map_err(failed)?;
    }
    if let Some((path, commit)) = submodule {
        index.add(&entry(path, 0o160_000, commit)).map_err(failed)?;
    }
    let tree = index.write_tree_to(repository).and_then(|id| repository.find_tree(id)).map_err(failed)?;
    let age = parent.as_ref().map_or(Ok(0), |parent| commits_before(repository, parent.id()))?;
    let signature = signature(age + 1)?;
    let parents: Vec<_> = parent.iter().collect();
    repository.commit(reference, &signature, &signature, message, &tree, &parents).map_err(failed)
}

fn commits_before(repository: &Repository, id: Oid) -> Result<i64> {
    let mut walk = repository.revwalk().map_err(failed)?;
    walk.push(id).map_err(failed)?;
    Ok(i64::try_from(walk.count()).unwrap_or(i64::MAX))
}

fn entry(path: &str, mode: u32, id: Oid) -> IndexEntry {
    let never = IndexTime::new(0, 0);
    IndexEntry {
        ctime: never,
        mtime: never,
        dev: 0,
        ino: 0,
        mode,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}

/// Returns the fixed author, five hours after the commit before. Not in UTC, so that mistakes with the zone show.
fn signature(number: i64) -> Result<Signature<'static>> {
    let time = Time::new(1_780_000_000 + number * 18_000, 120);
    Signature::new("Demo Author", "author@demo.invalid", &time).map_err(failed)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn failed(error: git2::Error) -> Error {
    Error::failure("the git repository of the demo upstream cannot be made or read").because(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_are_the_same_everywhere() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let history = commit_history(one.path(), 5).unwrap();
        assert_eq!(history, commit_history(two.path(), 5).unwrap());
        assert_eq!(history.commits.len(), 5);
        let repository = Repository::open(one.path()).unwrap();
        let names: Vec<_> = repository.references().unwrap().names().map(|name| name.unwrap().to_owned()).collect();
        for name in
            ["refs/heads/feature/strix-halo", "refs/heads/master", "refs/tags/b2", "refs/tags/b4", "refs/tags/v0.1"]
        {
            assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
        }
        let next = add_commit(one.path()).unwrap();
        assert_eq!(next, add_commit(two.path()).unwrap());
        assert_eq!(repository.head().unwrap().target().unwrap().to_string(), next);
        let with_module = add_submodule(one.path(), "vendor/thing", "../thing.git", history.head()).unwrap();
        let after = add_commit(one.path()).unwrap();
        let commit = repository.find_commit(Oid::from_str(&after).unwrap()).unwrap();
        assert_eq!(commit.parent_id(0).unwrap().to_string(), with_module);
        let tree = commit.tree().unwrap();
        assert_eq!(tree.get_path(Path::new("vendor/thing")).unwrap().filemode(), 0o160_000);
        assert_eq!(tree.get_path(Path::new("scripts/show-flags.sh")).unwrap().filemode(), 0o100_755);
    }
}
