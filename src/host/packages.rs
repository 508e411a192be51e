//! The installed version of AMD's GPU firmware, from package databases that are plain files.

use std::io::{BufRead as _, BufReader, Read as _};

use super::system_files::SystemFiles;

/// Number of bytes that are read of dpkg's database. That of a full desktop has a few megabytes.
const BOUND: u64 = 64 * 1024 * 1024;

/// Packages of Ubuntu and Debian with the files below `/lib/firmware/amdgpu`.
const DPKG: [&str; 2] = ["linux-firmware", "firmware-amd-graphics"];
/// Prefixes of the entries of Arch's packages with those files.
const PACMAN: [&str; 2] = ["linux-firmware-amdgpu-", "linux-firmware-"];

/// Returns the version from dpkg's or pacman's database. Fedora's is not a plain file.
pub(super) fn firmware(files: SystemFiles) -> Option<String> {
    dpkg(files).or_else(|| pacman(files))
}

fn dpkg(files: SystemFiles) -> Option<String> {
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
fn pacman(files: SystemFiles) -> Option<String> {
    let names = files.names("var/lib/pacman/local");
    PACMAN.iter().find_map(|prefix| {
        let versions = names.iter().filter_map(|name| name.strip_prefix(prefix));
        versions.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned).next()
    })
}
