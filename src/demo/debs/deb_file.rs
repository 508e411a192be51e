//! Makes a .deb file: an `ar` archive of a version, a control archive and a data archive.

use std::io::Write as _;

use super::packages::Package;
use crate::error::Result;
use crate::tree::beneath::MTIME;

/// The same bytes for the same package, always. Data archives are compressed in turns as archives compress them.
pub(super) fn make(package: &Package) -> Result<Vec<u8>> {
    let control = tar(&[("./control", &package.control())])?;
    let about = format!("{} {}\n", package.name, package.version);
    let document = format!("./usr/share/doc/{}/version", package.name);
    let data = tar(&[(&document, &about)])?;
    let (ending, data) = match package.name.len() % 3 {
        0 => ("xz", xz(&data)?),
        1 => ("zst", zstd::encode_all(data.as_slice(), 3)?),
        _ => ("gz", gz(&data)?),
    };
    let mut file = b"!<arch>\n".to_vec();
    member(&mut file, "debian-binary", b"2.0\n");
    member(&mut file, "control.tar.gz", &gz(&control)?);
    member(&mut file, &format!("data.tar.{ending}"), &data);
    Ok(file)
}

fn member(file: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    let header = format!("{name:<16}{MTIME:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, "100644", bytes.len());
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(bytes);
    if bytes.len() % 2 == 1 {
        file.push(b'\n');
    }
}

/// The files with the directories above them.
fn tar(files: &[(&str, &str)]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.sparse(false);
    for (path, text) in files {
        let mut at = 0;
        while let Some(next) = path[at..].find('/') {
            at += next + 1;
            append(&mut archive, tar::EntryType::Directory, &path[..at], b"", 0o755)?;
        }
        append(&mut archive, tar::EntryType::Regular, path, text.as_bytes(), 0o644)?;
    }
    Ok(archive.into_inner()?)
}

fn append(
    archive: &mut tar::Builder<Vec<u8>>,
    kind: tar::EntryType,
    path: &str,
    bytes: &[u8],
    mode: u32,
) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(MTIME as u64);
    header.set_size(bytes.len() as u64);
    // Names in packages begin with `./`, which the library would take away.
    let name = header.as_old_mut();
    name.name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_cksum();
    Ok(archive.append(&header, bytes)?)
}

fn gz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn xz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
