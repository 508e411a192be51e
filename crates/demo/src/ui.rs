//! Web UIs of llama.cpp's builds, as they are published: a compressed tar archive of a few small files.

use std::io::Write as _;

use crate::error::Result;
use crate::raw_tar::{RawEntry, raw_tar};

/// Returns the page of a build's web UI.
#[must_use]
pub fn page(number: u64) -> String {
    format!("<!doctype html><title>llama.cpp b{number}</title>\n")
}

/// Returns the files of the web UI of a build.
#[must_use]
pub fn bundle(number: u64) -> Vec<RawEntry> {
    vec![
        RawEntry::directory("./"),
        RawEntry::file("./index.html", page(number).as_bytes()),
        RawEntry::file("./sw.js", b"// nothing is kept\n"),
        RawEntry::directory("./_app/"),
        RawEntry::file("./_app/bundle.1a2b.js", format!("const build = {number};\n").as_bytes()),
    ]
}

/// Packs files into the archive of a bundle.
pub fn packed(files: &[RawEntry]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&raw_tar(files))?;
    Ok(encoder.finish()?)
}
