//! The files of a layout in memory, where somebody else is at work too.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Mutex;

use bytes::Bytes;

use super::{Change, Files};
use crate::digest::Sha256Digest;
use crate::error::Result;

/// All files by their paths.
pub type All = BTreeMap<String, Vec<u8>>;

/// Files in memory.
#[derive(Default)]
pub struct Memory {
    /// The files.
    pub files: Mutex<All>,
    /// The deed of somebody else, for the time when the file at a path has been changed or removed.
    other: Mutex<Option<(String, Deed)>>,
}

/// A change of all files.
type Deed = Box<dyn FnOnce(&mut All) + Send>;

impl Memory {
    /// Lets somebody else do something once the file at `path` has been changed or removed.
    pub fn meanwhile(&self, path: &str, deed: impl FnOnce(&mut All) + Send + 'static) {
        *self.other.lock().unwrap() = Some((path.to_owned(), Box::new(deed)));
    }

    /// Changes the file at `path`.
    fn with<T>(&self, path: &str, change: impl FnOnce(&mut All) -> T) -> T {
        let mut files = self.files.lock().unwrap();
        let changed = change(&mut files);
        let mut other = self.other.lock().unwrap();
        if let Some((_, deed)) = other.take_if(|(of, _)| of == path) {
            deed(&mut files);
        }
        changed
    }
}

impl Files for &Memory {
    fn address(&self) -> String {
        "memory".to_owned()
    }

    fn size(&self, path: &str) -> Result<Option<u64>> {
        Ok(self.files.lock().unwrap().get(path).map(|bytes| bytes.len() as u64))
    }

    fn read(&self, path: &str, _: u64) -> Result<Option<Vec<u8>>> {
        Ok(self.files.lock().unwrap().get(path).cloned())
    }

    fn part(&self, path: &str, offset: u64, length: u64, _: u64) -> Result<Bytes> {
        let range = offset as usize..(offset + length) as usize;
        Ok(Bytes::copy_from_slice(&self.files.lock().unwrap()[path][range]))
    }

    fn prepare(&self) -> Result<()> {
        Ok(())
    }

    fn add(&self, path: &str, file: &File, size: u64, _: &(dyn Fn(u64) + Sync)) -> Result<()> {
        let mut bytes = vec![0; size as usize];
        file.read_exact_at(&mut bytes, 0)?;
        self.add_small(path, &bytes)
    }

    fn add_small(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.files.lock().unwrap().insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn change(&self, path: &str, _: u64, change: &mut Change) -> Result<()> {
        self.with(path, |files| {
            let new = change(files.get(path).map(Vec::as_slice))?;
            files.insert(path.to_owned(), new);
            Ok(())
        })
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.with(path, |files| drop(files.remove(path)));
        Ok(())
    }

    fn settled_blobs(&self) -> Result<Vec<Sha256Digest>> {
        let digest = |path: &String| Sha256Digest::from_hex(path.strip_prefix("blobs/sha256/")?);
        Ok(self.files.lock().unwrap().keys().filter_map(digest).collect())
    }
}
