//! Adds a lock, with everything that it needs.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::keeper::Keeper;
use super::{Archive, Piece};
use crate::digest::{HashingWriter, Promise, Sha256Digest, TreeDigest, hash_reader};
use crate::error::{About as _, Error, Kind, Result};
use crate::inputs::git::write_pack;
use crate::inputs::{Kept, KeptFile, LockedInput, TreePin};
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
    let piece = Piece::Lock(Sha256Digest::of(text.as_bytes()));
    let new = archive.size(&piece).is_none();
    let added = add_parts(&mut &*archive, intake, lock, cold.then_some(archive))?;
    archive.write(&piece, text.as_bytes())?;
    Ok(Added { new, ..added })
}

/// Adds everything that a lock needs to a place. With `cold`, that archive keeps tarballs of ROCm as trees.
pub(super) fn add_parts(keeper: &mut dyn Keeper, intake: Intake, lock: &Lock, cold: Option<&Archive>) -> Result<Added> {
    let digest = Sha256Digest::of(lock.to_text()?.as_bytes());
    let mut adding = Adding {
        keeper,
        intake,
        cold,
        added: Added { lock: digest, new: true, files: 0, bytes: 0, there: 0 },
        task: intake.fetcher.progress().begin(Doing::Pack, "archive", Some(total(lock)), Unit::Bytes),
        done: 0,
    };
    for (name, input) in &lock.inputs {
        adding.input(name, input).about(name)?;
    }
    Ok(adding.added)
}

/// Returns the number of bytes that a lock names; commits and patches have no known size.
fn total(lock: &Lock) -> u64 {
    lock.inputs.values().flat_map(|input| input.kept()).map(|kept| size(&kept)).fold(0, u64::saturating_add)
}

/// Returns the number of bytes of a part, as far as it is known.
fn size(kept: &Kept) -> u64 {
    match kept {
        Kept::File(file) => file.size.unwrap_or(0),
        Kept::Commit(_) => 0,
        Kept::Tree(tree) => tree.size,
    }
}

struct Adding<'a> {
    keeper: &'a mut dyn Keeper,
    intake: Intake<'a>,
    cold: Option<&'a Archive>,
    added: Added,
    task: Box<dyn Task>,
    done: u64,
}

impl Adding<'_> {
    fn input(&mut self, name: &str, input: &LockedInput) -> Result<()> {
        let all = input.kept();
        let is_missing = |kept: &Kept| match kept {
            Kept::File(file) => {
                let as_tree = self.cold.is_some() && file.tree.is_some();
                !as_tree && !self.keeper.has(kept) && self.intake.store.download(file.digest).is_none()
            }
            _ => false,
        };
        if all.iter().any(is_missing) {
            input.fetch_kept(self.intake, name)?;
        }
        all.iter().try_for_each(|kept| self.part(name, input, kept))
    }

    fn part(&mut self, name: &str, input: &LockedInput, kept: &Kept) -> Result<()> {
        if self.keeper.has(kept) {
            self.count(0, size(kept));
            return Ok(());
        }
        if let (Some(archive), Kept::File(KeptFile { tree: Some(tree), .. })) = (self.cold, kept) {
            let adds = self.as_tree(archive, name, input, *tree)?;
            self.count(adds, size(kept));
            return Ok(());
        }
        // Downloads are files already.
        let staging = (!matches!(kept, Kept::File(_))).then(|| self.intake.store.stage()).transpose()?;
        let made = staging.as_ref().map(|staging| staging.path().join("file")).unwrap_or_default();
        let (from, promise) = self.file(name, kept, made)?;
        let bytes = match (self.keep(kept, &from, promise), kept) {
            (Err(error), Kept::File(file)) if error.kind() == Kind::Damaged => {
                // The copy in the store is damaged; it can be downloaded again.
                drop_damaged(self.intake.store, file.digest)?;
                input.fetch_kept(self.intake, name)?;
                let again = self.intake.store.download(file.digest).ok_or(error)?;
                self.keep(kept, &again, Promise { size: again.metadata()?.len(), digest: file.digest })?
            }
            (other, _) => other?,
        };
        self.count(bytes, promise.size);
        Ok(())
    }

    /// Counts a part of this size that added so many bytes.
    fn count(&mut self, added: u64, size: u64) {
        self.done += size;
        self.task.set_position(self.done);
        if added > 0 {
            self.added.files += 1;
            self.added.bytes += added;
        } else {
            self.added.there += 1;
        }
    }

    fn keep(&mut self, kept: &Kept, from: &Path, promise: Promise) -> Result<u64> {
        let (task, done) = (&self.task, self.done);
        self.keeper.keep(kept, from, promise, &|count| task.set_position(done + count))
    }

    /// Keeps the tree of a tarball in its place. Returns the number of bytes that this added.
    fn as_tree(&self, archive: &Archive, name: &str, input: &LockedInput, tree: TreeDigest) -> Result<u64> {
        let (store, progress) = (self.intake.store, self.intake.fetcher.progress());
        let staging = archive.stage()?;
        let add = || archive.shelf().add(store, tree, staging.path(), progress);
        let mut adds = add()?;
        if adds.is_none() {
            input.fetch(self.intake, name)?;
            adds = add()?;
        }
        Ok(adds.unwrap_or(0))
    }

    /// Returns the file that holds a part, with its digest and size: a download of the store, or one that is made at
    /// `made`.
    fn file(&self, name: &str, kept: &Kept, made: PathBuf) -> Result<(PathBuf, Promise)> {
        match kept {
            Kept::File(file) => {
                let path = self.intake.store.download(file.digest).ok_or_else(|| {
                    Error::new(Kind::NotFound, "a pinned file is neither in the store nor beside the manifest")
                        .fact("file", crate::text::visible(&file.name))
                        .fact("locked", file.digest)
                        .hint("restore the file from version control")
                })?;
                let size = path.metadata()?.len();
                Ok((path, Promise { size, digest: file.digest }))
            }
            Kept::Commit(commit) => {
                write_pack(self.intake, name, commit, &made)?;
                let (digest, size) = hash_reader(fs_err::File::open(&made)?)?;
                Ok((made, Promise { size, digest }))
            }
            Kept::Tree(tree) => {
                let promise = self.write_tar(name, tree, &made)?;
                Ok((made, promise))
            }
        }
    }

    /// Writes a tar archive of files of the project. Returns its digest and size.
    fn write_tar(&self, name: &str, tree: &TreePin, tar: &Path) -> Result<Promise> {
        let progress = self.intake.fetcher.progress();
        let Some(stored) = self.intake.store.thaw(tree.digest, name, progress)? else {
            return Err(Error::new(
                Kind::NotFound,
                "the pinned files are neither in the store nor beside the manifest",
            )
            .fact("locked", tree.digest)
            .hint(format!("restore the directory from version control; `strixlock update {name}` takes another")));
        };
        let (listing, root) = (stored.listing()?, Root::open(&stored.path)?);
        let out = HashingWriter::new(BufWriter::new(fs_err::File::create(tar)?));
        let mut writer = ArchiveWriter::new(out);
        for entry in listing.entries() {
            writer.entry(&entry.path, &root, entry, None)?;
        }
        let (digest, size, out) = writer.finish()?.finish();
        out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok(Promise { size, digest })
    }
}
