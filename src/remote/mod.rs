//! Remotes: places where realized outputs are shared between machines.
//!
//! A remote is a repository as the OCI Distribution Specification has it: blobs under their digests, manifests, and
//! tags that lead to manifests. A registry is one; a directory, a web server or an object store can be others (see
//! [`Repository`]).
//!
//! ```text
//! tag tree-<tree digest>          a tree (see `artifact`): a manifest whose layers are
//!   listing                         the tree's listing (strix-tree-1), zstd
//!   index                           for each of the listing's contents its pieces: pack, offset, length; zstd
//!   packs                           pieces of contents, each a zstd frame of its own
//! tag derivation-<id>             that manifest once more: a hint for look-ups
//! tag push-<number>-<digest>      what one push consisted of: the lock, and the manifests of its trees
//! ```
//!
//! Rules:
//! * Nothing is believed because of a tag. A tree is its digest: the listing is compared with it, and each content with
//!   the SHA-256 in the listing, before any of it gets a name in the store. Only a statement signed by somebody whom
//!   the configuration trusts says that a derivation has a tree.
//! * What the store has is not received, and what the remote has is not sent: both sides compare contents, and large
//!   contents are cut where their bytes say so, so that two nightlies share pieces too. Pieces that a remote has in
//!   packs of earlier trees are referenced there.
//! * No document has a time in it.

mod address;
mod artifact;
mod find;
mod gc;
mod index;
mod known;
mod layout;
mod list;
mod mend;
mod notes;
mod piece;
mod pull;
mod push;
mod record;
mod referrers;
mod registry;
mod repository;
mod small;
mod statement;
mod tags;
mod verify;

pub use address::Address;
pub use artifact::About;
pub use find::{Offer, Wanted, find};
pub use gc::{gc, nothing_there};
pub use list::list;
pub use mend::remove_damaged;
pub use notes::{Notes, attach as attach_notes, notes};
pub use pull::{Received, pull};
pub use push::{Outgoing, push};
pub use repository::{Reference, Repository, is_odd, missing, receive};
pub use small::{put as put_small, read as read_small};
pub use statement::{Judge, SignedStatement, attach};
pub use verify::verify;
