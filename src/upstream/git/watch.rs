//! Checks everything that a git server sends after its list of refs, before libgit2 gets it.

use super::pack::PackWatch;
use super::packets::Bands;
use crate::error::Result;

/// Checks the answers of one connection.
#[derive(Default)]
pub(super) struct Watch {
    bands: Bands,
    pack: PackWatch,
}

impl Watch {
    /// Checks the next bytes. Fails before libgit2 would have to allocate too much.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { bands, pack } = self;
        bands.feed(bytes, &mut |part| pack.feed(part))
    }

    /// Returns whether the whole pack was received.
    pub fn is_complete(&self) -> bool {
        self.pack.is_complete()
    }
}
