//! Small documents of a remote: read whole and compared with their digests, and compressed texts.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use super::artifact::TreeArtifact;
use super::index::{Content, Piece, contents, parse};
use super::repository::Repository;
use crate::digest::{Promise, Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::tree::Listing;

/// Greatest compressed size of a listing or index, in bytes: twenty times that of a nightly.
pub const LARGEST: u64 = 64 << 20;
/// Greatest size of a listing or index.
const LARGEST_PLAIN: u64 = 128 << 20;
/// Level of listings and indexes, which are mostly digests.
const LEVEL: i32 = 9;

/// Returns a small blob. Fails unless it has its digest.
pub fn read(remote: &dyn Repository, blob: Promise, limit: u64) -> Result<Vec<u8>> {
    let wrong = |why: &str| {
        Error::new(Kind::Mismatch, format!("a blob of the remote {why}"))
            .fact("remote", remote.address())
            .fact("blob", blob.digest)
    };
    if blob.size > limit {
        return Err(wrong("is too large").fact("size", crate::text::bytes(blob.size)));
    }
    let bytes = if blob.size == 0 { Vec::new() } else { remote.part(blob, 0, blob.size)?.to_vec() };
    if Sha256Digest::of(&bytes) == blob.digest { Ok(bytes) } else { Err(wrong("does not have its digest")) }
}

/// Stores bytes as a blob. `directory` is for a temporary file.
pub fn put(remote: &dyn Repository, bytes: &[u8], directory: &Path) -> Result<Promise> {
    let blob = Promise { size: bytes.len() as u64, digest: Sha256Digest::of(bytes) };
    let mut file: File = tempfile::tempfile_in(directory)?;
    file.write_all(bytes)?;
    remote.put_blob(blob, &file, &|_| {})?;
    Ok(blob)
}

/// Compresses a text, and stores it as a blob.
pub fn put_packed(remote: &dyn Repository, text: &[u8], directory: &Path) -> Result<Promise> {
    put(remote, &zstd::bulk::compress(text, LEVEL)?, directory)
}

fn read_packed(remote: &dyn Repository, blob: Promise) -> Result<Vec<u8>> {
    let packed = read(remote, blob, LARGEST)?;
    let mut text = Vec::new();
    let plain = zstd::Decoder::new(packed.as_slice()).map(|decoder| decoder.take(LARGEST_PLAIN + 1));
    let read = plain.and_then(|mut plain| plain.read_to_end(&mut text));
    match read {
        Ok(size) if size as u64 <= LARGEST_PLAIN => Ok(text),
        _ => Err(Error::new(Kind::Mismatch, "a blob of the remote cannot be unpacked")
            .fact("remote", remote.address())
            .fact("blob", blob.digest)),
    }
}

/// Returns the listing of a tree. Fails unless it is that of the tree with this digest.
pub fn read_listing(remote: &dyn Repository, manifest: &TreeArtifact, tree: TreeDigest) -> Result<Listing> {
    let text = read_packed(remote, manifest.listing)?;
    let found = TreeDigest(Sha256Digest::of(&text));
    if found != tree {
        return Err(Error::new(Kind::Mismatch, "the remote has another tree under this name")
            .fact("remote", remote.address())
            .fact("expected", tree)
            .fact("found", found));
    }
    Listing::parse(&text).map_err(|error| {
        Error::new(Kind::Mismatch, "the remote has an invalid listing of a tree")
            .fact("remote", remote.address())
            .because(&error)
    })
}

/// Returns the pieces of the contents of a tree.
pub fn read_index(remote: &dyn Repository, manifest: &TreeArtifact, contents: &[Content]) -> Result<Vec<Vec<Piece>>> {
    let text = read_packed(remote, manifest.index)?;
    // What is not UTF-8 is no index, and an empty text is none either.
    parse(std::str::from_utf8(&text).unwrap_or_default(), contents, &manifest.packs)
        .map_err(|error| error.fact("remote", remote.address()))
}

/// Stores listing and index of a tree.
pub fn put_index(
    remote: &dyn Repository,
    listing: &Listing,
    pieces: &[Vec<Piece>],
    directory: &Path,
) -> Result<(Promise, Promise)> {
    debug_assert_eq!(contents(listing).len(), pieces.len());
    let (listing, index) = (listing.to_bytes(), super::index::to_text(pieces));
    if let Some(size) = [listing.len(), index.len()].into_iter().find(|size| *size as u64 > LARGEST_PLAIN) {
        return Err(Error::new(Kind::Invalid, "the tree has too many files for a remote")
            .fact("listing or index", crate::text::bytes(size as u64))
            .fact("limit", crate::text::bytes(LARGEST_PLAIN)));
    }
    Ok((put_packed(remote, &listing, directory)?, put_packed(remote, index.as_bytes(), directory)?))
}
