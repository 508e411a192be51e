//! git's attributes for the lock of a new project: how git merges it.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::lock::merge::{ATTRIBUTE, DRIVER, SETTING};
use crate::store::replace_file;
use crate::upstream::git::Worktree;

/// The steps that were taken for git.
pub(super) struct Attributes {
    /// The file that was written; `None` if git knows the merge driver already.
    pub written: Option<PathBuf>,
    /// True if git has the command of the driver in this clone.
    pub has_command: bool,
}

/// Names the merge driver for locks in the `.gitattributes` of a project, unless something names it already. `None` if
/// the project is not in a git repository.
pub(super) fn write(directory: &Path, lock: &Path) -> Result<Option<Attributes>> {
    let Some(worktree) = Worktree::around(directory)? else { return Ok(None) };
    let has_command = worktree.setting(SETTING).is_some();
    // The directory of the lock need not exist yet.
    let name = worktree.name_of(lock);
    if name.and_then(|name| worktree.merge_driver(&name)).as_deref() == Some(DRIVER) {
        return Ok(Some(Attributes { written: None, has_command }));
    }
    let path = directory.join(".gitattributes");
    let mut text = match fs_err::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        other => other?,
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(ATTRIBUTE);
    text.push('\n');
    replace_file(&path, text.as_bytes())?;
    Ok(Some(Attributes { written: Some(path), has_command }))
}
