//! Snapshots for hosts: those that lack the same get the same file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::Result;
use crate::export::snapshot::{self, Base, Part, Saved, ZstdOptions};
use crate::progress::Progress;
use crate::threads::{cores, lock};

/// Level of zstd: the bytes go over a network, which is slower than that.
const LEVEL: i32 = 9;

/// A snapshot that was written.
#[derive(Debug, Clone)]
pub struct Shipment {
    /// The file.
    pub file: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub digest: Sha256Digest,
}

/// Trees of a snapshot, and those beside it.
type Key = (Vec<TreeDigest>, Vec<TreeDigest>);

/// The snapshots that were written so far, in a directory that somebody else removes.
pub struct Shipments<'a> {
    directory: &'a Path,
    made: Mutex<BTreeMap<Key, Arc<Mutex<Option<Shipment>>>>>,
}

impl<'a> Shipments<'a> {
    /// Returns an empty collection.
    pub fn new(directory: &'a Path) -> Self {
        Self { directory, made: Mutex::new(BTreeMap::new()) }
    }

    /// Returns a delta of these outputs beside these trees, and writes it first if it was not needed before.
    pub fn get(&self, parts: Vec<Part>, beside: &[Base], progress: &dyn Progress) -> Result<Shipment> {
        let key =
            (parts.iter().map(|part| part.tree.digest).collect(), beside.iter().map(|base| base.digest).collect());
        let (slot, number) = {
            let mut made = lock(&self.made);
            let number = made.len();
            (Arc::clone(made.entry(key).or_default()), number)
        };
        let mut slot = lock(&slot);
        if let Some(shipment) = &*slot {
            return Ok(shipment.clone());
        }
        let file = self.directory.join(format!("{number}.tar.zst"));
        let compression = ZstdOptions { level: LEVEL, long: true, threads: cores().min(256) as u32 };
        let Saved { size, digest } = snapshot::save(parts, Some(beside), &file, compression, progress)?;
        Ok(slot.insert(Shipment { file, size, digest }).clone())
    }
}
