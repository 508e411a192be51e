//! The packages of the demo archive.

use crate::deb_maker::Deb;
use crate::digest::Sha256Digest;
use crate::tree::Compression;

/// A package to be made.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Further fields of its control file.
    pub fields: Vec<(String, String)>,
    /// Its files; `None` for one file that names the package.
    pub holds: Option<Deb>,
}

impl Package {
    /// Creates a package with these fields, each `Name: value`.
    #[must_use]
    pub fn new(name: &str, version: &str, fields: &[&str]) -> Self {
        let field = |text: &&str| text.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        let fields = fields.iter().filter_map(field).collect();
        Self { name: name.to_owned(), version: version.to_owned(), fields, holds: None }
    }

    /// Sets the files of the package.
    #[must_use]
    pub fn holding(self, deb: Deb) -> Self {
        Self { holds: Some(deb), ..self }
    }

    /// Returns the control file.
    #[must_use]
    pub fn control(&self) -> String {
        let mut text = format!("Package: {}\nVersion: {}\nArchitecture: amd64\n", self.name, self.version);
        text.push_str("Maintainer: Nobody <nobody@localhost>\n");
        for (name, value) in &self.fields {
            text.extend([name.as_str(), ": ", value.as_str(), "\n"]);
        }
        text.push_str("Description: a package of the demo archive\n It holds a file or two.\n");
        text
    }

    /// Returns the bytes of the `.deb`. Packages differ in their compression, so that each compression occurs.
    #[must_use]
    pub fn file(&self) -> Vec<u8> {
        let compression = [Compression::Xz, Compression::Zstd, Compression::Gzip][self.name.len() % 3];
        let about = format!("{} {}\n", self.name, self.version);
        let document = format!("usr/share/doc/{}/version", self.name);
        let usual = || Deb::new(&self.name, &self.version).compression(compression).file(&document, about.as_bytes());
        self.holds.clone().unwrap_or_else(usual).described(&self.control()).make()
    }

    /// Returns its path below the archive's root: without the epoch, as in all archives.
    #[must_use]
    pub fn path(&self) -> String {
        let version = self.version.split_once(':').map_or(self.version.as_str(), |(_, version)| version);
        format!("pool/main/{}/{}_{version}_amd64.deb", self.name, self.name)
    }

    /// Returns its stanza in the package list.
    #[must_use]
    pub fn stanza(&self, file: &[u8]) -> String {
        let digest = Sha256Digest::of(file).hex();
        format!("{}Filename: {}\nSize: {}\nSHA256: {digest}\n", self.control(), self.path(), file.len())
    }
}

/// Returns the usual packages.
#[must_use]
pub fn usual() -> Vec<Package> {
    [
        Package::new("hello", "2.10-3", &["Depends: libc6 (>= 2.34)"]),
        // A cycle, as in every distribution.
        Package::new("libc6", "2.36-9+deb12u14", &["Depends: libgcc-s1", "Multi-Arch: same"]),
        Package::new("libgcc-s1", "12.2.0-14", &["Depends: gcc-12-base (= 12.2.0-14), libc6 (>= 2.35)"]),
        Package::new("gcc-12-base", "12.2.0-14", &[]),
        Package::new("gcc", "4:12.2.0-3", &["Pre-Depends: libc6", "Depends: cpp (= 4:12.2.0-3), binutils"]),
        Package::new("cpp", "4:12.2.0-3", &["Depends: libc6"]),
        Package::new("binutils", "2.40-2", &["Depends: libc6 (>= 2.36)", "Recommends: gcc"]),
        // Two packages provide one name: the higher priority wins.
        Package::new("gawk", "1:5.2.1-2", &["Provides: awk (= 5)", "Priority: optional"]),
        Package::new("mawk", "1.3.4.20200120-3.1", &["Provides: awk", "Priority: required"]),
        Package::new("script", "1.0", &["Depends: awk"]),
        Package::new("script-new", "1.0", &["Depends: awk (>= 4)"]),
        // The first alternative cannot be installed, so the second is taken.
        Package::new("writer", "1.0", &["Depends: vim | nano"]),
        Package::new("vim", "2:9.0-1", &["Depends: vim-common (>= 2:9.0-1)"]),
        Package::new("vim-common", "2:8.2-1", &[]),
        Package::new("nano", "7.2-1", &[]),
        Package::new("python3", "3.11.2-1+b1", &["Multi-Arch: allowed"]),
        Package::new("tool", "1.0~rc1-1", &["Depends: python3:any"]),
        Package::new("exim", "4.96-15", &["Provides: mail-transport-agent", "Conflicts: mail-transport-agent"]),
        Package::new("postfix", "3.7.11-0", &["Provides: mail-transport-agent", "Conflicts: mail-transport-agent"]),
        Package::new("mailer", "1.0", &["Depends: exim, notifier"]),
        Package::new("notifier", "1.0", &["Depends: postfix"]),
        Package::new("top", "1.0", &["Depends: middle"]),
        Package::new("middle", "1.5", &["Depends: bottom (>= 3)"]),
        Package::new("bottom", "2.0-1", &[]),
    ]
    .into()
}
