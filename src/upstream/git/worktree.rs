//! The git repository that a project lies in, read only: files of earlier revisions, attributes, configuration.
//!
//! Nothing is asked of any server, and nothing is written. Repositories of other users are read only where git itself
//! would (`safe.directory`).

use std::path::{Component, Path, PathBuf};

use git2::{AttrCheckFlags, ErrorCode, Oid, Repository, RepositoryOpenFlags, Sort};

use crate::error::{Error, Kind, Result};
use crate::text::visible;

/// Greatest size of a file that is read, in bytes. Locks have some hundred kilobytes.
const MOST: usize = 64 << 20;
/// Most commits that are searched for an earlier version of a file.
const SEARCHED: usize = 10_000;

/// A repository with a work tree.
pub struct Worktree {
    repository: Repository,
    top: PathBuf,
}

/// A file of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The commit, 40 hex digits.
    pub commit: String,
    /// The file's contents.
    pub bytes: Vec<u8>,
}

impl Worktree {
    /// Opens the repository around a directory. `None` if there is none, or if it has no work tree.
    pub fn around(directory: &Path) -> Result<Option<Self>> {
        super::library::set();
        let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let start = std::path::absolute(here)?;
        let none: [&Path; 0] = [];
        let repository = match Repository::open_ext(&start, RepositoryOpenFlags::empty(), none) {
            Ok(repository) => repository,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(error) => {
                let failed = Error::new(Kind::Failure, "cannot open the git repository of this project")
                    .fact("directory", start.display())
                    .because(&error);
                return Err(if error.code() == ErrorCode::Owner {
                    failed.hint("it belongs to another user: `git config --global --add safe.directory DIR` trusts it")
                } else {
                    failed
                });
            }
        };
        let Some(top) = repository.workdir().map(Path::to_path_buf) else { return Ok(None) };
        Ok(Some(Self { repository, top }))
    }

    /// Returns the top directory of the work tree.
    #[must_use]
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// Returns the path of a file below the top, as git names it. `None` if it lies elsewhere.
    #[must_use]
    pub fn name_of(&self, path: &Path) -> Option<PathBuf> {
        let absolute = std::path::absolute(path).ok()?;
        // The file need not exist: what exists above it is resolved, as git resolved the top.
        let (there, resolved) =
            absolute.ancestors().skip(1).find_map(|above| Some((above, std::fs::canonicalize(above).ok()?)))?;
        let rest = absolute.strip_prefix(there).ok()?;
        if rest.components().any(|part| part == Component::ParentDir) {
            return None;
        }
        Some(resolved.join(rest).strip_prefix(std::fs::canonicalize(&self.top).ok()?).ok()?.to_path_buf())
    }

    /// Returns a file as it was at a revision, which is anything that `git rev-parse` takes for a commit. `None` if
    /// there is no such revision. Fails if the revision does not have the file.
    pub fn file_at(&self, revision: &str, path: &Path) -> Result<Option<Found>> {
        let Ok(object) = self.repository.revparse_single(revision) else { return Ok(None) };
        let commit = object.peel_to_commit().map_err(|error| {
            Error::new(Kind::NotFound, format!("`{}` is not a commit", visible(revision))).because(&error)
        })?;
        match self.file_of(&commit, path)? {
            Some(bytes) => Ok(Some(Found { commit: commit.id().to_string(), bytes })),
            None => Err(Error::new(
                Kind::NotFound,
                format!("the revision `{}` has no file `{}`", visible(revision), visible(&path.to_string_lossy())),
            )
            .fact("commit", commit.id())),
        }
    }

    /// Returns the newest committed version of a file that differs from `now`: that of HEAD, or of the newest commit
    /// before it. `None` if no commit has another version.
    pub fn file_before(&self, path: &Path, now: &[u8]) -> Result<Option<Found>> {
        let failed = |error: git2::Error| Error::failure("cannot read the history of this project").because(&error);
        let mut walk = self.repository.revwalk().map_err(failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL).map_err(failed)?;
        // A repository without commits has no HEAD.
        if walk.push_head().is_err() {
            return Ok(None);
        }
        // Most commits have the same version: it is told by its id, without reading it.
        let same = Oid::hash_object(git2::ObjectType::Blob, now).map_err(failed)?;
        for id in walk.take(SEARCHED) {
            let commit = self.repository.find_commit(id.map_err(failed)?).map_err(failed)?;
            let entry = commit.tree().ok().and_then(|tree| tree.get_path(path).ok());
            if entry.is_some_and(|entry| entry.id() != same)
                && let Some(bytes) = self.file_of(&commit, path)?
            {
                return Ok(Some(Found { commit: commit.id().to_string(), bytes }));
            }
        }
        Ok(None)
    }

