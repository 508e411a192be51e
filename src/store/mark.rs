//! Directories that are ours by a marker file: remotes and archives.

use std::path::Path;

use super::replace_file;
use crate::error::{Error, Kind, Result};

/// The beginning of the names of unfinished files.
pub const UNFINISHED: &str = ".strixlock-";

/// Makes a missing or empty directory `what`, by a marker with these contents; one that has the marker is that already.
/// Fails with [`Kind::Usage`] for any other. Several processes may do this at the same time.
pub fn mark_directory(directory: &Path, marker: &str, contents: &[u8], what: &str) -> Result<()> {
    let marker = directory.join(marker);
    let is_marked = || marker.symlink_metadata().is_ok();
    if is_marked() {
        return Ok(());
    }
    fs_err::create_dir_all(directory)?;
    for entry in fs_err::read_dir(directory)? {
        let is_unfinished = entry?.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes());
        if is_unfinished {
            continue;
        }
        // Another process may have made it meanwhile: the marker comes first.
        if is_marked() {
            return Ok(());
        }
        return Err(Error::new(Kind::Usage, format!("this directory is not empty, and is not {what}"))
            .fact("path", directory.display())
            .hint("name a new directory"));
    }
    replace_file(&marker, contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_may_begin_at_the_same_time_and_others_files_are_not_ours() {
        let place = tempfile::tempdir().unwrap();
        for round in 0..100 {
            let directory = place.path().join(round.to_string());
            std::thread::scope(|scope| {
                for number in 0..4 {
                    let directory = &directory;
                    scope.spawn(move || {
                        mark_directory(directory, "marker", b"ours", "a place").unwrap();
                        std::fs::write(directory.join(number.to_string()), "").unwrap();
                    });
                }
            });
            assert_eq!(std::fs::read(directory.join("marker")).unwrap(), b"ours");
        }
        std::fs::write(place.path().join("notes"), "").unwrap();
        let error = mark_directory(place.path(), "marker", b"ours", "a place").unwrap_err();
        assert!(error.kind() == Kind::Usage && error.to_string().contains("is not a place"), "{error}");
        assert!(!place.path().join("marker").exists());
    }
}
