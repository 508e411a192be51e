//! Ways out of the store: forms in which realized outputs travel.

pub mod oci;
pub mod snapshot;
