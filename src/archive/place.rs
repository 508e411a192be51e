//! The directory of an archive.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::Piece;
use super::keeper::damaged;
use crate::digest::{HashingWriter, Promise, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::inputs::Kept;
use crate::lock::Lock;
use crate::store::ColdShelf;
use crate::tree::confined::{Root, seal_file};

/// Contents of the marker.
pub(super) const FORM: &str = "strixlock-archive 1\n";
/// Greatest size of a lock, in bytes: two hundred times what one with a thousand packages has.
pub(super) const LARGEST_LOCK: u64 = 64 << 20;
/// Greatest size of a file that names another one.
pub(super) const LARGEST_POINTER: u64 = 200;

/// An archive in a directory.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    root: Root,
    /// The exclusive lock of whoever writes.
    _held: Option<File>,
}

/// A lock in an archive.
pub struct ArchivedLock {
    /// Its digest.
    pub digest: Sha256Digest,
    /// The lock, or the reason why it cannot be read.
    pub lock: Result<Lock>,
}

impl Archive {
    /// Opens the archive at `path` for reading.
    pub fn open(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path)?;
        let none = |error: Error| {
            error
                .fact("path", path.display())
                .hint("`strixlock archive --to DIR` makes one; name the directory that has `strixlock-archive` in it")
        };
        let root = Root::open(&path).map_err(|error| {
            let kind = if error.kind() == ErrorKind::NotFound { Kind::NotFound } else { Kind::Failure };
            none(Error::new(kind, "there is no archive").because(&error))
        })?;
        let archive = Self { path: path.clone(), root, _held: None };
        let marker = archive.read(&Piece::Marker, LARGEST_POINTER);
        match marker.map(String::from_utf8) {
            Ok(Ok(text)) if text == FORM => Ok(archive),
            Ok(text) => Err(unknown_form(&text.unwrap_or_default()).fact("path", path.display())),
            Err(error) if error.kind() == Kind::NotFound => {
                Err(none(Error::new(Kind::NotFound, "this directory is not an archive")))
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the archive at `path` to add to it or remove from it. Makes an empty or missing directory an archive.
    /// Removes what killed processes left.
    pub fn open_to_write(path: &Path) -> Result<Self> {
        crate::store::mark_directory(path, &Piece::Marker.path(), FORM.as_bytes(), "an archive")?;
        let archive = Self::open(path)?;
        let held = archive.root.open_file(Piece::Marker.path().as_bytes())?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(Kind::Busy, "another process writes to this archive")
                    .fact("path", path.display())
                    .hint("run the command again when that one is done"));
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let tmp = archive.path.join("tmp");
        if tmp.exists() {
            fs_err::remove_dir_all(&tmp)?;
        }
        fs_err::create_dir(&tmp)?;
        Ok(Self { _held: Some(held), ..archive })
    }

    /// Returns the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file of the archive, without following links.
    pub fn open_piece(&self, piece: &Piece) -> std::io::Result<File> {
        let file = self.root.open_file(piece.path().as_bytes())?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(ErrorKind::NotFound.into()) }
    }

    /// Returns the size of a file of the archive, if it has it.
    #[must_use]
    pub fn size(&self, piece: &Piece) -> Option<u64> {
        let found = self.root.metadata(piece.path().as_bytes()).ok()?;
        found.is_file().then_some(found.len())
    }

