//! The installed version of AMD's GPU firmware, from package databases that are plain files.

use std::io::{BufRead as _, BufReader, Read as _};

use super::files::Files;

/// The limit for dpkg's database, in bytes. A full desktop has a few megabytes.
const BOUND: u64 = 64 * 1024 * 1024;

/// Packages with the files below `/lib/firmware/amdgpu`: Ubuntu's, Debian's, Arch's.
const DPKG: [&str; 2] = ["linux-firmware", "firmware-amd-graphics"];
const PACMAN: [&str; 2] = ["linux-firmware-amdgpu-", "linux-firmware-"];

/// Returns the version from dpkg or pacman. Fedora's database is not a plain file.
pub(super) fn firmware(files: Files) -> Option<String> {
    dpkg(files).or_else(|| pacman(files))
}

/// Reads dpkg's database: fields of packages, in paragraphs.
fn dpkg(files: Files) -> Option<String> {
    let file = std::fs::File::open(files.path("var/lib/dpkg/status")).ok()?;
    let mut wanted = false;
    let mut installed = false;
    for line in BufReader::new(file.take(BOUND)).split(b'\n') {
        let line = line.ok()?;
        let line = String::from_utf8_lossy(&line);
        if let Some(name) = line.strip_prefix("Package: ") {
            wanted = DPKG.contains(&name.trim());
            installed = false;
        } else if let Some(status) = line.strip_prefix("Status: ") {
            installed = status.trim_end().ends_with(" installed");
        } else if let Some(version) = line.strip_prefix("Version: ")
            && wanted
            && installed
        {
            return Some(version.trim().to_owned());
        }
    }
    None
}

/// Reads pacman's database: one directory per package, named `NAME-VERSION-RELEASE`.
fn pacman(files: Files) -> Option<String> {
    let names = files.names("var/lib/pacman/local");
    PACMAN.iter().find_map(|prefix| {
        let versions = names.iter().filter_map(|name| name.strip_prefix(prefix));
        versions.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned).next()
    })
}
