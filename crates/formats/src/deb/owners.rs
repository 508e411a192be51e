//! Which packages of a root have which libraries, by dpkg's lists of files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::Result;

/// Where dpkg keeps, for each package, the list of its files (dpkg(1), `/var/lib/dpkg/info`).
const INFO: &str = "var/lib/dpkg/info";
/// Where ld.so looks by itself, as packages name these directories.
const PLACES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

/// For each of these file names the packages of the root at `root` that have it in one of the loader's own directories. A name
/// that no package has is not in the answer; a root without dpkg's database has none at all.
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

/// One of the loader's directories, or the directory of an architecture below it (`/usr/lib/x86_64-linux-gnu`).
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
