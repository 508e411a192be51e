//! The files of a layout on a web server, which can only be read.

use std::fs::File;

use bytes::Bytes;
use url::Url;

use super::{Change, Files, read_only};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::fetch::{Documents as _, Fetcher};
use crate::urls::show_url;

/// A layout on a web server.
pub struct Web<'a> {
    base: Url,
    fetcher: &'a Fetcher,
}

impl<'a> Web<'a> {
    /// Returns the layout whose files are below an address.
    #[must_use]
    pub fn new(mut base: Url, fetcher: &'a Fetcher) -> Self {
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        Self { base, fetcher }
    }

    fn url(&self, path: &str) -> Result<Url> {
        self.base.join(path).map_err(|error| Error::new(Kind::Invalid, "invalid address of a remote").because(&error))
    }
}

/// Returns `None` for what the server does not have.
fn absent<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Files for Web<'_> {
    fn address(&self) -> String {
        show_url(&self.base)
    }

    fn size(&self, path: &str) -> Result<Option<u64>> {
        let url = self.url(path)?;
        let Some(head) = absent(self.fetcher.head(&url))? else { return Ok(None) };
        head.size.map(Some).ok_or_else(|| {
            Error::new(Kind::Unreachable, "the server does not say how long a file is").fact("url", show_url(&url))
        })
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        Ok(absent(self.fetcher.get(&self.url(path)?, limit))?.map(|document| document.body))
    }

    fn part(&self, path: &str, offset: u64, length: u64, size: u64) -> Result<Bytes> {
        self.fetcher.file_part(&self.url(path)?, offset, length, size)
    }

    fn prepare(&self) -> Result<()> {
        Err(read_only(&self.address()))
    }

    fn add(&self, _path: &str, _file: &File, _size: u64, _sent: &(dyn Fn(u64) + Sync)) -> Result<()> {
        Err(read_only(&self.address()))
    }

    fn add_small(&self, _path: &str, _bytes: &[u8]) -> Result<()> {
        Err(read_only(&self.address()))
    }

    fn change(&self, _path: &str, _limit: u64, _change: &mut Change) -> Result<()> {
        Err(read_only(&self.address()))
    }

    fn remove(&self, _path: &str) -> Result<()> {
        Err(read_only(&self.address()))
    }

    fn settled_blobs(&self) -> Result<Vec<Sha256Digest>> {
        Err(read_only(&self.address()))
    }
}
