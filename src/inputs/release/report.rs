//! Writes a pinned file of a release to REPRODUCIBLE.md.

use super::ReleasePin;
use crate::inputs::Block;
use crate::page::{codes, fact};
use crate::text;
use crate::upstream::release::ReleaseRequest;

pub(super) fn report(page: &mut String, block: &Block<ReleaseRequest>) {
    let pin = &block.locked;
    fact(page, "repository", &block.requested.url);
    fact(page, "release", &pin.tag);
    if !pin.tags.is_empty() {
        fact(page, "tags", &pin.tags.join(", "));
    }
    fact(page, "commit", &pin.commit);
    if let Some(number) = pin.number {
        fact(page, "build number", &number.to_string());
    }
    if let Some(published) = pin.published {
        fact(page, "published", &text::date(published));
    }
    fact(page, "file", &pin.file);
    if let Some(series) = &pin.rocm {
        fact(page, "made for ROCm", &series.to_string());
    }
    fact(page, "size", &format!("{} bytes", pin.size));
    let by = if pin.vouched {
        "the forge's own answer about the release"
    } else {
        "the first download: the forge gave no digest, so nobody but this lock vouches for the bytes"
    };
    fact(page, "digest from", by);
    pin.archive().report(page, "release");
}

/// Returns sentences about what nobody else verifies.
pub(super) fn unverified(pin: &ReleasePin) -> Vec<String> {
    let file = [pin.file.clone()];
    let built = format!("That {} was built from {} is the word of its publisher.", codes(&file), &pin.commit[..12]);
    let first = (!pin.vouched).then(|| "The forge gave no digest: it is that of the first download.".to_owned());
    std::iter::once(built).chain(first).collect()
}
