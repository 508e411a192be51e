//! Files that maintainer scripts would have created and that programs in a container expect: users and groups,
//! certificates, PAM's common files, `/tmp`. A base image has all of them. A sysroot lacks them, since nothing was run
//! in it.
//!
//! They depend on the base's files alone, and replace no file of the base.

use std::collections::BTreeMap;

use serde_json::Value;

use super::image::MODES;
use crate::error::Result;
use crate::oci::layer::Small;
use crate::text::shell_quoted;

/// The root file system that an image is based on.
pub trait Base {
    /// Returns the paths of all entries.
    fn names(&self) -> Vec<&str>;
    /// Returns true if the path exists.
    fn has(&self, path: &str) -> bool;
    /// Returns the contents of a file, if it exists.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>>;
}

/// Templates in packages, and the paths to which maintainer scripts copy them.
const COPIES: [(&str, &str); 6] = [
    ("usr/share/base-passwd/passwd.master", "etc/passwd"),
    ("usr/share/base-passwd/group.master", "etc/group"),
    ("usr/share/base-files/nsswitch.conf", "etc/nsswitch.conf"),
    ("usr/share/base-files/profile", "etc/profile"),
    ("usr/share/base-files/dot.bashrc", "root/.bashrc"),
    ("usr/share/base-files/dot.profile", "root/.profile"),
];

/// Files and their contents for bases whose packages have no template.
const FALLBACKS: [(&str, &str); 2] = [
    ("etc/passwd", "root:*:0:0:root:/root:/bin/sh\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"),
    ("etc/group", "root:*:0:\ntty:*:5:\nvideo:*:44:\nusers:*:100:\nnogroup:*:65534:\n"),
];

/// PAM's common files, as pam-auth-update writes them for `pam_unix` alone.
const PAM: [(&str, &str); 5] = [
    ("etc/pam.d/common-account", "account required pam_unix.so\n"),
    ("etc/pam.d/common-auth", "auth required pam_unix.so nullok\n"),
    ("etc/pam.d/common-password", "password required pam_unix.so obscure yescrypt\n"),
    ("etc/pam.d/common-session", "session required pam_unix.so\n"),
    ("etc/pam.d/common-session-noninteractive", "session required pam_unix.so\n"),
];

/// Directories that every system has.
const DIRECTORIES: [&str; 3] = ["root", "tmp", "var/tmp"];

/// The directory of ca-certificates, and the file that its script makes of the certificates there.
const CERTIFICATES: (&str, &str) = ("usr/share/ca-certificates/", "etc/ssl/certs/ca-certificates.crt");

/// The file that OpenSSL reads by itself, which some versions of its package have as a link to the one above. The
/// directory of links by hash beside it is not made.
const OPENSSL: &str = "usr/lib/ssl/cert.pem";

/// Returns everything that [`missing_files`] may add, as data.
#[must_use]
pub fn tables() -> Value {
    serde_json::json!({
        "copies": COPIES, "fallbacks": FALLBACKS, "pam": PAM, "directories": DIRECTORIES, "certificates": CERTIFICATES,
        "openssl": OPENSSL,
    })
}

/// Returns the files that a base lacks, by path. The certificates are trusted besides those of the base, in a file that
/// may take the place of the base's own.
pub fn missing_files(base: &dyn Base, certificates: &[u8]) -> Result<BTreeMap<String, Small>> {
    let mut files = BTreeMap::new();
    let mut add = |path: &str, contents: Vec<u8>| {
        if !files.contains_key(path) && !base.has(path) {
            put(&mut files, path, contents);
        }
    };
    for (from, to) in COPIES {
        if let Some(contents) = base.read(from)? {
            add(to, contents);
        }
    }
    for (path, contents) in FALLBACKS {
        add(path, contents.as_bytes().to_vec());
    }
    if base.has("usr/share/pam/common-auth") {
        for (path, contents) in PAM {
            add(path, contents.as_bytes().to_vec());
        }
    }
    let mut trusted = base.read(CERTIFICATES.1)?.unwrap_or_default();
    let own = trusted.is_empty();
    for name in base
        .names()
        .into_iter()
        .filter(|name| own && name.starts_with(CERTIFICATES.0) && name.split('.').next_back() == Some("crt"))
    {
        trusted.extend(base.read(name)?.unwrap_or_default());
        end_line(&mut trusted);
    }
    end_line(&mut trusted);
    trusted.extend(certificates);
    if !trusted.is_empty() {
        add(OPENSSL, trusted.clone());
        if !certificates.is_empty() || !base.has(CERTIFICATES.1) {
            put(&mut files, CERTIFICATES.1, trusted);
        }
    }
    for path in DIRECTORIES {
        directories(&mut files, path);
    }
    Ok(files)
}

