//! The NAR hash of a tree, so that `nix hash path` can prove the same tree from outside.
//!
//! Format: the Nix archive, as in Nix's manual ("Nix Archive (NAR) format") and Dolstra's thesis, figure 5.2. Strings
//! are a 64-bit little-endian length and the bytes, padded with zeros to eight; entries of a directory stand in byte
//! order of their names.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;

use super::beneath::Root;
use super::listing::{Entry, Listing, Node, show};
use crate::digest::{HashingWriter, Sha256Digest};
use crate::error::{Error, Kind, Result};

/// The SHA-256 of the NAR of the tree in `directory`, which has this `listing`. Reads every file.
pub fn hash(directory: &Path, listing: &Listing) -> Result<Sha256Digest> {
    let mut writer = HashingWriter::new(io::sink());
    write(directory, listing, &mut writer)?;
    Ok(writer.finish().0)
}

/// Writes the NAR itself.
pub fn write(directory: &Path, listing: &Listing, out: &mut dyn Write) -> Result<()> {
    let mut top = Children::new();
    for entry in listing.entries() {
        let mut place = &mut top;
        let mut parts = entry.path.split(|byte| *byte == b'/').peekable();
        while let Some(part) = parts.next() {
            let child = place.entry(part).or_default();
            if parts.peek().is_none() {
                child.0 = Some(entry);
            }
            place = &mut child.1;
        }
    }
    let root = Root::open(directory)?;
    text(out, b"nix-archive-1")?;
    directory_node(&root, &top, out)
}

type Children<'a> = BTreeMap<&'a [u8], Child<'a>>;

#[derive(Default)]
struct Child<'a>(Option<&'a Entry>, Children<'a>);

fn directory_node(root: &Root, children: &Children, out: &mut dyn Write) -> Result<()> {
    texts(out, &[b"(", b"type", b"directory"])?;
    for (name, Child(entry, below)) in children {
        texts(out, &[b"entry", b"(", b"name", name, b"node"])?;
        match entry.map(|entry| (entry, &entry.node)) {
            None | Some((_, Node::Directory)) => directory_node(root, below, out)?,
            Some((_, Node::Link { target })) => texts(out, &[b"(", b"type", b"symlink", b"target", target, b")"])?,
            Some((entry, Node::File { executable, size, .. })) => {
                texts(out, &[b"(", b"type", b"regular"])?;
                if *executable {
                    texts(out, &[b"executable", b""])?;
                }
                text(out, b"contents")?;
                out.write_all(&size.to_le_bytes())?;
                let copied = io::copy(&mut root.open_file(&entry.path)?.take(size + 1), out)?;
                if copied != *size {
                    return Err(Error::new(
                        Kind::Damaged,
                        format!("`{}` is not as long as its listing says", show(&entry.path)),
                    )
                    .fact("listed", size)
                    .fact("found", copied));
                }
                pad(out, *size)?;
                text(out, b")")?;
            }
        }
        text(out, b")")?;
    }
    text(out, b")")?;
    Ok(())
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
