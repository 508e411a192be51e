//! Files that are derived from the locks of an archive: its page, the links with the names of tarballs, and the list of digests.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{AtFlags, Timespec, Timestamps};

use super::{Archive, ArchivedLock, Piece};
use crate::digest::{Sha256Digest, hash_reader};
use crate::error::Result;
use crate::inputs::Kept;
use crate::text::{self, visible};

/// A tarball of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The digest of its blob.
    pub digest: Sha256Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Its time in AMD's index, in seconds since 1970.
    pub mtime: i64,
}

/// Writes everything that is derived from the locks anew. `newest` is the lock that was added last, if one was. Returns
/// warnings.
pub fn refresh(archive: &Archive, newest: Option<Sha256Digest>) -> Result<Vec<String>> {
    let locks = archive.locks()?;
    let mut warnings = Vec::new();
    let listed = listed(archive, &locks, &mut warnings);
    link(archive, &listed, &mut warnings)?;
    if let Some(newest) = newest {
        archive.write(&Piece::Newest, &archive.read(&Piece::Lock(newest), super::place::LARGEST_LOCK)?)?;
    }
    if let Some(layout) = super::layout::documents(archive, &locks)? {
        for blob in &layout.blobs {
            archive.write(&Piece::Blob(Sha256Digest::of(blob)), blob)?;
        }
        archive.write(&Piece::OciIndex, &layout.index)?;
    }
    archive.write(&Piece::Page, page(archive, &locks, &listed).as_bytes())?;
    archive.write(&Piece::Sums, sums(archive)?.as_bytes())?;
    Ok(warnings)
}

