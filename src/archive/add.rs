//! Adds a lock, with everything that it needs.

use std::io::BufWriter;

use super::place::pointer;
use super::{Archive, Piece};
use crate::digest::{HashingWriter, Promise, Sha256Digest, hash_reader};
use crate::error::{About as _, Error, Kind, Result};
use crate::inputs::git::write_pack;
use crate::inputs::{Kept, KeptCommit, KeptFile, LockedInput, TreePin};
use crate::intake::{Intake, drop_damaged};
use crate::lock::Lock;
use crate::progress::{Doing, Task, Unit};
use crate::tree::ArchiveWriter;
use crate::tree::confined::Root;

/// A lock that was added, and what that took.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Added {
    /// The digest of the lock.
    pub lock: Sha256Digest,
    /// True if the archive did not have the lock.
    pub new: bool,
    /// Number of downloads, packs, directories and cold trees that are new.
    pub files: u64,
    /// Number of bytes that these added.
    pub bytes: u64,
    /// Number of those that the archive had.
    pub there: u64,
}

/// Adds a lock and everything that it needs. The store gives it; what the store lacks is downloaded. With `cold`,
/// tarballs of ROCm are kept as trees in chunks.
pub fn add(archive: &Archive, intake: Intake, lock: &Lock, cold: bool) -> Result<Added> {
    let text = lock.to_text()?;
    let digest = Sha256Digest::of(text.as_bytes());
    let piece = Piece::Lock(digest);
    let new = archive.size(&piece).is_none();
    let mut adding = Adding {
        archive,
        intake,
        cold,
        added: Added { lock: digest, new, files: 0, bytes: 0, there: 0 },
        task: intake.fetcher.progress().begin(Doing::Pack, "archive", Some(total(lock)), Unit::Bytes),
        done: 0,
    };
    for (name, input) in &lock.inputs {
        adding.input(name, input).about(name)?;
    }
    archive.write(&piece, text.as_bytes())?;
    Ok(adding.added)
}

/// Returns the number of bytes that a lock names; commits and patches have no known size.
fn total(lock: &Lock) -> u64 {
    let all = lock.inputs.values().flat_map(|input| input.kept());
    let sizes = all.map(|kept| match kept {
        Kept::File(file) => file.size.unwrap_or(0),
        Kept::Commit(_) => 0,
        Kept::Tree(tree) => tree.size,
    });
    sizes.fold(0, u64::saturating_add)
}

struct Adding<'a> {
    archive: &'a Archive,
    intake: Intake<'a>,
    cold: bool,
    added: Added,
    task: Box<dyn Task>,
    done: u64,
}

