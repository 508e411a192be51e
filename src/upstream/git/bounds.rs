//! Bounds on what a git server may send. Far above every repository that is meant to be built, and small enough that
//! the largest object can be held in memory.

use git2::ObjectType;

/// The longest advertisement of refs, in bytes. libgit2 takes four times as much memory; llama.cpp's has some 2 MB.
pub(super) const ADVERTISEMENT: usize = 24 << 20;
/// The most refs in it.
pub(super) const REFS: usize = 300_000;
/// The most bytes that a server may send beside its list of refs and the pack.
pub(super) const ASIDE: u64 = 8 << 20;
/// The longest pack, in bytes. All of the Linux kernel's history has a third of it.
pub(super) const PACK: u64 = 16 << 30;
/// The most objects of a pack; libgit2 keeps about a hundred bytes of each.
pub(super) const OBJECTS: u32 = 4_000_000;
/// The largest file, in bytes. Forges take no larger one outside LFS.
pub(super) const BLOB: u64 = 128 << 20;
/// The largest delta, and the largest object on either side of one: libgit2 holds all three, and some of them twice.
pub(super) const DELTA: u64 = 48 << 20;
/// The largest tree: more entries than a tree of ours may have.
const TREE: u64 = 16 << 20;
/// The largest commit or tag. Merges of many signed tags reach some hundred kilobytes.
const COMMIT: u64 = 4 << 20;
/// The largest `.gitmodules`.
pub(super) const MODULES: u64 = 1 << 20;

/// Returns the most bytes that all objects of a pack may have together, by what was received. A long history of large files
/// unpacks to some hundred times its size.
pub(super) fn unpacked(received: u64) -> u64 {
    (2u64 << 30).saturating_add(received.saturating_mul(256))
}

/// The most bytes of an object of this kind.
pub(super) fn of(kind: ObjectType) -> u64 {
    match kind {
        ObjectType::Tree => TREE,
        ObjectType::Commit | ObjectType::Tag => COMMIT,
        ObjectType::Blob => BLOB,
        ObjectType::Any => DELTA,
    }
}
