//! A pinned ROCm tarball in REPRODUCIBLE.md and rebuild.sh.

use super::RocmPin;
use crate::inputs::archive::Archive;
use crate::page::script::Script;
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
    // Another tarball is unpacked to another directory.
    let directory = format!("rocm-{}", &pin.sha256.hex()[..12]);
    let [nar, tree] = pin.tree.commands(&directory);
    let url = pin.urls.first().map(ToString::to_string).unwrap_or_default();
    commands(
        page,
        &[
            &format!("curl -fLo {} {}", text::shell_word(&pin.file), text::shell_word(&url)),
            &format!("echo '{}  {}' | sha256sum -c", pin.sha256.hex(), pin.file),
            &format!("mkdir {directory} && tar -xzf {} -C {directory} --no-same-owner", text::shell_word(&pin.file)),
            &nar,
            &tree,
        ],
    );
}

/// Returns sentences about what nobody else verifies.
pub(super) fn unverified(pin: &RocmPin) -> Vec<String> {
    let mut all = vec![format!(
        "AMD signs no tarball and publishes no digest: that of `{}` is the digest of the first download.",
        crate::page::cell(&pin.file)
    )];
    if pin.therock.is_some() {
        all.push("The commits of TheRock are the tarball's own words.".to_owned());
    }
    all
}

/// Adds the commands that unpack the tarball.
pub(super) fn rebuild(name: &str, pin: &RocmPin, script: &mut Script) {
    let (urls, sha256) = (&pin.urls, pin.sha256);
    Archive { file: &pin.file, urls, sha256, wrapped: false, tree: &pin.tree }.rebuild(name, script);
}
