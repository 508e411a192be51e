//! Unpacks one archive of any origin as inputs are unpacked: `unpack tarball|package|layer FILE PLACE`.
//!
//! `scripts/corpora` uses this for archives that no lock names. PLACE is an empty directory; the tree is put there,
//! or into `tree` below it. Prints one line of JSON: the tree or the error, and the memory that was needed. Exits
//! with strixlock's exit codes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use strixlock_formats::deb::{self, Deb, DebVersion, Links};
use strixlock_formats::oci::LayerFile;
use strixlock_formats::oci::apply::apply;
use strixlock_formats::tree::unpack::unpack;
use strixlock_formats::tree::{Compression, Limits, Listing};
use strixlock_ground::digest::{Sha256Digest, hash_reader};
use strixlock_ground::error::{Error, Kind, Result};
use strixlock_ground::progress::{Doing, Progress as _, Silent, Unit};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tarball", file, place] => tarball(Path::new(file), Path::new(place)),
        ["package", file, place] => package(Path::new(file), Path::new(place)),
        ["layer", file, place] => layer(Path::new(file), Path::new(place)),
        _ => Err(Error::new(Kind::Usage, "unpack tarball|package|layer FILE PLACE")),
    };
    let (mut told, code) = match &done {
        Ok(listing) => {
            (serde_json::json!({ "tree": listing.digest().to_string(), "entries": listing.entries().len() }), 0)
        }
        Err(error) => (serde_json::json!({ "error": error.to_json() }), error.kind() as u8),
    };
    told["peak_kib"] = peak().into();
    println!("{told}");
    ExitCode::from(code)
}

fn tarball(file: &Path, place: &Path) -> Result<Listing> {
    Ok(unpack(fs_err::File::open(file)?, place, Limits::default())?.listing)
}

/// Unpacks a package with `Package: corpus` and `Version: 1`.
fn package(file: &Path, place: &Path) -> Result<Listing> {
    let version = DebVersion::parse("1").ok_or_else(|| Error::failure("invalid version"))?;
    let deb = Deb { name: "corpus".to_owned(), version, path: file.to_owned() };
    let links = Links { wanted: &BTreeMap::new(), usual: &[] };
    Ok(deb::unpack(&[deb], &links, place, &Silent)?.listing)
}

/// Unpacks a layer with the diff id that it really has. If it cannot be decompressed there is no digest, and
/// unpacking refuses it.
fn layer(path: &Path, place: &Path) -> Result<Listing> {
    let mut kind = Compression::Plain;
    let mut diff_id = Sha256Digest::of(b"");
    if let Some((found, stream)) = Compression::detect(fs_err::File::open(path)?)? {
        kind = found;
        diff_id =
            found.decoder(stream).ok().and_then(|plain| hash_reader(plain).ok()).map_or(diff_id, |(digest, _)| digest);
    }
    let media_type = match kind {
        Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        _ => "application/vnd.oci.image.layer.v1.tar",
    };
    let task = Silent.begin(Doing::Unpack, "layers", Some(1), Unit::Steps);
    Ok(apply(&[LayerFile { path, media_type, diff_id }], place, &*task)?.listing)
}

/// Returns the peak memory of this process.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