/// Returns the tarballs that the directory of an archive offers by name, sorted.
pub fn tarballs(archive: &Archive) -> Result<Vec<Listed>> {
    let mut all = Vec::new();
    for entry in fs_err::read_dir(archive.path())? {
        let entry = entry?;
        let Some(Piece::Tarball(name)) = entry.file_name().to_str().and_then(Piece::parse) else { continue };
        if let Some(digest) = archive.linked(&name)
            && let Some(size) = archive.size(&Piece::Blob(digest))
        {
            all.push(Listed { name, digest, size, mtime: entry.metadata()?.mtime() });
        }
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// Returns the tarballs of all locks that are there whole, by name.
fn listed(archive: &Archive, locks: &[ArchivedLock], warnings: &mut Vec<String>) -> BTreeMap<String, Listed> {
    let mut all: BTreeMap<String, Listed> = BTreeMap::new();
    let readable = locks.iter().filter_map(|one| one.lock.as_ref().ok());
    for kept in readable.flat_map(|lock| lock.inputs.values()).flat_map(|input| input.kept()) {
        let Kept::File(file) = kept else { continue };
        let Some(size) = archive.size(&Piece::Blob(file.digest)) else { continue };
        if !super::form::is_tarball(&file.name) {
            continue;
        }
        let one = Listed { name: file.name.clone(), digest: file.digest, size, mtime: file.mtime.unwrap_or_default() };
        match all.get(&file.name) {
            Some(other) if other.digest != one.digest => warnings.push(format!(
                "two locks name different files `{}`: the page offers {}; the other, {}, is among the blobs",
                file.name, other.digest, one.digest
            )),
            Some(_) => {}
            None => drop(all.insert(file.name, one)),
        }
    }
    all
}

/// Makes the links with the names of tarballs, and removes those of tarballs that are gone.
fn link(archive: &Archive, listed: &BTreeMap<String, Listed>, warnings: &mut Vec<String>) -> Result<()> {
    for entry in fs_err::read_dir(archive.path())? {
        let name = entry?.file_name();
        if let Some(Piece::Tarball(name)) = name.to_str().and_then(Piece::parse)
            && listed.get(&name).map(|one| one.digest) != archive.linked(&name)
        {
            fs_err::remove_file(archive.path().join(name))?;
        }
    }
    for one in listed.values().filter(|one| archive.linked(&one.name).is_none()) {
        let place = archive.path().join(&one.name);
        if let Err(error) = std::os::unix::fs::symlink(Piece::Blob(one.digest).path(), &place) {
            // FAT has none. Everything else of the archive works without them.
            warnings.push(format!("the file system has no links, so the page leads nowhere: {error}"));
            break;
        }
        let time = Timespec { tv_sec: one.mtime, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        let set = rustix::fs::utimensat(rustix::fs::CWD, &place, &times, AtFlags::SYMLINK_NOFOLLOW);
        set.map_err(std::io::Error::from)?;
    }
    Ok(())
}

/// Returns the text of SHA256SUMS: a line for everything but chunks, whose names are the digests of their plain bytes.
fn sums(archive: &Archive) -> Result<String> {
    let mut text = String::new();
    for piece in archive.files()? {
        let digest = match &piece {
            Piece::Lock(digest) | Piece::Blob(digest) => *digest,
            Piece::Listing(tree) => tree.0,
            // This file itself, files that are named by something else, and links.
            Piece::Sums | Piece::Chunk(_) | Piece::Tarball(_) => continue,
            other => hash_reader(archive.open_piece(other)?)?.0,
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {}", digest.hex(), piece.path());
    }
    Ok(text)
}

fn page(archive: &Archive, locks: &[ArchivedLock], listed: &BTreeMap<String, Listed>) -> String {
    let files: Vec<String> =
        listed.values().map(|one| format!("{{\"name\": \"{}\", \"mtime\": {}.0}}", one.name, one.mtime)).collect();
    let rows = locks.iter().map(|one| lock_rows(archive, one)).collect::<String>();
    let mut tarballs = String::new();
    for one in listed.values() {
        let (name, blob) = (escaped(&one.name), Piece::Blob(one.digest).path());
        let (href, size, hex) = (crate::urls::escape_part(&one.name), text::bytes(one.size), one.digest.hex());
        // Writing to a String cannot fail.
        let _ = writeln!(tarballs, "<tr><td><a href=\"{href}\">{name}</a><td>{size}<td><a href=\"{blob}\">{hex}</a>");
    }
    include_str!("page.html")
        .replace("[FILES]", &files.join(", "))
        .replace("[TARBALLS]", &tarballs)
        .replace("[LOCKS]", &rows)
}

/// Returns the rows of a lock: one for itself, and one for each of its inputs.
fn lock_rows(archive: &Archive, one: &ArchivedLock) -> String {
    let (path, hex) = (Piece::Lock(one.digest).path(), one.digest.hex());
    let mut rows = format!("<tr><th colspan=\"4\"><a href=\"{path}\">{hex}</a>\n");
    let lock = match &one.lock {
        Ok(lock) => lock,
        Err(error) => return format!("{rows}<tr><td colspan=\"4\">{}\n", escaped(error.message())),
    };
    for (name, input) in &lock.inputs {
        let parts = input.kept();
        let links: Vec<String> = parts.iter().take(MOST_LINKS).map(|kept| part(archive, kept)).collect();
        let more = parts.len().saturating_sub(MOST_LINKS);
        let more = if more > 0 { format!("<br>and {more} more, which the lock names") } else { String::new() };
        let (name, version) = (escaped(name), escaped(&input.short_version()));
        let kind = input.kind().name();
        let _ = writeln!(rows, "<tr><td>{name}<td>{kind}<td>{version}<td>{}{more}", links.join("<br>"));
    }
    rows
}

/// Number of files of one input that the page shows: a set of packages has hundreds.
const MOST_LINKS: usize = 8;

fn part(archive: &Archive, kept: &Kept) -> String {
    let (name, piece) = match kept {
        Kept::File(file) => (file.name.clone(), Piece::Blob(file.digest)),
        Kept::Commit(one) => (format!("commit {} of {}", one.commit, one.url), Piece::Commit(one.commit.clone())),
        Kept::Tree(tree) => (format!("tree {}", &tree.digest.hex()[..12]), Piece::Directory(tree.digest)),
    };
    let blob = match &piece {
        Piece::Commit(_) | Piece::Directory(_) => archive.pointed(&piece).map(|promise| Piece::Blob(promise.digest)),
        _ => archive.size(&piece).map(|_| piece),
    };
    match (blob, kept) {
        (Some(blob), _) => format!("<a href=\"{}\">{}</a>", blob.path(), escaped(&name)),
        (None, Kept::File(file)) if file.tree.is_some_and(|tree| archive.shelf().get(tree).is_some()) => {
            format!("{} (cold: its tree, in chunks)", escaped(&name))
        }
        (None, _) => format!("{} (missing)", escaped(&name)),
    }
}

/// Returns text for HTML.
fn escaped(text: &str) -> String {
    let visible = visible(text);
    let mut out = String::with_capacity(visible.len());
    for c in visible.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_no_html() {
        assert_eq!(escaped("<a href=\"x\">&\u{1b}[0m"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
