//! A commit as a pack of its own: with all of its files, without its history.
//!
//! Archives keep such packs. One is never taken into a cache of a repository, which would look as if it had the commit's
//! history: it goes into an empty repository, from which the content is read.

use std::io::{Read, Write};
use std::path::Path;

use git2::Oid;

use super::Repository;
use super::pack::PackWatch;
use crate::error::{Error, Kind, Result};

impl Repository<'_> {
    /// Writes a pack with a commit that the cache has.
    pub fn write_pack(&self, commit: &str, out: &mut dyn Write) -> Result<()> {
        let trouble = |error: git2::Error| self.trouble(&error);
        let mut builder = self.cache.packbuilder().map_err(trouble)?;
        // Several threads search deltas in parts, and the parts depend on the number of threads.
        builder.set_threads(1);
        builder.insert_commit(Oid::from_str(commit).map_err(trouble)?).map_err(trouble)?;
        let mut written = Ok(());
        let each = |bytes: &[u8]| {
            written = out.write_all(bytes);
            written.is_ok()
        };
        let made = builder.foreach(each);
        written?;
        made.map_err(trouble)
    }

    /// Takes in the pack at `path`. Checks it as it would be checked from a server.
    pub fn read_pack(&self, path: &Path) -> Result<()> {
        let trouble = |error: git2::Error| self.trouble(&error);
        let garbled = || Error::new(Kind::Mismatch, "the pack of a commit is damaged").fact("file", path.display());
        let odb = self.cache.odb().map_err(trouble)?;
        let mut writer = odb.packwriter().map_err(trouble)?;
        let (mut watch, mut file) = (PackWatch::default(), fs_err::File::open(path)?);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            watch.feed(&buffer[..count])?;
            writer.write_all(&buffer[..count]).map_err(|error| garbled().because(&error))?;
        }
        if !watch.is_complete() {
            return Err(garbled());
        }
        writer.commit().map(drop).map_err(|error| garbled().because(&error))
    }
}
