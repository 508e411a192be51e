//! Canonical trees.

mod listing;

pub use listing::{Entry, Listing, Node, is_path, show};