    fn file_of(&self, commit: &git2::Commit, path: &Path) -> Result<Option<Vec<u8>>> {
        let Ok(entry) = commit.tree().and_then(|tree| tree.get_path(path)) else { return Ok(None) };
        let header = self.repository.odb().and_then(|odb| odb.read_header(entry.id()));
        if header.is_ok_and(|(size, _)| size > MOST) {
            return Err(Error::new(Kind::Invalid, "the file of that revision is too large")
                .fact("path", path.display())
                .fact("limit", crate::text::bytes(MOST as u64)));
        }
        let blob = entry.to_object(&self.repository).and_then(|object| object.peel_to_blob());
        Ok(blob.ok().map(|blob| blob.content().to_vec()))
    }

    /// Returns the merge driver that the attributes name for a file below the top; none if git merges it as text.
    #[must_use]
    pub fn merge_driver(&self, path: &Path) -> Option<String> {
        let value = self.repository.get_attr(path, "merge", AttrCheckFlags::default()).ok()??;
        // `true`, `false` and the unset value are written as such.
        Some(value.to_owned()).filter(|value| !value.starts_with('['))
    }

    /// Returns a value of git's configuration for this repository, the user or the machine.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<String> {
        self.repository.config().and_then(|config| config.get_string(name)).ok()
    }
}

#[cfg(test)]
mod tests {
    use git2::{IndexAddOption, Signature, Time};

    use super::*;

    fn commit(repository: &Repository, text: &str) -> String {
        let top = repository.workdir().unwrap();
        fs_err::create_dir_all(top.join("lock")).unwrap();
        fs_err::write(top.join("lock/strix.lock"), text).unwrap();
        let mut index = repository.index().unwrap();
        index.add_all(["*"], IndexAddOption::DEFAULT, None).unwrap();
        index.write().unwrap();
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let who = Signature::new("a", "a@example.org", &Time::new(1_790_000_000, 0)).unwrap();
        let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
        let parents: Vec<_> = parent.iter().collect();
        repository.commit(Some("HEAD"), &who, &who, text, &tree, &parents).unwrap().to_string()
    }

    #[test]
    fn files_of_revisions_are_read_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        assert!(Worktree::around(place.path()).unwrap().is_none());
        let repository = Repository::init(place.path()).unwrap();
        let worktree = Worktree::around(place.path()).unwrap().unwrap();
        let lock = Path::new("lock/strix.lock");
        assert_eq!(worktree.file_before(lock, b"x").unwrap(), None);
        let (first, second) = (commit(&repository, "one"), commit(&repository, "two"));
        let found = |commit: &str, text: &str| Some(Found { commit: commit.to_owned(), bytes: text.into() });
        assert_eq!(worktree.file_at("HEAD", lock).unwrap(), found(&second, "two"));
        assert_eq!(worktree.file_at("HEAD~1", lock).unwrap(), found(&first, "one"));
        assert_eq!(worktree.file_at("nothing", lock).unwrap(), None);
        assert_eq!(worktree.file_at("HEAD", Path::new("x")).unwrap_err().kind(), Kind::NotFound);
        assert_eq!(worktree.file_before(lock, b"three").unwrap(), found(&second, "two"));
        assert_eq!(worktree.file_before(lock, b"two").unwrap(), found(&first, "one"));
        let inside = place.path().join("lock");
        assert_eq!(Worktree::around(&inside).unwrap().unwrap().top(), worktree.top());
        assert_eq!(worktree.name_of(&inside.join("strix.lock")), Some(lock.to_path_buf()));
        let not_yet = place.path().join("new/lock/strix.lock");
        assert_eq!(worktree.name_of(&not_yet), Some("new/lock/strix.lock".into()));
        assert_eq!(worktree.name_of(Path::new("/nowhere/strix.lock")), None);
        assert_eq!(worktree.merge_driver(lock), None);
        fs_err::write(place.path().join(".gitattributes"), "lock/*.lock merge=strixlock\n").unwrap();
        let again = Worktree::around(place.path()).unwrap().unwrap();
        assert_eq!(again.merge_driver(lock).as_deref(), Some("strixlock"));
        assert_eq!(again.setting("merge.none.driver"), None);
    }
}
