//! Pinned distribution packages in REPRODUCIBLE.md and rebuild.sh.

use std::fmt::Write as _;

use super::{DebsPin, ReleasePin};
use crate::page::script::{Script, Word};
use crate::page::{cell, commands, fact};
use crate::text;
use crate::upstream::debs::{DebsRequest, below};

pub(super) fn report(page: &mut String, pin: &DebsPin) {
    fact(page, "packages", &format!("{}, {} bytes", pin.packages.len(), pin.size()));
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
    let _ = writeln!(page, "\nThe way from the signatures to each package stands in the lists at the end.");
}

/// Writes the commands from the signatures to each package. The last is also the list of the packages.
pub(super) fn lists(name: &str, page: &mut String, requested: &DebsRequest, pin: &DebsPin) {
    let _ = writeln!(
        page,
        "\n### Releases of {}\n\nFrom the signatures over the lists to each package: the signature of each Release file, the \
         package lists that it promises, and in `promised` the digests of all packages in them; where the archive still has \
         them, as a snapshot always does.",
        cell(name)
    );
    // What an earlier run left there would vouch for packages of today.
    commands(page, &[": > promised"]);
    for release in pin.releases.values() {
        signed(page, requested, release);
    }
    let _ = writeln!(
        page,
        "\n### Packages of {}\n\nIs each package what it should be, and is it in one of the lists that were verified above?",
        cell(name)
    );
    let mut lines = vec!["while read -r version bytes sha256 url; do".to_owned()];
    for line in [
        r#"  curl -fsSL "$url" | sha256sum | grep -q "^$sha256 " && echo "good $url" || echo "BAD $url, $version""#,
        r#"  grep -qx "$sha256" promised || echo "NOT PROMISED $url, $bytes bytes""#,
    ] {
        lines.push(line.to_owned());
    }
    lines.push("done << 'END'".to_owned());
    for package in &pin.packages {
        let url = pin.urls(package).first().map(ToString::to_string).unwrap_or_default();
        lines.push(format!("{} {} {} {url}", package.version, package.size, package.sha256.hex()));
    }
    lines.push("END".to_owned());
    commands(page, &lines.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Adds the commands that download all packages, with a list of their names.
pub(super) fn rebuild(name: &str, pin: &DebsPin, script: &mut Script) {
    let directory = format!("inputs/{name}");
    script.run(&["mkdir", "-p", &directory]);
    for package in &pin.packages {
        let (file, hex) = (format!("downloads/{}.deb", package.sha256.hex()), package.sha256.hex());
        let urls: Vec<String> = pin.urls(package).iter().map(ToString::to_string).collect();
        script.run(&[vec!["fetch", &file, &hex], urls.iter().map(String::as_str).collect()].concat());
        script.run(&["ln", &file, &format!("{directory}/{}.deb", package.name)]);
    }
    let names: Vec<&str> = pin.packages.iter().map(|package| package.name.as_str()).collect();
    script.command(
        &[vec![Word::Text("printf"), Word::Text("%s\\n")], names.into_iter().map(Word::Text).collect()]
            .concat()
            .into_iter()
            .chain([Word::Shell(">"), Word::Text(&format!("{directory}/names"))])
            .collect::<Vec<_>>(),
    );
}

/// Returns the commands that verify the signature of the Release file and, with it, the digests of the lists and
/// packages.
fn signed(page: &mut String, requested: &DebsRequest, release: &ReleasePin) {
    let directory = release.archives.first().and_then(|url| below(url, &format!("dists/{}/", release.suite)));
    let directory = directory.map(|url| url.to_string()).unwrap_or_default();
    let mut lines = vec![format!("dists={}", text::shell_word(&directory))];
    let documents =
        [("InRelease", release.inrelease), ("Release", release.release), ("Release.gpg", release.signature)];
    for (name, digest) in documents.iter().filter_map(|(name, digest)| Some((*name, (*digest)?))) {
        lines.push(format!("curl -fsSLo {name} \"${{dists}}{name}\""));
        lines.push(format!("sha256sum {name}   # {}", digest.hex()));
    }
    let (document, signed) =
        if release.inrelease.is_some() { ("InRelease", "InRelease") } else { ("Release", "Release.gpg Release") };
    if let Some(key) = &release.signed_by {
        lines.push(keyring(requested, key));
        // Others may have signed it too, whose keys are not here: one good signature counts, as for apt.
        lines.push(format!(
            "gpgv --status-fd 1 --keyring ./archive-keys.gpg {signed} | grep -E 'VALIDSIG .*{key}'   # signed by {key}"
        ));
    }
    let components = if requested.components.is_empty() { "[^ ]+".to_owned() } else { requested.components.join("|") };
    lines.push(kinds(document, &requested.architecture));
    lines.push(format!(
        r#"lists=$(grep -oE " ({components})/binary-($kinds)/Packages\b" {document} | grep -v debian-installer | sort -u)"#
    ));
    for line in [
        "for list in $lists; do",
        // The smallest form that the Release file lists and the archive has: .xz, .gz, or uncompressed.
        r#"  for path in "$list.xz" "$list.gz" "$list"; do"#,
        r#"    promise=$(grep -E "^ [0-9a-f]{64} +[0-9]+ $path$" DOCUMENT | cut -c2-65) || continue"#,
        // By its digest first, as the archive promises it: a mirror that is being updated has another list under the name.
        r#"    hashed="$dists${path%/*}/by-hash/SHA256/$promise""#,
        r#"    curl -fsSLo list "$hashed" 2> /dev/null || curl -fsSLo list "$dists$path" || continue"#,
        r#"    echo "$promise  list" | sha256sum --quiet -c && echo "good $path" || echo "BAD $path""#,
        r"    case $path in *.xz) xz -dc list ;; *.gz) gzip -dc list ;; *) cat list ;; esac | sed -n 's/^SHA256: //p' >> promised",
        "    break",
        "  done",
        "done",
    ] {
        lines.push(line.replace("DOCUMENT", document));
    }
    commands(page, &lines.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Returns the command that sets `kinds` to the architectures whose lists are read: those alone, since a mirror may be
/// behind with others. The rule is that of [`Release::separate_all`].
///
/// [`Release::separate_all`]: crate::upstream::debs::release::Release::separate_all
fn kinds(document: &str, architecture: &str) -> String {
    format!(
        "grep -qE '^Architectures:(.* )?all( |$)' {document} && ! grep -q '^No-Support-for-Architecture-all: Packages' \
         {document} && kinds='{architecture}|all' || kinds={architecture}"
    )
}

/// Returns the command that writes an archive's keys to `archive-keys.gpg`: from the manifest's file, or by
/// fingerprint.
fn keyring(requested: &DebsRequest, key: &str) -> String {
    match &requested.keyring {
        // The keyring may be armored, which gpgv does not read.
        Some(file) => {
            let file = text::shell_word(&format!("manifests/{file}"));
            format!("gpg --dearmor < {file} > archive-keys.gpg 2> /dev/null || cp {file} archive-keys.gpg")
        }
        // This machine's own keyrings may have it; a fingerprint identifies a key wherever it comes from.
        None => format!(
            "for ring in /usr/share/keyrings/*.[gp][pg]* /etc/apt/trusted.gpg.d/*.gpg; do gpg --no-default-keyring --keyring \
             \"$ring\" --export {key}; done > archive-keys.gpg 2> /dev/null; [ -s archive-keys.gpg ] || gpg \
             --no-default-keyring --keyring ./archive-keys.gpg --keyserver hkps://keyserver.ubuntu.com --recv-keys {key}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::kinds;
    use crate::upstream::debs::release::Release;

    #[test]
    fn the_page_reads_the_lists_that_update_reads() {
        let directory = tempfile::tempdir().unwrap();
        for fields in [
            "Architectures: all amd64 arm64\n",
            "Architectures: amd64 all\n",
            "Architectures: all amd64\nNo-Support-for-Architecture-all: Packages\n",
            "Architectures: all amd64\nNo-Support-for-Architecture-all: Translations\n",
            // As bookworm-security has it, with a digest of a list for `all` that its mirrors do not keep.
            "Architectures: amd64 arm64 armhf i386 ppc64el\n",
            "Architectures: amd64 small\n",
            "Suite: stable\n",
        ] {
            let zeros = "0".repeat(64);
            let text = format!("{fields}SHA256:\n {zeros} 12 main/binary-all/Packages.xz\n");
            std::fs::write(directory.path().join("Release"), &text).unwrap();
            let line = format!("set -e; {}; echo \"$kinds\"", kinds("Release", "amd64"));
            let ran = Command::new("sh").args(["-c", &line]).current_dir(directory.path()).output().unwrap();
            let expected = if Release::parse(text.as_bytes()).unwrap().separate_all { "amd64|all" } else { "amd64" };
            assert_eq!(String::from_utf8(ran.stdout).unwrap().trim(), expected, "{fields}");
        }
    }
}