    /// Reads a small file of the archive.
    pub fn read(&self, piece: &Piece, limit: u64) -> Result<Vec<u8>> {
        let place = self.path.join(piece.path());
        let file = self.open_piece(piece).map_err(|error| {
            let kind = if error.kind() == ErrorKind::NotFound { Kind::NotFound } else { Kind::Failure };
            Error::new(kind, "cannot read a file of the archive").fact("path", place.display()).because(&error)
        })?;
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(Error::new(Kind::Damaged, "a file of the archive is too long").fact("path", place.display()));
        }
        Ok(bytes)
    }

    /// Returns digest and size of the blob that a [`Piece::Commit`] or [`Piece::Directory`] names, if it is there.
    #[must_use]
    pub fn pointed(&self, piece: &Piece) -> Option<Promise> {
        parse_pointer(&self.read(piece, LARGEST_POINTER).ok()?)
    }

    /// Returns the blob that the link with a tarball's name leads to.
    #[must_use]
    pub fn linked(&self, name: &str) -> Option<Sha256Digest> {
        let target = self.root.read_link(Piece::Tarball(name.to_owned()).path().as_bytes()).ok()?;
        match Piece::parse(str::from_utf8(&target).ok()?)? {
            Piece::Blob(digest) => Some(digest),
            _ => None,
        }
    }

    /// Returns all locks, sorted by digest.
    pub fn locks(&self) -> Result<Vec<ArchivedLock>> {
        let mut all = Vec::new();
        for piece in self.below("locks", true)?.0 {
            let Piece::Lock(digest) = piece else { continue };
            let lock = self.read(&piece, LARGEST_LOCK).and_then(|text| {
                if Sha256Digest::of(&text) != digest {
                    return Err(Error::new(Kind::Damaged, "a lock in the archive is damaged"));
                }
                Lock::parse(&String::from_utf8_lossy(&text))
            });
            all.push(ArchivedLock { digest, lock: lock.map_err(|error| error.about(piece.path())) });
        }
        Ok(all)
    }

    /// Returns all pieces, sorted, and the paths of everything else outside `tmp/`.
    pub fn pieces(&self) -> Result<(Vec<Piece>, Vec<String>)> {
        self.below("", true)
    }

    /// Returns all pieces but chunks, of which there may be a million.
    pub(super) fn files(&self) -> Result<Vec<Piece>> {
        Ok(self.below("", false)?.0)
    }

    /// Returns the pieces below a directory of the archive, and the paths of everything else.
    fn below(&self, directory: &str, chunks: bool) -> Result<(Vec<Piece>, Vec<String>)> {
        let (mut pieces, mut others) = (Vec::new(), Vec::new());
        let mut todo = vec![PathBuf::from(directory)];
        todo.retain(|place| self.path.join(place).is_dir());
        while let Some(below) = todo.pop() {
            for entry in fs_err::read_dir(self.path.join(&below))? {
                let entry = entry?;
                let place = below.join(entry.file_name());
                if entry.file_type()?.is_dir() {
                    // The deepest pieces stand in the second level.
                    let passed = place == Path::new("tmp") || (!chunks && place == Path::new("chunks"));
                    if place.components().count() < 3 && !passed {
                        todo.push(place);
                    }
                    continue;
                }
                match place.to_str().and_then(Piece::parse) {
                    Some(piece) => pieces.push(piece),
                    None => others.push(place.display().to_string()),
                }
            }
        }
        pieces.sort();
        others.sort();
        Ok((pieces, others))
    }

    /// Returns the cold trees.
    #[must_use]
    pub fn shelf(&self) -> ColdShelf {
        ColdShelf::at(&self.path)
    }

    /// Returns the pieces that hold a part of a pin, without chunks; `None` if the archive does not have it. Compares
    /// sizes alone.
    #[must_use]
    pub fn held(&self, kept: &Kept) -> Option<Vec<Piece>> {
        let blob = |promise: Promise| {
            let piece = Piece::Blob(promise.digest);
            (self.size(&piece)? == promise.size).then_some(piece)
        };
        let by_name = |piece: Piece| Some(vec![blob(self.pointed(&piece)?)?, piece]);
        match kept {
            Kept::File(file) => {
                let piece = Piece::Blob(file.digest);
                let size = self.size(&piece).filter(|size| file.size.is_none_or(|wanted| wanted == *size));
                size.map(|_| vec![piece]).or_else(|| {
                    let tree = file.tree.filter(|tree| self.shelf().get(*tree).is_some())?;
                    Some(vec![Piece::Listing(tree), Piece::Cold(tree)])
                })
            }
            Kept::Commit(one) => by_name(Piece::Commit(one.commit.clone())),
            Kept::Tree(tree) => by_name(Piece::Directory(tree.digest)),
        }
    }

    /// Returns an empty directory for unfinished things.
    pub(super) fn stage(&self) -> Result<tempfile::TempDir> {
        Ok(tempfile::tempdir_in(self.path.join("tmp"))?)
    }

    /// Copies a file with this digest to the blobs, unless it is there. `done` receives the number of bytes so far.
    /// Returns the number of bytes that this added. Fails with [`Kind::Damaged`] if the file has another digest.
    pub(super) fn keep_blob(&self, from: &Path, digest: Sha256Digest, done: &dyn Fn(u64)) -> Result<u64> {
        let piece = Piece::Blob(digest);
        let mut source = fs_err::File::open(from)?;
        let size = source.metadata()?.len();
        if self.size(&piece) == Some(size) {
            done(size);
            return Ok(0);
        }
        let staging = self.stage()?;
        let staged = staging.path().join("blob");
        let file = fs_err::File::create(&staged)?;
        let mut writer = HashingWriter::new(file);
        let (mut buffer, mut copied) = (vec![0; 1 << 20], 0);
        loop {
            let count = source.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            writer.write_all(&buffer[..count])?;
            copied += count as u64;
            done(copied);
        }
        let (found, size, file) = writer.finish();
        if found != digest {
            return Err(damaged(from, digest, found));
        }
        seal_file(file.file(), 0o444)?;
        file.sync_all()?;
        self.place(&staged, &piece)?;
        Ok(size)
    }

    /// Writes a small file of the archive, replacing what has its name.
    pub(super) fn write(&self, piece: &Piece, bytes: &[u8]) -> Result<()> {
        let staging = self.stage()?;
        let staged = staging.path().join("file");
        let mut file = fs_err::File::create(&staged)?;
        file.write_all(bytes)?;
        seal_file(file.file(), 0o644)?;
        file.sync_all()?;
        self.place(&staged, piece)
    }

    fn place(&self, staged: &Path, piece: &Piece) -> Result<()> {
        let place = self.path.join(piece.path());
        let parent = place.parent().unwrap_or(&self.path);
        fs_err::create_dir_all(parent)?;
        fs_err::rename(staged, &place)?;
        Ok(fs_err::File::open(parent)?.sync_all()?)
    }
}

/// Returns the text of a file that names a blob.
pub(super) fn pointer(promise: Promise) -> String {
    format!("{} {}\n", promise.digest, promise.size)
}

/// Reads a file that names a blob.
pub(super) fn parse_pointer(text: &[u8]) -> Option<Promise> {
    let (digest, size) = str::from_utf8(text).ok()?.strip_suffix('\n')?.split_once(' ')?;
    Some(Promise { digest: digest.parse().ok()?, size: size.parse().ok()? })
}

/// Returns the error for a marker of another form.
pub(super) fn unknown_form(found: &str) -> Error {
    let found: String = found.trim().chars().take(80).collect();
    Error::new(Kind::Invalid, "unknown form of an archive")
        .fact("expected", FORM.trim())
        .fact("found", crate::text::visible(&found))
        .hint("use the strixlock that made this archive")
}
