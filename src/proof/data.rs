//! What no loader opens by itself: kernels, archives of GPU code, bitcode, provenance, links.
//!
//! The runtime's own files are asked once more what they demand, and the whole tree what it has of that; each such file must be in
//! the runtime, byte for byte, and nothing else.

use super::Claim;
use crate::error::{Error, Result};
use crate::tree::scan::scan;
use crate::tree::{Node, show};
use crate::trim::trim;

/// Gives the number of files and links that are demanded and there.
pub(super) fn judge(claim: &Claim) -> Result<usize> {
    let listing = scan(claim.runtime)?;
    let whole = claim.trimmed.listing();
    let prefix = claim.request.rocm.prefix;
    let place = |path: &[u8]| [prefix.as_bytes(), b"/", path].concat();
    let fault = |message: &str, path: &[u8]| {
        let error = Error::failure(message.to_owned()).fact("file", show(&place(path)));
        claim.trimmed.explain(error, &place(path))
    };
    for path in claim.trimmed.kept.keys() {
        let (wanted, found) = (whole.get(path), listing.get(path));
        if found.is_none() {
            return Err(fault("the runtime lacks a file that is demanded of it", path));
        }
        if wanted.map(|entry| &entry.node) != found.map(|entry| &entry.node) {
            return Err(fault("a file of the runtime is not what it is in the whole tree", path));
        }
    }
    let again = trim(&claim.again(&listing))?;
    if let Some(path) = claim.trimmed.kept.keys().find(|path| !again.kept.contains_key(*path)) {
        return Err(fault("nothing in the runtime itself leads to one of its files", path));
    }
    let extra =
        listing.entries().iter().find(|entry| entry.node != Node::Directory && !again.kept.contains_key(&entry.path));
    if let Some(extra) = extra {
        return Err(
            Error::failure("the runtime has a file that nothing asks for").fact("file", show(&place(&extra.path)))
        );
    }
    Ok(again.kept.len())
}
