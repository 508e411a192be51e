//! Writes a pinned ROCm tarball to REPRODUCIBLE.md.

use super::RocmPin;
use crate::page::{commands, fact};
use crate::text;

pub(super) fn report(page: &mut String, pin: &RocmPin) {
    fact(page, "file", &pin.file);
    fact(page, "version", &pin.version.to_string());
    if let Some(mtime) = pin.mtime {
        fact(page, "made", &text::date(mtime));
    }
    fact(page, "size", &format!("{} bytes", pin.size));
    fact(page, "digest", &pin.sha256.to_string());
    for url in &pin.urls {
        fact(page, "url", url.as_str());
    }
    pin.tree.report(page);
    if let Some(therock) = &pin.therock {
        fact(page, "TheRock", &therock.commit);
        for (name, commit) in &therock.submodules {
            fact(page, "submodule", &format!("{name} {commit}"));
        }
    }
    let [nar, tree] = pin.tree.commands("rocm");
    let url = pin.urls.first().map(ToString::to_string).unwrap_or_default();
    commands(
        page,
        &[
            &format!("curl -fLo {} {}", text::shell_word(&pin.file), text::shell_word(&url)),
            &format!("echo '{}  {}' | sha256sum -c", pin.sha256.hex(), pin.file),
            &format!("mkdir rocm && tar -xzf {} -C rocm --no-same-owner", text::shell_word(&pin.file)),
            &nar,
            &tree,
        ],
    );
}
