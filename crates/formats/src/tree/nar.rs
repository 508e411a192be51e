//! The NAR hash of a tree, so that `nix hash path` can prove the same tree from outside.
//!
//! Format: the Nix archive, as in Nix's manual ("Nix Archive (NAR) format") and Dolstra's thesis, figure 5.2. Strings
//! are a 64-bit little-endian length and the bytes, padded with zeros to eight; entries of a directory stand in byte
//! order of their names.

use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use super::confined::Root;
use super::listing::{Entry, Listing, Node};
use crate::digest::{HashingReader, HashingWriter, Sha256Digest};
use crate::error::Result;

/// Size of the read buffer, in bytes.
const BUFFER: usize = 256 * 1024;

/// Returns the SHA-256 of the NAR of the tree in `directory`, which has this `listing`. Reads every file.
pub fn hash(directory: &Path, listing: &Listing) -> Result<Sha256Digest> {
    let mut writer = HashingWriter::new(io::sink());
    write(directory, listing, &mut writer)?;
    Ok(writer.finish().0)
}

/// Writes the NAR of the tree in `directory`. Fails if a file differs from the listing.
pub fn write(directory: &Path, listing: &Listing, out: &mut dyn Write) -> Result<()> {
    let root = Root::open(directory)?;
    let mut entries: Vec<&Entry> = listing.entries().iter().collect();
    // A directory first, then everything below it, with the names of each directory in byte order.
    entries.sort_unstable_by(|one, other| parts(&one.path).cmp(parts(&other.path)));
    texts(out, &[b"nix-archive-1", b"(", b"type", b"directory"])?;
    let mut open: Vec<&[u8]> = Vec::new();
    for entry in entries {
        while open.pop_if(|above| !is_below(&entry.path, above)).is_some() {
            close(out)?;
        }
        let name = parts(&entry.path).next_back().unwrap_or_default();
        texts(out, &[b"entry", b"(", b"name", name, b"node"])?;
        match &entry.node {
            Node::Directory => {
                texts(out, &[b"(", b"type", b"directory"])?;
                open.push(&entry.path);
                continue;
            }
            Node::Link { target } => texts(out, &[b"(", b"type", b"symlink", b"target", target, b")"])?,
            Node::File { executable, size, .. } => file(&root, entry, *executable, *size, out)?,
        }
        text(out, b")")?;
    }
    for _ in open {
        close(out)?;
    }
    Ok(text(out, b")")?)
}

fn parts(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
}

fn is_below(path: &[u8], above: &[u8]) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// Writes the end of a directory, and of the entry that holds it.
fn close(out: &mut dyn Write) -> io::Result<()> {
    texts(out, &[b")", b")"])
}

fn file(root: &Root, entry: &Entry, executable: bool, size: u64, out: &mut dyn Write) -> Result<()> {
    texts(out, &[b"(", b"type", b"regular"])?;
    if executable {
        texts(out, &[b"executable", b""])?;
    }
    text(out, b"contents")?;
    out.write_all(&size.to_le_bytes())?;
    let mut contents = HashingReader::new(root.open_file(&entry.path)?.take(size + 1));
    io::copy(&mut BufReader::with_capacity(BUFFER, &mut contents), out)?;
    let (found, read) = contents.finish();
    entry.demand_contents(found, read)?;
    pad(out, size)?;
    Ok(text(out, b")")?)
}

fn texts(out: &mut dyn Write, all: &[&[u8]]) -> io::Result<()> {
    all.iter().try_for_each(|bytes| text(out, bytes))
}

fn text(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&(bytes.len() as u64).to_le_bytes())?;
    out.write_all(bytes)?;
    pad(out, bytes.len() as u64)
}

fn pad(out: &mut dyn Write, size: u64) -> io::Result<()> {
    out.write_all(&[0; 8][..(8 - size as usize % 8) % 8])
}
