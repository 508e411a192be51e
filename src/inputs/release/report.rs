//! Writes a pinned file of a release to REPRODUCIBLE.md.

use crate::inputs::Block;
use crate::page::{commands, fact};
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
    fact(page, "digest", &pin.sha256.to_string());
    let by = if pin.vouched {
        "the forge's own answer about the release"
    } else {
        "the first download: the forge gave no digest, so nobody but this lock vouches for the bytes"
    };
    fact(page, "digest from", by);
    for url in &pin.urls {
        fact(page, "url", url.as_str());
    }
    pin.tree.report(page);
    let [nar, tree] = pin.tree.commands("release");
    let url = pin.urls.first().map(ToString::to_string).unwrap_or_default();
    let file = text::shell_word(&pin.file);
    commands(
        page,
        &[
            &format!("curl -fLo {file} {}", text::shell_word(&url)),
            &format!("echo '{}  {}' | sha256sum -c", pin.sha256.hex(), pin.file.replace('\'', "'\\''")),
            &format!("mkdir release && tar -xf {file} -C release --no-same-owner"),
            &nar,
            &tree,
        ],
    );
}