/// Ends a text with a line feed, unless it is empty.
fn end_line(text: &mut Vec<u8>) {
    if text.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
}

/// Adds a file, with the directories above it.
pub fn put(files: &mut BTreeMap<String, Small>, path: &str, contents: Vec<u8>) {
    if let Some((above, _)) = path.rsplit_once('/') {
        directories(files, above);
    }
    files.insert(path.to_owned(), Small { mode: mode(path, 0o644), contents: Some(contents) });
}

/// Adds a directory and those above it. For directories that the base has, this changes nothing: the modes are the
/// same.
fn directories(files: &mut BTreeMap<String, Small>, path: &str) {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    for end in ends {
        let path = &path[..end];
        files.insert(path.to_owned(), Small { mode: mode(path, 0o755), contents: None });
    }
}

fn mode(path: &str, usual: u32) -> u32 {
    MODES.iter().find(|(known, _)| *known == path).map_or(usual, |(_, mode)| *mode)
}

/// Returns a script that sets the variables in login shells, which start from the system's own PATH.
#[must_use]
pub fn profile(variables: &BTreeMap<String, String>) -> Vec<u8> {
    let lines: Vec<String> =
        variables.iter().map(|(name, value)| format!("export {name}={}\n", shell_quoted(value))).collect();
    lines.concat().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Base for BTreeMap<&str, &str> {
        fn names(&self) -> Vec<&str> {
            self.keys().copied().collect()
        }

        fn has(&self, path: &str) -> bool {
            self.contains_key(path)
        }

        fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
            Ok(self.get(path).map(|text| text.as_bytes().to_vec()))
        }
    }

    #[test]
    fn what_scripts_would_have_written_is_there_and_what_packages_have_stays() {
        let base = BTreeMap::from([
            ("etc/profile", "kept"),
            ("usr/share/base-files/profile", "not taken"),
            ("usr/share/base-passwd/passwd.master", "root:*:0:0:root:/root:/bin/bash\n"),
            ("usr/share/ca-certificates/mozilla/a.crt", "A"),
            ("usr/share/ca-certificates/mozilla/b.crt", "B\n"),
            ("usr/share/pam/common-auth", "template"),
        ]);
        let files = missing_files(&base, b"").unwrap();
        let text = |path: &str| String::from_utf8(files[path].contents.clone().unwrap()).unwrap();
        assert_eq!(text("etc/passwd"), "root:*:0:0:root:/root:/bin/bash\n");
        assert!(text("etc/group").contains("video"));
        assert_eq!(text("etc/ssl/certs/ca-certificates.crt"), "A\nB\n");
        assert_eq!(text("usr/lib/ssl/cert.pem"), "A\nB\n");
        assert!(text("etc/pam.d/common-auth").contains("pam_unix"));
        assert!(!files.contains_key("etc/profile"));
        assert_eq!((files["tmp"].mode, files["root"].mode, files["etc/ssl"].mode), (0o1777, 0o700, 0o755));
        // A directory comes before its contents.
        assert!(files.keys().position(|path| path == "var") < files.keys().position(|path| path == "var/tmp"));
    }

    #[test]
    fn own_certificates_come_behind_those_of_the_base() {
        let bundle = |base: &[(&'static str, &'static str)], own: &[u8]| {
            let files = missing_files(&base.iter().copied().collect::<BTreeMap<_, _>>(), own).unwrap();
            let text = |path: &str| Some(String::from_utf8(files.get(path)?.contents.clone()?).unwrap());
            (text(CERTIFICATES.1), text(OPENSSL))
        };
        let packaged = ("usr/share/ca-certificates/mozilla/a.crt", "A");
        let both = Some("A\nX\n".to_owned());
        assert_eq!(bundle(&[packaged], b"X\n"), (both.clone(), both.clone()));
        // A root with a bundle of its own keeps it, unless there is something to add.
        assert_eq!(bundle(&[packaged, (CERTIFICATES.1, "A"), (OPENSSL, "")], b""), (None, None));
        assert_eq!(bundle(&[packaged, (CERTIFICATES.1, "A"), (OPENSSL, "")], b"X\n"), (both, None));
        assert_eq!(bundle(&[], b"X\n").0.as_deref(), Some("X\n"));
        assert_eq!(bundle(&[], b""), (None, None));
    }

    #[test]
    fn values_cannot_leave_their_quotes() {
        let variables = BTreeMap::from([("A".to_owned(), "it's $(x)".to_owned())]);
        assert_eq!(profile(&variables), b"export A='it'\\''s $(x)'\n");
    }
}
