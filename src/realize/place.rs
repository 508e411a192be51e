//! The places where trees and links may be put: never over a directory of the system or a home directory.
//!
//! With --force, whatever stands at the path of a link is renamed. With `/usr` in a file of settings that would destroy
//! the system, so such places are always refused. The rule depends on paths alone and reads no disk.

use std::path::{Component, Path};

/// Returns the home directory of the user, if it is an absolute path.
#[must_use]
pub fn home() -> Option<std::path::PathBuf> {
    etcetera::home_dir().ok().filter(|home| home.is_absolute())
}

/// Returns the reason why no tree and no link may be put at `path`, if any. `home` is the user's home directory.
#[must_use]
pub fn fault(path: &Path, home: Option<&Path>) -> Option<&'static str> {
    match home {
        _ if !is_clean(path) => Some("it must be an absolute path without `..`"),
        Some(home) if home == path => Some("it is the home directory itself"),
        Some(home) if home.starts_with(path) => Some("the home directory is in it"),
        _ if is_persons(path) => Some("it is a home directory"),
        _ if is_systems(path) => Some("it is a directory of the system"),
        _ => None,
    }
}

/// Returns the reason why `path` cannot be a directory to work in, if any. A home directory can.
#[must_use]
pub fn workspace_fault(path: &Path, home: Option<&Path>) -> Option<&'static str> {
    let lives = home == Some(path) || is_persons(path);
    fault(path, home).filter(|_| !(lives && is_clean(path)))
}

/// Returns true if two trees would overlap: the same path, or one within the other.
#[must_use]
pub fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Returns true for an absolute path without `..`, whose meaning depends on neither directory nor symlinks.
fn is_clean(path: &Path) -> bool {
    path.is_absolute() && !path.components().any(|part| part == Component::ParentDir)
}

/// Returns true for the usual paths of home directories.
fn is_persons(path: &Path) -> bool {
    matches!(parts(path)[..], ["home", _] | ["var", "home", _])
}

/// Returns true for the root, the directories that every system has, and paths in those that only the system fills.
fn is_systems(path: &Path) -> bool {
    matches!(
        parts(path)[..],
        [] | ["home" | "media" | "mnt" | "opt" | "root" | "run" | "srv" | "tmp" | "usr" | "var"]
            | ["bin" | "boot" | "dev" | "etc" | "lib" | "lib32" | "lib64" | "libx32" | "proc" | "sbin" | "sys", ..]
            | ["run" | "usr" | "var", _]
            | ["usr", "bin" | "include" | "lib" | "lib32" | "lib64" | "libexec" | "libx32" | "sbin", ..]
            | [
                "usr",
                "local",
                "bin" | "etc" | "games" | "include" | "lib" | "lib64" | "libexec" | "man" | "sbin" | "share" | "src"
            ]
    )
}

/// Returns the names in a path. A name that is not UTF-8 is replaced: the system has no such names.
fn parts(path: &Path) -> Vec<&str> {
    let name = |part| match part {
        Component::Normal(name) => Some(name.to_str().unwrap_or("\u{fffd}")),
        _ => None,
    };
    path.components().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The home directory of root, which is also a directory of the system.
    const ROOTS: &str = "/root";

    #[test]
    fn nothing_takes_the_place_of_the_system_or_of_a_home_directory() {
        let home = Some(Path::new("/data/people/me/"));
        for path in [
            "",
            "opt/rocm",
            "/opt/../usr",
            "/",
            "//",
            "/.",
            "/usr",
            "/usr/",
            "//usr/.",
            "/opt",
            "/lib64",
            "/root",
            "/usr/lib",
            "/usr/local",
            "/usr/share",
            "/usr/local/bin",
            "/usr/bin/env",
            "/etc/ssh",
            "/boot/efi",
            "/var/lib",
            "/run/user",
            "/home",
            "/home/you",
            "/var/home/you",
            "/data/people/me",
            "/data/people",
            "/data",
        ] {
            assert!(fault(Path::new(path), home).is_some(), "{path}");
        }
        for path in [
            "/opt/rocm",
            "/rocm",
            "/usr/local/rocm",
            "/srv/llama",
            "/home/you/.local/opt/rocm",
            "/data/people/me/rocm",
            "/data/rocm",
            "/tmp/a",
            "/var/lib/rocm",
            "/mnt/rocm",
        ] {
            assert_eq!(fault(Path::new(path), home), None, "{path}");
        }
        assert_eq!(fault(&Path::new(ROOTS).join("rocm"), home), None);
        assert_eq!(fault(Path::new("/data"), None), None);
    }

    #[test]
    fn people_work_in_their_home_directories() {
        let home = Path::new(ROOTS);
        let below = [home.join(""), home.join("work")];
        for path in [home, &below[0], &below[1], Path::new("/home/me"), Path::new("/mnt/disk")] {
            assert_eq!(workspace_fault(path, Some(home)), None, "{}", path.display());
        }
        for path in ["/", "/home", "/usr", "/etc/x", "/home/.."] {
            assert!(workspace_fault(Path::new(path), Some(home)).is_some(), "{path}");
        }
        assert!(workspace_fault(&home.join(".."), Some(home)).is_some());
    }
}
