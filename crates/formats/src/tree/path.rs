//! Paths as trees have them: bytes between slashes. The root's own path is empty.

/// Returns the directory of a path; `None` if that is the root.
#[must_use]
pub fn above(path: &[u8]) -> Option<&[u8]> {
    split(path).map(|(directory, _)| directory)
}

/// Returns the directory of a path; empty if that is the root.
#[must_use]
pub fn parent(path: &[u8]) -> &[u8] {
    above(path).unwrap_or_default()
}

/// Returns the last part of a path.
#[must_use]
pub fn file_name(path: &[u8]) -> &[u8] {
    split(path).map_or(path, |(_, name)| name)
}

/// Returns the path of a name in a directory.
#[must_use]
pub fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}

/// Splits a path at its last slash.
pub(super) fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let slash = path.iter().rposition(|byte| *byte == b'/')?;
    Some((&path[..slash], &path[slash + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_its_directory_and_its_name() {
        for (path, directory, name) in [("a/b/c", Some("a/b"), "c"), ("a", None, "a"), ("/a", Some(""), "a")] {
            let path = path.as_bytes();
            assert_eq!((above(path), file_name(path)), (directory.map(str::as_bytes), name.as_bytes()));
            assert_eq!(parent(path), directory.unwrap_or_default().as_bytes());
        }
        assert_eq!((join(b"a/b", b"c"), join(b"", b"c")), (b"a/b/c".to_vec(), b"c".to_vec()));
    }
}
