//! Reads every byte of an archive in a registry, and compares it with the digests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::{RegistryArchive, WORKERS, judged};
use crate::archive::Piece;
use crate::archive::verify::{ArchiveFault, Verified, wanted};
use crate::digest::{Promise, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::progress::{Doing, Progress, Unit};
use crate::remote::receive;
use crate::threads::on_threads;

/// The word for a file with other bytes.
const DAMAGED: &str = "damaged";

impl RegistryArchive<'_> {
    /// Verifies the archive.
    pub fn verify(&self, progress: &dyn Progress) -> Result<Verified> {
        if self.count() == 0 && self.odd.is_empty() {
            return Err(self.nothing_there());
        }
        let locks = self.locks()?;
        let mut faults: Vec<ArchiveFault> = Vec::new();
        let odd = |(tag, error): &(String, Error)| ArchiveFault::at(tag.clone(), "damaged", error.message());
        faults.extend(self.odd.iter().map(odd));
        let mut unreadable = BTreeSet::new();
        let mut files: BTreeMap<Sha256Digest, Wanted> = BTreeMap::new();
        for one in &locks {
            let lock = match &one.lock {
                Ok(lock) => lock,
                Err(error) => {
                    faults.push(ArchiveFault::new(&Piece::Lock(one.digest), fault(error), error.message()));
                    unreadable.insert(one.digest);
                    continue;
                }
            };
            for (name, input) in &lock.inputs {
                for kept in input.kept() {
                    match self.file(&kept) {
                        Some(file) => {
                            let new = || Wanted { file, input: name.clone(), locks: BTreeSet::new() };
                            files.entry(file.digest).or_insert_with(new).locks.insert(one.digest);
                        }
                        None => faults.push(ArchiveFault::new(&wanted(&kept), "missing", name)),
                    }
                }
            }
        }
        let files: Vec<Wanted> = files.into_values().collect();
        let bytes = files.iter().map(|wanted| wanted.file.size).sum();
        let found = self.read_all(&files, bytes, progress)?;
        let damaged = found.iter().filter(|(_, fault)| fault.fault == DAMAGED).flat_map(|(wanted, _)| &wanted.locks);
        let drop = damaged.copied().chain(unreadable).collect();
        faults.extend(found.into_iter().map(|(_, fault)| fault));
        faults.sort();
        faults.dedup_by(|one, other| one.path == other.path);
        let (locks, files) = (self.artifacts.len() as u64, files.len() as u64);
        Ok(Verified { locks, files, bytes, faults, drop, ..Verified::default() })
    }

    /// Reads these files, and returns those that are damaged or missing.
    fn read_all<'w>(
        &self,
        files: &'w [Wanted],
        bytes: u64,
        progress: &dyn Progress,
    ) -> Result<Vec<(&'w Wanted, ArchiveFault)>> {
        let task = progress.begin(Doing::Verify, &self.address(), Some(bytes), Unit::Bytes);
        let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
        let found = on_threads(WORKERS.min(files.len()), "a thread that verifies files", |_| {
            let mut faults = Vec::new();
            while let Some(wanted) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                let told = |count: u64| task.set_position(done.fetch_add(count, Ordering::Relaxed) + count);
                let (word, about) = match judged(receive(&*self.remote, wanted.file, std::io::sink(), &told))? {
                    Ok(found) if found == wanted.file.digest => continue,
                    Ok(found) => (DAMAGED, format!("found {found}")),
                    Err(error) => (fault(&error), error.message().to_owned()),
                };
                let piece = Piece::Blob(wanted.file.digest);
                faults.push((wanted, ArchiveFault::new(&piece, word, format!("{}: {about}", wanted.input))));
            }
            Ok(faults)
        })?;
        task.done(None);
        Ok(found.into_iter().flatten().collect())
    }
}

/// A file that locks need.
struct Wanted {
    file: Promise,
    /// The name of an input that needs it.
    input: String,
    /// The locks that need it.
    locks: BTreeSet<Sha256Digest>,
}

/// Returns the word for an error.
fn fault(error: &Error) -> &'static str {
    if error.kind() == Kind::NotFound { "missing" } else { DAMAGED }
}
