//! The one interface between readers of archives and writers of trees.

use std::io::Read;

use super::entries::refused;
use crate::error::Result;

/// Takes the entries of an archive, one after the other.
pub trait Receiver {
    /// A directory. It may be named again.
    fn directory(&mut self, path: &[u8]) -> Result<()>;
    /// A file with all that `contents` gives.
    fn file(&mut self, path: &[u8], executable: bool, contents: &mut dyn Read) -> Result<()>;
    /// A symbolic link.
    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()>;
    /// A second name for an earlier entry.
    fn hard_link(&mut self, path: &[u8], earlier: &[u8]) -> Result<()>;
    /// A device or a named pipe, which no tree can hold; `what` says which. The archive is refused, unless a receiver leaves
    /// such entries out.
    fn node(&mut self, path: &[u8], what: &'static str) -> Result<()> {
        Err(refused(path, &format!("it is {what}")))
    }
}
