//! Distribution packages on the page.

use std::fmt::Write as _;

use super::{cell, commands, fact};
use crate::lock::DebsPin;
use crate::text;
use crate::upstream::debs::below;

pub(super) fn debs(page: &mut String, pin: &DebsPin) {
    fact(page, "packages", &pin.packages.len().to_string());
    fact(page, "size", &format!("{} bytes", pin.size()));
    for (name, release) in &pin.releases {
        fact(page, "release", &format!("{name} of {}", text::date(release.date)));
        for url in &release.archives {
            fact(page, "archive", url.as_str());
        }
        fact(page, "InRelease", &release.inrelease.to_string());
        fact(page, "signed by", &release.signed_by);
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
        let url = release.archives.first().and_then(|url| below(url, &format!("dists/{}/InRelease", release.suite)));
        let url = url.map(|url| url.to_string()).unwrap_or_default();
        commands(
            page,
            &[
                &format!("curl -fLo InRelease {}", text::shell_word(&url)),
                &format!("sha256sum InRelease   # {}", release.inrelease.hex()),
                &format!("gpgv --keyring KEYRING InRelease   # a key of {}", release.signed_by),
            ],
        );
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
