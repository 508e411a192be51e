//! Archives: every byte that locks need, in a directory that outlives their upstreams.
//!
//! ```text
//! ARCHIVE/
//!   strixlock-archive          "strixlock-archive 1"; flock: exclusive while something is added or removed
//!   index.html                 for people, and the index that AMD's own page is: the line `const files = [...]`
//!   therock-dist-....tar.gz    links to blobs, for whoever follows that index; their times are those of AMD's index
//!   SHA256SUMS                 for `sha256sum -c`; the list of what is there, for whoever reads it over HTTP
//!   strix.lock                 the lock that was added last
//!   locks/<hex>.lock           every lock, under its digest
//!   blobs/sha256/<hex>         downloads, packs and tar archives, under their digests
//!   git/<commit>               digest and size of the blob that is a pack with this commit
//!   directories/<tree>         digest and size of the blob that is a tar archive of this tree
//!   trees/<tree>/, chunks/     trees in cold form, as in a store (see `store`), in place of tarballs
//!   oci-layout, index.json     if it is an OCI image layout too (see `layout`)
//!   tmp/                       everything unfinished
//! ```
//!
//! In a registry an archive is a repository (see `registry`): an artifact for each lock (see `artifact`), whose layers are
//! the lock and the blobs that it needs.
//!
//! Rules:
//! * Everything outside `tmp/` is complete: a file is written there, synced and renamed. A lock gets its name after
//!   everything that it needs, so a lock that is there can be realized.
//! * Each kind of input says itself what is kept of its pins ([`Kept`](crate::inputs::Kept)).
//! * Nothing in an archive is believed without a digest of the lock that is realized. Names are those of [`Piece`]:
//!   others are neither read nor served.
//! * A cold archive has trees in place of tarballs. The tree of the pin comes out of it, and no longer the tarball's bytes.

mod add;
mod artifact;
mod form;
mod keeper;
mod layout;
mod name;
mod page;
mod place;
mod prune;
mod read;
mod registry;
mod tarball;
mod verify;

pub use add::{Added, add};
pub use form::Piece;
pub use layout::make_layout;
pub use name::ArchiveName;
pub use page::{Listed, refresh, tarballs};
pub use place::{Archive, ArchivedLock};
pub use prune::prune;
pub use read::{Source, Taken};
pub use registry::RegistryArchive;
pub use tarball::{pack, unpacked};
pub use verify::verify;
