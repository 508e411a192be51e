//! The one interface between readers of archives and writers of trees.

use std::io::Read;

use super::entries::refused;
use crate::error::Result;

/// A receiver of the entries of an archive, in their order. Paths are relative and raw bytes.
pub trait Receiver {
    /// Receives a directory. It may be named again.
    fn directory(&mut self, path: &[u8]) -> Result<()>;
    /// Receives a file. The receiver reads `contents` to its end.
    fn file(&mut self, path: &[u8], executable: bool, contents: &mut dyn Read) -> Result<()>;
    /// Receives a symbolic link.
    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()>;
    /// Receives a hard link: a second name for an earlier entry.
    fn hard_link(&mut self, path: &[u8], earlier: &[u8]) -> Result<()>;
    /// Receives a device or a named pipe, which no tree can hold; `what` is its kind in words. By default the
    /// archive is refused.
    fn node(&mut self, path: &[u8], what: &'static str) -> Result<()> {
        Err(refused(path, &format!("it is {what}")))
    }
}
