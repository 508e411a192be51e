//! Versions of the kernel, and families of distributions.

use std::fmt;

use super::system_files::SystemFiles;

/// The version numbers of a kernel's release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion(pub u32, pub u32, pub u32);

impl KernelVersion {
    /// Parses a release such as `6.18.4-200.fc43.x86_64`. A release candidate such as `6.18.0-rc1` counts as its
    /// release.
    #[must_use]
    pub fn parse(release: &str) -> Option<Self> {
        let numbers = release.split(|c: char| c != '.' && !c.is_ascii_digit()).next()?;
        let mut parts = numbers.split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        Some(Self(major, minor, parts.next().and_then(|patch| patch.parse().ok()).unwrap_or(0)))
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Families of distributions with different commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Distribution {
    /// Ubuntu and its derivatives.
    Ubuntu,
    /// Debian and its other derivatives.
    Debian,
    /// Fedora and related distributions.
    Fedora,
    /// Arch and its derivatives.
    Arch,
    /// Any other distribution.
    #[default]
    Other,
}

impl Distribution {
    /// Reads `/etc/os-release` (format: os-release(5)).
    pub(super) fn read(files: SystemFiles) -> Self {
        let text = files.text("etc/os-release").unwrap_or_default();
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
        };
        let (own, like) = (value("ID"), value("ID_LIKE"));
        let known = |name: &str| match name {
            "ubuntu" => Some(Self::Ubuntu),
            "debian" => Some(Self::Debian),
            "fedora" | "rhel" => Some(Self::Fedora),
            "arch" => Some(Self::Arch),
            _ => None,
        };
        std::iter::once(own.as_str()).chain(like.split_ascii_whitespace()).find_map(known).unwrap_or_default()
    }
}
