//! Adds a lock: only the blobs that the registry does not have are sent, and last the manifest, by which the lock is
//! there.

use std::path::Path;

use super::{Artifact, RegistryArchive};
use crate::archive::Piece;
use crate::archive::add::{Added, add_parts};
use crate::archive::artifact::{layers, manifest, tag};
use crate::archive::keeper::{Keeper, damaged};
use crate::archive::verify::wanted;
use crate::digest::{Promise, Sha256Digest, hash_reader};
use crate::error::{Error, Result};
use crate::inputs::Kept;
use crate::intake::Intake;
use crate::lock::Lock;
use crate::oci::artifact::EMPTY_CONFIG;
use crate::oci::document::MANIFEST;
use crate::remote::{missing, put_small};

impl RegistryArchive<'_> {
    /// Adds a lock and everything that it needs. The store gives it; what store and registry lack is downloaded.
    pub fn add(&mut self, intake: Intake, lock: &Lock) -> Result<Added> {
        self.look(lock)?;
        let added = add_parts(self, intake, lock, None)?;
        let text = lock.to_text()?;
        let own = Promise { size: text.len() as u64, digest: added.lock };
        let sent = |_: &str, kept: &Kept| self.file(kept).ok_or_else(|| Error::failure("a file was not sent"));
        let manifest = manifest(lock, own, sent)?;
        let digest = Sha256Digest::of(&manifest);
        let staging = intake.store.stage()?;
        for blob in [EMPTY_CONFIG, text.as_bytes()] {
            put_small(&*self.remote, blob, staging.path())?;
        }
        let new = self.artifacts.iter().all(|artifact| artifact.layers.lock.digest != own.digest);
        if self.artifacts.iter().all(|artifact| artifact.manifest != digest) {
            let tag = tag(own.digest);
            self.remote.put_manifest(&manifest, MANIFEST, Some(&tag))?;
            self.artifacts.retain(|artifact| artifact.tag != tag);
            self.odd.retain(|(odd, _)| *odd != tag);
            self.take(Artifact { tag, manifest: digest, layers: layers(&manifest)? });
        }
        Ok(Added { new, ..added })
    }

    /// Asks which of the files of a lock the registry has.
    fn look(&mut self, lock: &Lock) -> Result<()> {
        let all = lock.inputs.values().flat_map(|input| input.kept());
        let known = |kept: Kept| match &kept {
            Kept::File(file) => file.promise().or_else(|| self.file(&kept)),
            _ => self.file(&kept),
        };
        let mut files: Vec<Promise> = all.filter_map(known).collect();
        files.sort_by_key(|file| file.digest);
        files.dedup();
        let missing = missing(&*self.remote, &files)?;
        let there = files.iter().enumerate().filter(|(number, _)| !missing.contains(number));
        for (_, file) in there {
            self.files.entry(Piece::Blob(file.digest)).or_insert(*file);
            self.there.insert(file.digest);
        }
        Ok(())
    }
}

impl Keeper for RegistryArchive<'_> {
    fn has(&self, kept: &Kept) -> bool {
        self.file(kept).is_some_and(|file| self.there.contains(&file.digest))
    }

    fn keep(&mut self, kept: &Kept, from: &Path, promise: Promise, done: &(dyn Fn(u64) + Sync)) -> Result<u64> {
        let file = fs_err::File::open(from)?;
        // The registry would refuse other bytes too, without saying which file is damaged.
        let (found, size) = hash_reader(file.file())?;
        if found != promise.digest {
            return Err(damaged(from, promise.digest, found));
        }
        let blob = Promise { size, digest: found };
        self.remote.put_blob(blob, file.file(), done)?;
        self.files.insert(wanted(kept), blob);
        self.files.insert(Piece::Blob(found), blob);
        self.there.insert(found);
        Ok(size)
    }
}
