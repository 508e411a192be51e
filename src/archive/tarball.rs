//! An archive in one tar file: the directory, as it is.

use std::io::Write as _;
use std::path::Path;

use super::{Archive, Piece};
use crate::error::{About as _, Error, Kind, Result};
use crate::progress::{Doing, Progress, Unit};
use crate::tree::confined::Root;
use crate::tree::scan::scan;
use crate::tree::unpack::unpack;
use crate::tree::{ArchiveWriter, Limits, Node};

/// Unpacks the tar file of an archive into an empty directory.
pub fn unpacked(file: &Path, directory: &Path, progress: &dyn Progress) -> Result<()> {
    let _task = progress.begin(Doing::Unpack, "archive", None, Unit::Steps);
    let shown = file.display().to_string();
    let open = fs_err::File::open(file).map_err(|error| {
        let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failure };
        Error::new(kind, "cannot read the archive").because(&error)
    });
    let limits = Limits { entries: 20_000_000, bytes: 4 << 40, colliding_names: false };
    let unpacked = unpack(open.about(&shown)?, directory, limits).about(&shown)?;
    // The format needs no more names than these, and a link leads to a blob or nowhere.
    for entry in unpacked.listing.entries().iter().filter(|entry| entry.node != Node::Directory) {
        let piece = str::from_utf8(&entry.path).ok().and_then(Piece::parse);
        let is_link = matches!(entry.node, Node::Link { .. });
        if piece.is_none_or(|piece| is_link != matches!(piece, Piece::Tarball(_))) {
            return Err(Error::new(Kind::Invalid, "a file has no place in an archive")
                .about(&shown)
                .fact("file", entry.display())
                .hint("expected a tar file that `strixlock archive --to FILE.tar` wrote"));
        }
    }
    Ok(())
}

/// Writes the tar file of an archive, replacing what is there. Returns its size.
pub fn pack(archive: &Archive, file: &Path, progress: &dyn Progress) -> Result<u64> {
    let tmp = archive.path().join("tmp");
    if tmp.exists() {
        fs_err::remove_dir_all(tmp)?;
    }
    let listing = scan(archive.path())?;
    let task = progress.begin(Doing::Pack, "archive", Some(listing.total_size()), Unit::Bytes);
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().prefix(".strixlock-").tempfile_in(parent)?;
    let root = Root::open(archive.path())?;
    let mut writer = ArchiveWriter::new(std::io::BufWriter::with_capacity(1 << 20, new.as_file_mut()));
    let mut done = 0;
    for entry in listing.entries() {
        writer.entry(&entry.path, &root, entry, None)?;
        if let Node::File { size, .. } = entry.node {
            done += size;
            task.set_position(done);
        }
    }
    writer.finish()?.flush()?;
    new.as_file().sync_all()?;
    let size = new.as_file().metadata()?.len();
    new.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    new.persist(file).map_err(|error| Error::failure("cannot write the archive").because(&error.error))?;
    Ok(size)
}
