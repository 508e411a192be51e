//! Looks at everything that a git server sends behind its list of refs, on its way to libgit2.

use super::pack::PackWatch;
use super::packets::Bands;
use crate::error::Result;

/// Follows the answers of one connection.
#[derive(Default)]
pub(super) struct Watch {
    bands: Bands,
    pack: PackWatch,
}

impl Watch {
    /// Looks at the next bytes. Fails before libgit2 would have to hold too much.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { bands, pack } = self;
        bands.feed(bytes, &mut |part| pack.feed(part))
    }

    /// Returns whether the whole pack has passed.
    pub fn is_complete(&self) -> bool {
        self.pack.is_complete()
    }
}
