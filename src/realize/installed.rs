//! Takes what a build installed out of its `DESTDIR`: a directory at the prefix of the output, and nothing else.

use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::text::visible;
use crate::tree::scan::scan;
use crate::tree::{Listing, Node, confined};

/// Most paths that an error lists.
const LISTED: usize = 10;

/// Moves the tree at `prefix` below `dest` to `tree`. Returns its listing. Fails if nothing was installed there, or
/// something elsewhere.
pub(super) fn installed(dest: &Path, prefix: &str, tree: &Path) -> Result<Listing> {
    let outside = outside(dest, prefix)?;
    if !outside.is_empty() {
        let mut error = Error::new(Kind::Invalid, "the project installs outside of its prefix").fact("prefix", prefix);
        for path in outside.iter().take(LISTED) {
            error = error.fact("installed", path);
        }
        if let Some(more) = outside.len().checked_sub(LISTED).filter(|more| *more > 0) {
            error = error.fact("and", format!("{more} more"));
        }
        return Err(error.hint(
            "only the tree at the prefix can be an output: if a variable of the project names the directory, set it in \
             the table `cmake` of the manifest; `components` leaves out what is not needed",
        ));
    }
    let nothing = || {
        Error::new(Kind::Invalid, "the project installs no files").fact("expected", prefix).hint(
            "CMake installs what the project's CMake files have install rules for: look for options of the project \
             that add them, and compare the fields `components` and `cmake` of the output with those files",
        )
    };
    if fs_err::symlink_metadata(dest.join(prefix.trim_start_matches('/'))).is_err() {
        return Err(nothing());
    }
    // A build's files are hostile: a symlink in place of a directory must not lead to the host's files.
    confined::Root::open(dest)?.take_directory(prefix.trim_start_matches('/').as_bytes(), tree).map_err(|error| {
        Error::failure("the build did not install a directory at its prefix")
            .fact("expected", prefix)
            .because(&error)
            .hint("check the cmake variables in the manifest")
    })?;
    let listing = scan(tree)?;
    let has_files = listing.entries().iter().any(|entry| !matches!(entry.node, Node::Directory));
    if has_files { Ok(listing) } else { Err(nothing()) }
}

/// Returns the paths of files below `dest` that are not below the prefix, and of empty directories. Follows no links.
fn outside(dest: &Path, prefix: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut at = dest.to_path_buf();
    for part in prefix.split('/').filter(|part| !part.is_empty()) {
        for entry in fs_err::read_dir(&at)? {
            let entry = entry?;
            if entry.file_name() != part {
                collect(dest, &entry.path(), &mut found)?;
            }
        }
        at = at.join(part);
        if !fs_err::symlink_metadata(&at).is_ok_and(|found| found.is_dir()) {
            break;
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn collect(dest: &Path, path: &Path, found: &mut Vec<String>) -> Result<()> {
    let mut todo = vec![path.to_path_buf()];
    while let Some(path) = todo.pop() {
        let mut below = Vec::new();
        if fs_err::symlink_metadata(&path)?.is_dir() {
            for entry in fs_err::read_dir(&path)? {
                below.push(entry?.path());
            }
        }
        if below.is_empty() {
            let inside = path.strip_prefix(dest).unwrap_or(&path);
            found.push(visible(&format!("/{}", inside.display())));
        }
        todo.extend(below);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `DESTDIR` with these files.
    fn dest(files: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join("dest").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        std::fs::create_dir_all(directory.path().join("dest")).unwrap();
        directory
    }

    fn take(directory: &tempfile::TempDir) -> Result<Listing> {
        installed(&directory.path().join("dest"), "/opt/engine", &directory.path().join("tree"))
    }

    #[test]
    fn the_tree_at_the_prefix_is_taken() {
        let listing = take(&dest(&["opt/engine/bin/run", "opt/engine/lib/libx.so"])).unwrap();
        assert_eq!(listing.entries().len(), 4);
    }

    #[test]
    fn what_is_installed_elsewhere_is_named() {
        let directory = dest(&["opt/engine/bin/run", "etc/engine.conf", "opt/other", "usr/lib/a/b"]);
        std::os::unix::fs::symlink("/etc", directory.path().join("dest/usr/link")).unwrap();
        let error = format!("{:?}", take(&directory).unwrap_err());
        for path in ["/etc/engine.conf", "/opt/other", "/usr/lib/a/b", "/usr/link"] {
            assert!(error.contains(path), "{path} {error}");
        }
        assert!(!error.contains("passwd"), "{error}");
        assert_eq!(outside(&directory.path().join("dest"), "/opt/engine").unwrap().len(), 4);
    }

    #[test]
    fn a_project_without_install_rules_is_named() {
        let directory = dest(&[]);
        assert!(take(&directory).unwrap_err().to_string().contains("installs no files"));
        std::fs::create_dir_all(directory.path().join("dest/opt/engine/bin")).unwrap();
        assert!(take(&directory).unwrap_err().to_string().contains("installs no files"));
        let linked = dest(&[]);
        std::fs::create_dir_all(linked.path().join("dest/opt")).unwrap();
        std::os::unix::fs::symlink("/etc", linked.path().join("dest/opt/engine")).unwrap();
        assert!(take(&linked).unwrap_err().to_string().contains("did not install a directory"));
    }
}
