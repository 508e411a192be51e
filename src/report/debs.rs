//! Distribution packages on the page.

use std::fmt::Write as _;

use super::{cell, commands, fact};
use crate::lock::{DebsPin, ReleasePin};
use crate::text;
use crate::upstream::debs::below;

pub(super) fn debs(page: &mut String, pin: &DebsPin) {
    fact(page, "packages", &pin.packages.len().to_string());
    fact(page, "size", &format!("{} bytes", pin.size()));
    for (name, release) in &pin.releases {
        fact(page, "release", &format!("{name} of {}", release.made()));
        for url in &release.archives {
            fact(page, "archive", url.as_str());
        }
        let documents =
            [("InRelease", release.inrelease), ("Release", release.release), ("Release.gpg", release.signature)];
        for (name, digest) in documents.iter().filter_map(|(name, digest)| Some((name, (*digest)?))) {
            fact(page, name, &digest.to_string());
        }
        let nobody = "nobody, which the manifest allows (unsigned = true)";
        fact(page, "signed by", release.signed_by.as_deref().unwrap_or(nobody));
    }
    let _ = writeln!(page, "\n| package | version | architecture | bytes | sha256 |\n| --- | --- | --- | --- | --- |");
    for one in &pin.packages {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | `{}` |",
            cell(&one.name),
            cell(one.version.as_str()),
            cell(&one.architecture),
            one.size,
            one.sha256.hex()
        );
    }
    let _ = writeln!(
        page,
        "\nEach package by its digest; and, where the archive still has it (a snapshot always does), the Release file that named them:"
    );
    for release in pin.releases.values() {
        let lines = document_commands(release);
        commands(page, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let mut lines = vec!["while read -r sha256 url; do".to_owned()];
    lines.push(
        "  curl -fsSL \"$url\" | sha256sum | grep -q \"^$sha256 \" && echo \"good $url\" || echo \"BAD $url\""
            .to_owned(),
    );
    lines.push("done << 'END'".to_owned());
    for package in &pin.packages {
        let url = pin.urls(package).first().map(ToString::to_string).unwrap_or_default();
        lines.push(format!("{} {url}", package.sha256.hex()));
    }
    lines.push("END".to_owned());
    commands(page, &lines.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Fetches the documents of a release and checks their digests and signature.
fn document_commands(release: &ReleasePin) -> Vec<String> {
    let mut lines = Vec::new();
    let documents =
        [("InRelease", release.inrelease), ("Release", release.release), ("Release.gpg", release.signature)];
    for (name, digest) in documents.iter().filter_map(|(name, digest)| Some((*name, (*digest)?))) {
        let url = release.archives.first().and_then(|url| below(url, &format!("dists/{}/{name}", release.suite)));
        let url = url.map(|url| url.to_string()).unwrap_or_default();
        lines.push(format!("curl -fLo {name} {}", text::shell_word(&url)));
        lines.push(format!("sha256sum {name}   # {}", digest.hex()));
    }
    if let Some(by) = &release.signed_by {
        let documents = if release.inrelease.is_some() { "InRelease" } else { "Release.gpg Release" };
        lines.push(format!("gpgv --keyring KEYRING {documents}   # a key of {by}"));
    }
    lines
}
