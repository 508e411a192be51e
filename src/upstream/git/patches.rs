//! Patches of a commit, applied by libgit2 to its tree, without a working directory.
//!
//! The result is a tree object in the cache, which is written to the store like that of any commit. Patches are as `git
//! diff` and `git format-patch` write them. They apply exactly: no hunk moves to other context.

use std::cell::RefCell;

use git2::{ApplyOptions, Diff, Oid};

use super::reversed::reversed;
use super::{Repository, names};
use crate::error::{Error, Kind, Result};
use crate::text::visible;
use crate::tree::named;

/// Greatest size of a patch in bytes.
pub const LARGEST: u64 = 16 << 20;

/// A patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Its path, for messages.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Applies patches in order to the tree of a fetched commit, and returns the tree that comes out.
pub fn apply(repository: &Repository, commit: &str, patches: &[Patch]) -> Result<Oid> {
    let mut tree = repository.tree_of(commit)?;
    for patch in patches {
        let applied = parse(patch).and_then(|diff| apply_one(repository, tree, patch, &diff));
        tree = applied.map_err(|error| error.fact("patch", &patch.path))?;
    }
    Ok(tree)
}

/// Returns true for a patch of a form that can be applied. Turns it around too: for tests with bytes of any kind.
#[must_use]
pub fn is_patch(bytes: &[u8]) -> bool {
    let _ = Diff::from_buffer(&reversed(bytes));
    parse(&Patch { path: String::new(), bytes: bytes.to_vec() }).is_ok()
}

/// Parses a patch. Fails if it has a form that cannot be applied.
fn parse(patch: &Patch) -> Result<Diff<'static>> {
    let invalid = |message: &str| Error::new(Kind::Invalid, message.to_owned());
    let mut lines = patch.bytes.split(|byte| *byte == b'\n');
    if let Some(binary) = lines.find(|line| line.starts_with(b"GIT binary patch") || line.starts_with(b"Binary files "))
    {
        return Err(invalid("the patch changes a binary file")
            .fact("line", visible(&String::from_utf8_lossy(binary)))
            .hint("only patches of text can be read by whoever checks them: commit the file, and name that commit"));
    }
    let is_header =
        |line: &[u8]| [b"diff --git ".as_slice(), b"@@ -", b"--- ", b"+++ "].iter().any(|head| line.starts_with(head));
    let mut lines = patch.bytes.split(|byte| *byte == b'\n');
    if lines.any(|line| is_header(line) && line.ends_with(b"\r")) {
        return Err(invalid("the patch has line ends of Windows (CRLF)")
            .hint("`dos2unix` converts it; `*.patch -text` in .gitattributes keeps git from changing it"));
    }
    let diff = Diff::from_buffer(&patch.bytes).map_err(|error| {
        invalid("this is not a patch of git").because(&error).hint("write it with `git diff` or `git format-patch`")
    })?;
    if diff.deltas().len() == 0 {
        return Err(invalid("the patch changes nothing").hint("write it with `git diff` or `git format-patch`"));
    }
    for delta in diff.deltas() {
        for path in [delta.old_file().path_bytes(), delta.new_file().path_bytes()].into_iter().flatten() {
            let wrong = path.split(|byte| *byte == b'/').any(|part| names::fault(part, names::EXECUTABLE).is_some());
            if wrong {
                return Err(invalid("the patch names a path outside of the source").fact("path", named(path)));
            }
        }
    }
    Ok(diff)
}

/// Applies a patch to a tree, and returns the new tree.
fn apply_one(repository: &Repository, tree: Oid, patch: &Patch, diff: &Diff) -> Result<Oid> {
    let trouble = |error: git2::Error| repository.trouble(&error);
    let place = Place::default();
    match place.apply(repository, tree, diff) {
        Ok(mut index) => index.write_tree_to(&repository.cache).map_err(trouble),
        Err(error) => {
            let back = reversed(&patch.bytes);
            let is_in =
                Diff::from_buffer(&back).is_ok_and(|back| Place::default().apply(repository, tree, &back).is_ok());
            if is_in {
                return Err(Error::new(Kind::Invalid, "the patch is already in the source")
                    .hint("remove it from `patches`: this commit has its changes"));
            }
            let (file, hunk) = (place.file.into_inner(), place.hunk.into_inner());
            let failed = Error::new(Kind::Invalid, "the patch does not apply to the source").fact("file", file);
            let failed = if hunk.is_empty() { failed } else { failed.fact("hunk", hunk) };
            Err(failed.because(&error).hint("make it anew against this commit, or pin the commit that it was made for"))
        }
    }
}

/// The file and hunk that are being applied, for an error.
#[derive(Default)]
struct Place {
    file: RefCell<String>,
    hunk: RefCell<String>,
}

impl Place {
    fn apply(&self, repository: &Repository, tree: Oid, diff: &Diff) -> Result<git2::Index, git2::Error> {
        let tree = repository.cache.find_tree(tree)?;
        let mut options = ApplyOptions::new();
        options.delta_callback(|delta| {
            let path = delta.and_then(|delta| Some(named(delta.new_file().path_bytes()?)));
            self.file.replace(path.unwrap_or_default());
            self.hunk.replace(String::new());
            true
        });
        options.hunk_callback(|hunk| {
            let header = hunk.map(|hunk| String::from_utf8_lossy(hunk.header()).trim().to_owned());
            self.hunk.replace(visible(&header.unwrap_or_default()));
            true
        });
        repository.cache.apply_to_tree(&tree, diff, Some(&mut options))
    }
}
