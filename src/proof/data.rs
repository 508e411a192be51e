//! Proves files that no loader opens: kernels, archives of GPU code, bitcode, provenance, links.
//!
//! Trims the runtime itself once more. The runtime must have exactly the files that its own files demand, and each must
//! be the same as in the whole tree.

use super::Claim;
use crate::error::{Error, Result};
use crate::tree::scan::scan;
use crate::tree::{Node, show};
use crate::trim::trim;

/// Returns the number of demanded files and links. Fails if one is missing or different, or if there are others.
pub(super) fn judge(claim: &Claim) -> Result<usize> {
    let listing = scan(claim.runtime)?;
    let whole = claim.trimmed.listing();
    let prefix = claim.request.rocm.prefix;
    let installed = |path: &[u8]| [prefix.as_bytes(), b"/", path].concat();
    let fault = |message: &str, path: &[u8]| {
        let error = Error::failure(message.to_owned()).fact("file", show(&installed(path)));
        claim.trimmed.explain(error, &installed(path))
    };
    for path in claim.trimmed.kept.keys() {
        let (wanted, found) = (whole.get(path), listing.get(path));
        if found.is_none() {
            return Err(fault("the runtime lacks a demanded file", path));
        }
        if wanted.map(|entry| &entry.node) != found.map(|entry| &entry.node) {
            return Err(fault("a file of the runtime differs from that in the whole tree", path));
        }
    }
    let again = trim(&claim.again(&listing))?;
    if let Some(path) = claim.trimmed.kept.keys().find(|path| !again.kept.contains_key(*path)) {
        return Err(fault("no file of the runtime leads to one of its files", path));
    }
    let extra =
        listing.entries().iter().find(|entry| entry.node != Node::Directory && !again.kept.contains_key(&entry.path));
    if let Some(extra) = extra {
        return Err(Error::failure("the runtime has a file that no other file demands")
            .fact("file", show(&installed(&extra.path))));
    }
    Ok(again.kept.len())
}
