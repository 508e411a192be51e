//! Removes what no lock of an archive needs.

use serde::Serialize;

use super::verify::{is_part, needed};
use super::{Archive, Piece, refresh};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};

/// The files that were removed, or would be.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Pruned {
    /// The locks that were dropped.
    pub locks: Vec<Sha256Digest>,
    /// Number of files, besides locks and chunks.
    pub files: u64,
    /// Number of chunks of cold trees.
    pub chunks: u64,
    /// Number of bytes in all of them.
    pub bytes: u64,
    /// Paths of files that have no place in an archive. They stay.
    pub others: Vec<String>,
}

/// Removes locks by their digests, or beginnings of these, and then everything that no other lock needs. Returns it, and
/// warnings.
pub fn prune(archive: &Archive, drop: &[String], dry_run: bool) -> Result<(Pruned, Vec<String>)> {
    let mut locks = archive.locks()?;
    let mut pruned = Pruned::default();
    let digests: Vec<Sha256Digest> = locks.iter().map(|one| one.digest).collect();
    pruned.locks = named(drop, &digests, &archive.path().display().to_string())?;
    locks.retain(|one| !pruned.locks.contains(&one.digest));
    // An unreadable lock may need anything.
    if let Some(error) = locks.iter().find_map(|one| one.lock.as_ref().err()) {
        return Err(error.clone().hint(
            "nothing is removed while a lock cannot be read: `--drop` with the beginning of its digest drops it",
        ));
    }
    let needed = needed(archive, &locks).pieces;
    let (pieces, others) = archive.pieces()?;
    pruned.others = others;
    let unneeded: Vec<Piece> = pieces.into_iter().filter(|piece| is_part(piece) && !needed.contains(piece)).collect();
    for piece in &unneeded {
        pruned.bytes += archive.size(piece).unwrap_or(0);
        if matches!(piece, Piece::Chunk(_)) { pruned.chunks += 1 } else { pruned.files += 1 }
    }
    if dry_run {
        return Ok((pruned, Vec::new()));
    }
    // A lock goes before what it needs, so that a lock that is there can be realized.
    for digest in &pruned.locks {
        fs_err::remove_file(archive.path().join(Piece::Lock(*digest).path()))?;
    }
    for piece in &unneeded {
        let place = archive.path().join(piece.path());
        fs_err::remove_file(&place)?;
        // Fails, as it should, while something else is in it.
        if let (Piece::Listing(_) | Piece::Cold(_) | Piece::Chunk(_), Some(parent)) = (piece, place.parent()) {
            let _ = std::fs::remove_dir(parent);
        }
    }
    let newest = archive.read(&Piece::Newest, super::place::LARGEST_LOCK).ok().map(|text| Sha256Digest::of(&text));
    if newest.is_some_and(|newest| pruned.locks.contains(&newest)) {
        fs_err::remove_file(archive.path().join(Piece::Newest.path()))?;
    }
    let warnings = refresh(archive, None)?;
    Ok((pruned, warnings))
}

/// Returns the locks of an archive that are named by their digests, or beginnings of these.
pub(super) fn named(names: &[String], locks: &[Sha256Digest], archive: &str) -> Result<Vec<Sha256Digest>> {
    let mut all = Vec::new();
    for name in names {
        let name = name.strip_prefix("sha256:").unwrap_or(name);
        let found: Vec<Sha256Digest> = locks.iter().copied().filter(|lock| lock.hex().starts_with(name)).collect();
        match found[..] {
            [one] if !name.is_empty() => all.push(one),
            [] => {
                return Err(Error::new(Kind::NotFound, format!("the archive has no lock `{name}`"))
                    .fact("archive", archive)
                    .hint("`strixlock archive list` lists its locks"));
            }
            _ => {
                let found: Vec<_> = found.iter().map(|one| one.hex()[..16].to_owned()).collect();
                return Err(Error::new(Kind::Usage, format!("`{name}` is the beginning of several locks"))
                    .fact("locks", found.join(", ")));
            }
        }
    }
    Ok(all)
}
