//! Paths in arguments and configuration files, where `~` is the home directory, as in a shell.
//!
//! A shell does not expand `~` in `--store=~/x`, and nothing expands it in a file. Taken literally it would create a
//! directory called `~`, which somebody removes with `rm -rf ~` later.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use url::Url;

use crate::archive::ArchiveName;
use crate::realize::place;

/// Parses a path on the command line.
pub(super) fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| expand(&path))
}

/// Parses the name of an archive on the command line.
pub(super) fn archive(text: &str) -> Result<ArchiveName, String> {
    ArchiveName::parse(text, expand)
}

/// Parses the setting for the usual archive: a directory.
pub(super) fn usual_archive(text: &str) -> Result<PathBuf, String> {
    if text.contains("://") {
        return Err("expected a directory: other archives are named with --to and --from".to_owned());
    }
    expand(Path::new(text))
}

/// Replaces a leading `~` by the home directory. Fails for another user's home, and if HOME is not set.
pub(super) fn expand(path: &Path) -> Result<PathBuf, String> {
    expand_to(path, place::home().as_deref())
}

/// Returns a path as a person reads it: with `~` for the home directory.
pub(super) fn shown(path: &Path) -> String {
    shown_from(path, place::home().as_deref())
}

fn shown_from(path: &Path, home: Option<&Path>) -> String {
    match home.filter(|home| home.parent().is_some()).and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

/// Returns the URL for a setting that holds a URL, or the path of a directory relative to `directory`.
pub(super) fn address(written: &str, directory: &Path) -> Result<Url, String> {
    if written.starts_with("file://~") {
        return Err("`~` is not expanded in a URL: write only the path".to_owned());
    }
    if written.contains("://") {
        return Url::parse(written).map_err(|error| error.to_string());
    }
    let place = directory.join(expand(Path::new(written))?);
    Url::from_directory_path(place).map_err(|()| "expected a URL or a path".to_owned())
}

fn expand_to(path: &Path, home: Option<&Path>) -> Result<PathBuf, String> {
    let mut parts = path.components();
    let first = match parts.next() {
        Some(Component::Normal(first)) if first.as_bytes().starts_with(b"~") => first,
        _ => return Ok(path.to_path_buf()),
    };
    if first != "~" {
        return Err(format!(
            "`{0}` is not expanded: write the full path, or `./{0}` for a directory of that name",
            first.display()
        ));
    }
    let home = home.ok_or("cannot expand `~`: HOME is not set")?;
    Ok(home.join(parts.as_path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home_directory_and_nothing_else() {
        let home = Some(Path::new("/home/me"));
        for (path, expected) in [
            ("~", "/home/me"),
            ("~/", "/home/me"),
            ("~/a/b", "/home/me/a/b"),
            ("~//a", "/home/me/a"),
            ("a", "a"),
            ("./~/a", "./~/a"),
            ("a/~", "a/~"),
            ("/~", "/~"),
            ("a~", "a~"),
            ("", ""),
        ] {
            assert_eq!(expand_to(Path::new(path), home), Ok(PathBuf::from(expected)), "{path}");
        }
        for path in ["~you", "~you/a", "~~", "~+", "~1/x"] {
            assert!(expand_to(Path::new(path), home).is_err(), "{path}");
        }
        assert!(expand_to(Path::new("~/a"), None).is_err());
    }

    #[test]
    fn a_path_below_the_home_directory_is_shown_with_a_tilde() {
        let shown = |path: &str, home: &str| shown_from(Path::new(path), Some(Path::new(home)));
        assert_eq!(shown("/home/me/a/b", "/home/me"), "~/a/b");
        assert_eq!(shown("/home/me", "/home/me"), "~");
        assert_eq!(shown("/home/meadow", "/home/me"), "/home/meadow");
        assert_eq!(shown("/srv/x", "/"), "/srv/x");
    }

    #[test]
    fn a_mirror_is_an_address_or_a_path() {
        let beside = Path::new("/etc/strixlock");
        for (written, expected) in [
            ("https://mirror.example/amd/", "https://mirror.example/amd/"),
            ("file:///srv/amd/", "file:///srv/amd/"),
            ("/srv/amd", "file:///srv/amd/"),
            ("amd", "file:///etc/strixlock/amd/"),
        ] {
            assert_eq!(address(written, beside).unwrap().as_str(), expected);
        }
        for wrong in ["file://~/amd", "~you/amd", "http://[", "://"] {
            assert!(address(wrong, beside).is_err(), "{wrong}");
        }
    }
}
