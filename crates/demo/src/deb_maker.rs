//! Makes `.deb` files from a description: real ones with every compression, and malformed ones that no honest tool
//! would write.
//!
//! Equal descriptions give equal bytes.

use std::io::Write as _;

use tar::EntryType;

use crate::raw_tar::{RawEntry, raw_tar};

pub use crate::tree::Compression;

/// The description of a package.
#[derive(Clone, Debug)]
pub struct Deb {
    control: String,
    info: Vec<RawEntry>,
    data: Vec<RawEntry>,
    compression: Compression,
}

impl Deb {
    /// Creates a package without files, for any architecture.
    #[must_use]
    pub fn new(package: &str, version: &str) -> Self {
        let control = format!("Package: {package}\nVersion: {version}\n");
        Self { control, info: Vec::new(), data: Vec::new(), compression: Compression::Xz }.field("Architecture", "all")
    }

    /// Replaces the control file, keeping the files.
    #[must_use]
    pub fn described(mut self, control: &str) -> Self {
        control.clone_into(&mut self.control);
        self
    }

    /// Sets a field of the control file.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        let head = format!("{name}:");
        let kept = self.control.lines().filter(|line| !line.starts_with(&head));
        let kept: Vec<String> = kept.map(str::to_owned).chain([format!("{name}: {value}")]).collect();
        self.control = kept.join("\n") + "\n";
        self
    }

    /// Sets the compression of both archives; xz by default.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Adds a file beside the control file, such as `postinst`.
    #[must_use]
    pub fn info(mut self, name: &str, text: &str) -> Self {
        self.info.push(RawEntry::new(EntryType::Regular, format!("./{name}"), "", text.as_bytes(), 0o755));
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(self, path: &str, contents: &[u8]) -> Self {
        self.entry(EntryType::Regular, format!("./{path}"), "", contents, 0o644)
    }

    /// Adds an executable file.
    #[must_use]
    pub fn program(self, path: &str, contents: &[u8]) -> Self {
        self.entry(EntryType::Regular, format!("./{path}"), "", contents, 0o755)
    }

    /// Adds a directory.
    #[must_use]
    pub fn directory(self, path: &str) -> Self {
        self.entry(EntryType::Directory, format!("./{path}/"), "", b"", 0o755)
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, format!("./{path}"), target, b"", 0o777)
    }

    /// Adds an entry with exactly these fields.
    #[must_use]
    pub fn entry(mut self, kind: EntryType, name: impl AsRef<[u8]>, target: &str, contents: &[u8], mode: u32) -> Self {
        self.data.push(RawEntry::new(kind, name, target, contents, mode));
        self
    }

    /// Returns the bytes of the `.deb`.
    #[must_use]
    pub fn make(&self) -> Vec<u8> {
        ar(&self.members())
    }

    /// Returns the members of the `ar` archive: names and bytes.
    #[must_use]
    pub fn members(&self) -> Vec<(String, Vec<u8>)> {
        let suffix = |compression| match compression {
            Compression::Plain => "",
            Compression::Gzip => ".gz",
            Compression::Xz => ".xz",
            Compression::Zstd => ".zst",
            Compression::Bzip2 => ".bz2",
            Compression::Lzma => ".lzma",
        };
        // No control archive has this compression, even in packages whose data does.
        let old = matches!(self.compression, Compression::Bzip2 | Compression::Lzma);
        let for_control = if old { Compression::Gzip } else { self.compression };
        let control = RawEntry::new(EntryType::Regular, "./control", "", self.control.as_bytes(), 0o644);
        let info: Vec<RawEntry> = std::iter::once(control).chain(self.info.clone()).collect();
        vec![
            ("debian-binary".to_owned(), b"2.0\n".to_vec()),
            (format!("control.tar{}", suffix(for_control)), compress(&raw_tar(&info), for_control)),
            (format!("data.tar{}", suffix(self.compression)), compress(&raw_tar(&self.data), self.compression)),
        ]
    }
}

/// Returns an `ar` archive of these members.
#[must_use]
pub fn ar(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, bytes) in members {
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "100644", bytes.len());
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(bytes);
        if bytes.len() % 2 == 1 {
            out.push(b'\n');
        }
    }
    out
}

/// Compresses bytes in memory, where writing cannot fail.
#[must_use]
pub fn compress(bytes: &[u8], compression: Compression) -> Vec<u8> {
    match compression {
        Compression::Plain => bytes.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
        }
        Compression::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
        }
        Compression::Zstd => zstd::encode_all(bytes, 3).unwrap_or_default(),
        Compression::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
        }
        Compression::Lzma => {
            let stream = liblzma::stream::LzmaOptions::new_preset(1)
                .and_then(|options| liblzma::stream::Stream::new_lzma_encoder(&options));
            let Ok(stream) = stream else { return Vec::new() };
            let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
            encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
        }
    }
}
