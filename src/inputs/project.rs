//! Paths of files and directories that a project brings itself.

/// Returns true for a path in a manifest or lock, relative to the manifest.
#[must_use]
pub fn is_project_path(path: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && !part.starts_with('~');
    path.len() <= 1024 && !path.starts_with('/') && !path.chars().any(char::is_control) && path.split('/').all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_relative_and_plain() {
        for good in ["patches/a.patch", "../overlay/hip", "a"] {
            assert!(is_project_path(good), "{good}");
        }
        for bad in ["", "/etc", "a//b", "./a", "~/a", "a/~", "a\nb", &"a/".repeat(600)] {
            assert!(!is_project_path(bad), "{bad}");
        }
    }
}
