//! A small archive of distribution packages: real .deb files, package lists, and an InRelease file with a valid
//! signature.
//!
//! The packages are few, but related in every way that packages are: cycles, alternatives, names that several
//! provide, versions that fit and that do not, conflicts.

mod key;
mod packages;

use std::fmt::Write as _;
use std::io::Write as _;

pub use key::Key;
pub use packages::{Package, usual};

use super::Server;
use super::http::Resource;
use crate::digest::Sha256Digest;
use crate::error::Result;

/// The path of the archive on its server.
pub const ROOT: &str = "/debian";

/// An archive with one suite, `demo`, and one component, `main`.
#[derive(Debug, Clone)]
pub struct DebArchive {
    /// Its packages.
    pub packages: Vec<Package>,
    /// The key that signs it.
    pub key: Key,
    /// `Suite` and `Codename` of its Release file.
    pub suite: String,
    /// `Date` of its Release file, in seconds since 1970.
    pub date: i64,
    /// `Valid-Until` of its Release file, in seconds since 1970.
    pub valid_until: Option<i64>,
    /// True if the lists are also served by their digests.
    pub by_hash: bool,
    /// Compressions of the lists, as suffixes of their names.
    pub endings: Vec<&'static str>,
    /// The form of its signature.
    pub signed: Signed,
    /// Replacements in the text of its Release file, made before it is signed.
    pub edits: Vec<(String, String)>,
}

/// The form of a Release file's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// Inline, in InRelease.
    Inline,
    /// Detached, in Release.gpg.
    Beside,
    /// No signature.
    Not,
}

impl DebArchive {
    /// Creates the usual packages, signed with the usual key, with this date.
    #[must_use]
    pub fn new(date: i64) -> Self {
        Self {
            packages: usual(),
            key: Key::new(1),
            suite: "demo".to_owned(),
            date,
            valid_until: None,
            by_hash: true,
            endings: vec!["", ".gz", ".xz"],
            signed: Signed::Inline,
            edits: Vec::new(),
        }
    }

    /// Serves the archive below `root`, replacing the one there.
    pub fn serve(&self, server: &Server, root: &str) -> Result<()> {
        let mut list = String::new();
        for package in &self.packages {
            let file = package.file();
            let _ = writeln!(list, "{}", package.stanza(&file));
            server.put(&format!("{root}/{}", package.path()), Resource::bytes(file));
        }
        let dists = format!("{root}/dists/{}", self.suite);
        let mut listed = Vec::new();
        for ending in &self.endings {
            let bytes = match *ending {
                ".gz" => gz(&list)?,
                ".xz" => xz(&list)?,
                ".zst" => zstd::encode_all(list.as_bytes(), 3)?,
                ".bz2" => bz2(&list)?,
                _ => list.clone().into_bytes(),
            };
            let name = format!("main/binary-amd64/Packages{ending}");
            let digest = Sha256Digest::of(&bytes);
            listed.push((name.clone(), bytes.len(), digest));
            if self.by_hash {
                let path = format!("{dists}/main/binary-amd64/by-hash/SHA256/{}", digest.hex());
                server.put(&path, Resource::bytes(bytes.clone()));
            }
            server.put(&format!("{dists}/{name}"), Resource::bytes(bytes));
        }
        let edit = |text: String, (from, to): &(String, String)| text.replace(from, to);
        let release = self.edits.iter().fold(self.release(&listed), edit);
        let documents = match self.signed {
            Signed::Inline => vec![("InRelease", self.key.sign(&release, self.date)?)],
            Signed::Beside => {
                vec![("Release.gpg", self.key.sign_beside(release.as_bytes(), self.date)?), ("Release", release.into())]
            }
            Signed::Not => vec![("Release", release.into())],
        };
        for (name, bytes) in documents {
            server.put(&format!("{dists}/{name}"), Resource::bytes(bytes));
        }
        Ok(())
    }

    /// Returns the text of the Release file.
    fn release(&self, listed: &[(String, usize, Sha256Digest)]) -> String {
        let mut text = format!(
            "Origin: Demo\nSuite: {0}\nCodename: {0}\nDate: {1}\nArchitectures: amd64\nComponents: main\n",
            self.suite,
            time(self.date)
        );
        if let Some(until) = self.valid_until {
            let _ = writeln!(text, "Valid-Until: {}", time(until));
        }
        if self.by_hash {
            text.push_str("Acquire-By-Hash: yes\n");
        }
        text.push_str("SHA256:\n");
        for (name, size, digest) in listed {
            let _ = writeln!(text, " {} {size:>8} {name}", digest.hex());
        }
        text
    }
}

fn time(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string()
}

fn gz(text: &str) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes())?;
    Ok(encoder.finish()?)
}

fn xz(text: &str) -> Result<Vec<u8>> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
    encoder.write_all(text.as_bytes())?;
    Ok(encoder.finish()?)
}

fn bz2(text: &str) -> Result<Vec<u8>> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(text.as_bytes())?;
    Ok(encoder.finish()?)
}
