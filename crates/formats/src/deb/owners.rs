//! Finds the packages of a root that own given libraries, by dpkg's lists of files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::Result;

/// The directory where dpkg keeps the list of each package's files (dpkg(1), `/var/lib/dpkg/info`).
const INFO: &str = "var/lib/dpkg/info";
/// The directories that ld.so searches by default, as packages name them.
const PLACES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

/// Returns, for each of these file names, the packages of the root at `root` that have it in one of the loader's
/// default directories. Names that no package has are left out; without dpkg's database the result is empty.
pub fn owners(root: &Path, names: &BTreeSet<&str>) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let lists = match fs_err::read_dir(root.join(INFO)) {
        Ok(lists) => lists,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error.into()),
    };
    for list in lists {
        let list = list?;
        let file = list.file_name();
        let Some(package) = file.to_str().and_then(|name| name.strip_suffix(".list")) else { continue };
        for line in fs_err::read(list.path())?.split(|byte| *byte == b'\n') {
            let Some((directory, name)) = std::str::from_utf8(line).ok().and_then(|line| line.rsplit_once('/')) else {
                continue;
            };
            if names.contains(name) && is_place(directory) {
                let package = package.split(':').next().unwrap_or(package);
                found.entry(name.to_owned()).or_default().insert(package.to_owned());
            }
        }
    }
    Ok(found)
}

/// Returns whether this is one of the loader's directories, or an architecture's directory below it
/// (`/usr/lib/x86_64-linux-gnu`).
fn is_place(directory: &str) -> bool {
    let above = directory.rsplit_once('/').filter(|(_, last)| last.ends_with("-linux-gnu")).map(|(above, _)| above);
    PLACES.contains(&directory) || above.is_some_and(|above| PLACES.contains(&above))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_found_by_their_lists() {
        let root = tempfile::tempdir().unwrap();
        let info = root.path().join(INFO);
        fs_err::create_dir_all(&info).unwrap();
        let list = |name: &str, text: &str| fs_err::write(info.join(name), text).unwrap();
        list("libc6:amd64.list", "/.\n/lib/x86_64-linux-gnu/libc.so.6\n/lib64/ld-linux-x86-64.so.2\n");
        list("libgcc-s1.list", "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1\n");
        list("other.list", "/usr/lib/other/libc.so.6\n/usr/share/libgcc_s.so.1\n");
        list("libc6:amd64.md5sums", "0  lib/x86_64-linux-gnu/libc.so.6\n");
        let names = BTreeSet::from(["libc.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "libz.so.1"]);
        let found = owners(root.path(), &names).unwrap();
        let one = |name: &str| BTreeSet::from([name.to_owned()]);
        assert_eq!(found.len(), 3);
        assert_eq!(found["libc.so.6"], one("libc6"));
        assert_eq!(found["ld-linux-x86-64.so.2"], one("libc6"));
        assert_eq!(found["libgcc_s.so.1"], one("libgcc-s1"));
        assert!(owners(&root.path().join("nothing"), &names).unwrap().is_empty());
    }
}
