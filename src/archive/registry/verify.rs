//! Reads every byte of an archive in a registry, and compares it with the digests.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::{RegistryArchive, WORKERS, judged};
use crate::archive::Piece;
use crate::archive::verify::{ArchiveFault, Verified, wanted};
use crate::digest::{HashingWriter, Promise, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::progress::{Doing, Progress, Unit};
use crate::threads::on_threads;

/// Number of bytes that are asked for at a time.
const PART: u64 = 8 << 20;

impl RegistryArchive<'_> {
    /// Verifies the archive.
    pub fn verify(&self, progress: &dyn Progress) -> Result<Verified> {
        let locks = self.locks()?;
        let mut faults: Vec<ArchiveFault> = Vec::new();
        let odd = |(tag, error): &(String, Error)| ArchiveFault::at(tag.clone(), "damaged", error.message());
        faults.extend(self.odd.iter().map(odd));
        // The files, each with the name of an input that needs it.
        let mut files: BTreeMap<Sha256Digest, (u64, String)> = BTreeMap::new();
        for one in &locks {
            let lock = match &one.lock {
                Ok(lock) => lock,
                Err(error) => {
                    faults.push(ArchiveFault::new(&Piece::Lock(one.digest), fault(error), error.message()));
                    continue;
                }
            };
            for (name, input) in &lock.inputs {
                for kept in input.kept() {
                    match self.file(&kept) {
                        Some(file) => drop(files.entry(file.digest).or_insert((file.size, name.clone()))),
                        None => faults.push(ArchiveFault::new(&wanted(&kept), "missing", name)),
                    }
                }
            }
        }
        let files: Vec<(Promise, String)> =
            files.into_iter().map(|(digest, (size, name))| (Promise { size, digest }, name)).collect();
        let bytes = files.iter().map(|(file, _)| file.size).sum();
        faults.extend(self.read_all(&files, bytes, progress)?);
        faults.sort();
        faults.dedup_by(|one, other| one.path == other.path);
        let (locks, files) = (self.artifacts.len() as u64, files.len() as u64);
        Ok(Verified { locks, files, bytes, faults, ..Verified::default() })
    }

    /// Reads these files, and returns those that are damaged or missing.
    fn read_all(&self, files: &[(Promise, String)], bytes: u64, progress: &dyn Progress) -> Result<Vec<ArchiveFault>> {
        let task = progress.begin(Doing::Verify, &self.address(), Some(bytes), Unit::Bytes);
        let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
        let found = on_threads(WORKERS.min(files.len()), "a thread that verifies files", |_| {
            let mut faults = Vec::new();
            while let Some((file, name)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                let told = |count: u64| task.set_position(done.fetch_add(count, Ordering::Relaxed) + count);
                let (piece, wrong) = (Piece::Blob(file.digest), "damaged");
                match judged(self.hash(*file, &told))? {
                    Ok(found) if found == file.digest => {}
                    Ok(found) => faults.push(ArchiveFault::new(&piece, wrong, format!("{name}: found {found}"))),
                    Err(error) => {
                        faults.push(ArchiveFault::new(&piece, fault(&error), format!("{name}: {}", error.message())));
                    }
                }
            }
            Ok(faults)
        })?;
        task.done(None);
        Ok(found.into_iter().flatten().collect())
    }

    /// Returns the digest of a blob's bytes.
    fn hash(&self, blob: Promise, told: &dyn Fn(u64)) -> Result<Sha256Digest> {
        let mut hashing = HashingWriter::new(std::io::sink());
        let mut at = 0;
        while at < blob.size {
            let bytes = self.remote.part(blob, at, PART.min(blob.size - at))?;
            hashing.write_all(&bytes)?;
            at += bytes.len() as u64;
            told(bytes.len() as u64);
        }
        Ok(hashing.finish().0)
    }
}

/// Returns the word for an error.
fn fault(error: &Error) -> &'static str {
    if error.kind() == Kind::NotFound { "missing" } else { "damaged" }
}
