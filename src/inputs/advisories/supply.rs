//! Supplies a pinned document: the lock has all of it that is used.

use super::AdvisoriesRequest;
use crate::error::Result;
use crate::inputs::{Block, Kept, Presence, Supply};
use crate::intake::Intake;
use crate::store::Store;
use crate::store::gc::Roots;

impl Supply for Block<AdvisoriesRequest> {
    fn fetch(&self, _: Intake, _: &str) -> Result<()> {
        Ok(())
    }

    fn presence(&self, _: &Store) -> Presence {
        Presence::Here
    }

    fn keep(&self, _: &mut Roots) {}

    /// Returns nothing: an archive keeps the lock.
    fn kept(&self) -> Vec<Kept> {
        Vec::new()
    }
}