impl Adding<'_> {
    fn input(&mut self, name: &str, input: &LockedInput) -> Result<()> {
        let all = input.kept();
        let is_missing = |kept: &Kept| match kept {
            Kept::File(file) => self.archive.held(kept).is_none() && self.intake.store.download(file.digest).is_none(),
            _ => false,
        };
        let as_tree = |kept: &Kept| matches!(kept, Kept::File(file) if self.cold && file.tree.is_some());
        if all.iter().any(|kept| is_missing(kept) && !as_tree(kept)) {
            input.fetch_kept(self.intake, name)?;
        }
        for kept in &all {
            match kept {
                Kept::File(file) => self.file(name, input, file)?,
                Kept::Commit(commit) => self.commit(name, commit)?,
                Kept::Tree(tree) => self.directory(name, tree)?,
            }
        }
        Ok(())
    }

    /// Counts a part that added this many bytes.
    fn count(&mut self, bytes: u64) {
        if bytes > 0 {
            self.added.files += 1;
            self.added.bytes += bytes;
        } else {
            self.added.there += 1;
        }
    }

    fn keep(&mut self, from: &std::path::Path, digest: Sha256Digest) -> Result<u64> {
        let (task, done) = (&self.task, &mut self.done);
        self.archive.keep(from, digest, &mut |count| {
            *done += count;
            task.set_position(*done);
        })
    }

    fn file(&mut self, name: &str, input: &LockedInput, file: &KeptFile) -> Result<()> {
        let has_blob = self.archive.size(&Piece::Blob(file.digest)).is_some_and(|size| Some(size) == file.size);
        if let Some(tree) = file.tree.filter(|_| self.cold && !has_blob) {
            let (store, progress) = (self.intake.store, self.intake.fetcher.progress());
            let staging = self.archive.stage()?;
            let mut adds = self.archive.shelf().add(store, tree, staging.path(), progress)?;
            if adds.is_none() {
                input.fetch(self.intake, name)?;
                adds = self.archive.shelf().add(store, tree, staging.path(), progress)?;
            }
            self.done += file.size.unwrap_or(0);
            self.count(adds.unwrap_or(0));
            return Ok(());
        }
        let missing = || {
            Error::new(Kind::NotFound, "a pinned file is neither in the store nor beside the manifest")
                .fact("file", crate::text::visible(&file.name))
                .fact("locked", file.digest)
                .hint("restore the file from version control")
        };
        if has_blob {
            self.done += file.size.unwrap_or(0);
            self.count(0);
            return Ok(());
        }
        let from = self.intake.store.download(file.digest).ok_or_else(missing)?;
        let before = self.done;
        let bytes = match self.keep(&from, file.digest) {
            Err(error) if error.kind() == Kind::Damaged => {
                // The copy in the store is damaged; it can be downloaded again.
                self.done = before;
                drop_damaged(self.intake.store, file.digest)?;
                input.fetch_kept(self.intake, name)?;
                let again = self.intake.store.download(file.digest).ok_or(error)?;
                self.keep(&again, file.digest)?
            }
            other => other?,
        };
        self.count(bytes);
        Ok(())
    }

    fn commit(&mut self, name: &str, commit: &KeptCommit) -> Result<()> {
        let piece = Piece::Commit(commit.commit.clone());
        if self.archive.held(&Kept::Commit(commit.clone())).is_some() {
            self.count(0);
            return Ok(());
        }
        let staging = self.archive.stage()?;
        let pack = staging.path().join("pack");
        write_pack(self.intake, name, commit, &pack)?;
        let (digest, size) = hash_reader(fs_err::File::open(&pack)?)?;
        self.named(&pack, Promise { size, digest }, &piece)
    }

    fn directory(&mut self, name: &str, tree: &TreePin) -> Result<()> {
        if self.archive.held(&Kept::Tree(tree.clone())).is_some() {
            self.count(0);
            return Ok(());
        }
        let progress = self.intake.fetcher.progress();
        let Some(stored) = self.intake.store.thaw(tree.digest, name, progress)? else {
            return Err(Error::new(
                Kind::NotFound,
                "the pinned files are neither in the store nor beside the manifest",
            )
            .fact("locked", tree.digest)
            .hint(format!("restore the directory from version control; `strixlock update {name}` takes another")));
        };
        let staging = self.archive.stage()?;
        let tar = staging.path().join("tar");
        let (listing, root) = (stored.listing()?, Root::open(&stored.path)?);
        let out = HashingWriter::new(BufWriter::new(fs_err::File::create(&tar)?));
        let mut writer = ArchiveWriter::new(out);
        for entry in listing.entries() {
            writer.entry(&entry.path, &root, entry, None)?;
        }
        let (digest, size, out) = writer.finish()?.finish();
        out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        self.named(&tar, Promise { size, digest }, &Piece::Directory(tree.digest))
    }

    /// Keeps a blob, and then the file by which it is found.
    fn named(&mut self, from: &std::path::Path, promise: Promise, piece: &Piece) -> Result<()> {
        let bytes = self.keep(from, promise.digest)?;
        self.archive.write(piece, pointer(promise).as_bytes())?;
        self.count(bytes);
        Ok(())
    }
}
