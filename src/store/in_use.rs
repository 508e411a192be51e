//! Trees in use by running processes.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;

use super::Store;
use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::Result;

impl Store {
    /// Returns the trees that hold the program, a mapped library or the working directory of a process. Processes of
    /// other users that we may not inspect are not seen.
    pub(super) fn trees_in_use(&self) -> Result<BTreeSet<TreeDigest>> {
        let trees = fs_err::canonicalize(self.root.join("trees"))?;
        let needle = [trees.as_os_str().as_bytes(), b"/"].concat();
        let mut found = BTreeSet::new();
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let process = process.path();
            let mut text = std::fs::read(process.join("maps")).unwrap_or_default();
            for link in ["cwd", "exe"] {
                text.push(b'\n');
                text.extend(std::fs::read_link(process.join(link)).unwrap_or_default().as_os_str().as_bytes());
            }
            for line in text.split(|byte| *byte == b'\n') {
                let at = line.windows(needle.len()).position(|window| window == needle);
                let digest = at.and_then(|at| line[at + needle.len()..].get(..64));
                let digest = digest.and_then(|hex| Sha256Digest::from_hex(std::str::from_utf8(hex).ok()?));
                found.extend(digest.map(TreeDigest));
            }
        }
        Ok(found)
    }
}
