//! Where trees and links may stand: never in the place of something that the system, or a person, lives in.
//!
//! What stands in the way of a link is renamed aside if the user insists. With `/usr` in a file of settings that would be the
//! end of the system, so such places are refused whoever names them. The rule looks at paths alone and touches no disk.

use std::path::{Component, Path};

/// The home directory of whoever runs this, if it has one that is absolute.
#[must_use]
pub fn home() -> Option<std::path::PathBuf> {
    etcetera::home_dir().ok().filter(|home| home.is_absolute())
}

/// Why no tree and no link may stand at `path`, if so; `home` is the user's home directory.
#[must_use]
pub fn fault(path: &Path, home: Option<&Path>) -> Option<&'static str> {
    match home {
        _ if !is_clean(path) => Some("it is not an absolute path without `..`"),
        Some(home) if home == path => Some("it is the home directory itself"),
        Some(home) if home.starts_with(path) => Some("the home directory is in it"),
        _ if is_persons(path) => Some("it is a home directory"),
        _ if is_systems(path) => Some("it is a directory of the system"),
        _ => None,
    }
}

/// Why `path` can be no directory to work in, if so: it may be a home directory.
#[must_use]
pub fn workspace_fault(path: &Path, home: Option<&Path>) -> Option<&'static str> {
    let lives = home == Some(path) || is_persons(path);
    fault(path, home).filter(|_| !(lives && is_clean(path)))
}

/// Whether two trees would be in each other's way: in one place, or one in the other.
#[must_use]
pub fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Whether it means the same whatever the directory, and whatever its parts are links to.
fn is_clean(path: &Path) -> bool {
    path.is_absolute() && !path.components().any(|part| part == Component::ParentDir)
}

/// Whether people's home directories are called so.
fn is_persons(path: &Path) -> bool {
    matches!(parts(path)[..], ["home", _] | ["var", "home", _])
}

/// Whether it is the root, a directory that every system has, or something in those that hold nothing else.
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

/// The names in a path. One that is not UTF-8 is none of the system's.
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

    /// The home directory of root, which is one of the system's.
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
