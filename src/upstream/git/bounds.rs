//! Limits on what a git server may send: far above any real repository, and small enough that the largest object fits
//! into memory.

use git2::ObjectType;

/// Greatest length of an advertisement of refs, in bytes. libgit2 uses four times as much memory; llama.cpp's has about
/// 2 MB.
pub(super) const ADVERTISEMENT: usize = 24 << 20;
/// Greatest number of refs in an advertisement.
pub(super) const REFS: usize = 300_000;
/// Greatest number of bytes that a server may send besides its list of refs and the pack.
pub(super) const BESIDES: u64 = 8 << 20;
/// Greatest length of a pack, in bytes. The whole history of the Linux kernel is a third of that.
pub(super) const PACK: u64 = 16 << 30;
/// Greatest number of objects in a pack; libgit2 keeps about a hundred bytes for each.
pub(super) const OBJECTS: u32 = 4_000_000;
/// Greatest size of a file, in bytes. Forges accept no larger one outside LFS.
pub(super) const BLOB: u64 = 128 << 20;
/// Greatest size of a delta, and of the objects before and after it: libgit2 holds all three, and some of them twice.
pub(super) const DELTA: u64 = 48 << 20;
/// Greatest size of a tree: it allows more entries than a tree in the store may have.
const TREE: u64 = 16 << 20;
/// Greatest size of a commit or tag. Merges of many signed tags reach some hundred kilobytes.
const COMMIT: u64 = 4 << 20;
/// Greatest size of `.gitmodules`.
pub(super) const MODULES: u64 = 1 << 20;

/// Returns the greatest total size of all objects of a pack, by the number of bytes received. A long history of large
/// files unpacks to some hundred times its size.
pub(super) fn unpacked(received: u64) -> u64 {
    (2u64 << 30).saturating_add(received.saturating_mul(256))
}

/// Returns the greatest size of an object of this kind.
pub(super) fn of(kind: ObjectType) -> u64 {
    match kind {
        ObjectType::Tree => TREE,
        ObjectType::Commit | ObjectType::Tag => COMMIT,
        ObjectType::Blob => BLOB,
        ObjectType::Any => DELTA,
    }
}
