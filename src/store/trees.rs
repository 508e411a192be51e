//! Trees in the store: published by one rename, their files deduplicated by digest.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, RenameFlags};
use rustix::io::Errno;

use super::remove::remove_tree;
use super::{Staging, Store, sync_directory};
use crate::digest::{HashingWriter, Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::threads::{cores, on_threads};
use crate::tree::confined::{MTIME, Root, seal_file, stored_mode, times};
use crate::tree::{Entry, Listing, Node};

/// A tree that is in the store.
#[derive(Debug, Clone)]
pub struct StoredTree {
    /// Its digest.
    pub digest: TreeDigest,
    /// The tree's directory.
    pub path: PathBuf,
}

impl StoredTree {
    /// Reads the listing. Fails if its digest is not that of this tree.
    pub fn listing(&self) -> Result<Listing> {
        read_listing(self.path.parent().unwrap_or(&self.path), self.digest)
    }
}

/// Reads the listing in a tree's directory. Fails if its digest is not `digest`.
pub(super) fn read_listing(directory: &Path, digest: TreeDigest) -> Result<Listing> {
    let path = directory.join("listing");
    let text = fs_err::read(&path)?;
    if TreeDigest(Sha256Digest::of(&text)) != digest {
        return Err(Error::new(Kind::Damaged, "a listing in the store is damaged")
            .fact("file", path.display())
            .fact("expected", digest)
            .hint(format!("remove {} and run again", directory.display())));
    }
    Listing::parse(&text)
}

impl Store {
    /// Returns the tree with this digest, if the store has it hot.
    #[must_use]
    pub fn tree(&self, digest: TreeDigest) -> Option<StoredTree> {
        let (hex, own) = (digest.hex(), |below: &str| self.own(below).is_some_and(|found| found.is_dir()));
        let there = own(&format!("trees/{hex}/tree")) && own(&format!("trees/{hex}"));
        there.then(|| StoredTree { digest, path: self.root.join("trees").join(hex).join("tree") })
    }

    /// Returns the listing of the tree with this digest, if the store has the tree, hot or cold.
    pub fn listing(&self, digest: TreeDigest) -> Result<Option<Listing>> {
        let hot = self.tree(digest).map(|tree| tree.listing());
        hot.or_else(|| self.cold(digest).map(|tree| tree.listing())).transpose()
    }

    /// Publishes the tree at `tree/` of a staging directory. `listing` is the listing of that tree.
    pub fn publish_tree(&self, staging: &Staging, listing: &Listing) -> Result<StoredTree> {
        let digest = listing.digest();
        if let Some(there) = self.tree(digest) {
            return Ok(there);
        }
        self.share_all(staging, listing)?;
        self.publish(staging, listing)
    }

    /// Hard-links the files in `tree/` of a staging directory into the blob store.
    pub fn share_all(&self, staging: &Staging, listing: &Listing) -> Result<()> {
        // All bytes must be on disk before the first file gets a name outside tmp/.
        self.sync()?;
        let root = Root::open(&staging.path().join("tree"))?;
        // Each thread has its own blob directories, so threads neither contend nor handle the same digest.
        let threads = cores();
        let shared = on_threads(threads, "a thread that shares files", |mine| {
            let spare = staging.path().join(format!("spare-{mine}"));
            for entry in listing.entries() {
                if let Node::File { executable, digest, .. } = entry.node
                    && usize::from(digest.as_bytes()[0]) % threads == mine
                {
                    self.share(&root, entry, digest, executable, &spare)?;
                }
            }
            Ok(())
        });
        shared.map(drop)
    }

    /// Returns the digests of all trees in the store, sorted.
    pub fn trees(&self) -> Result<Vec<TreeDigest>> {
        let mut all = Vec::new();
        for entry in fs_err::read_dir(self.root.join("trees"))? {
            let name = entry?.file_name();
            all.extend(name.to_str().and_then(Sha256Digest::from_hex).map(TreeDigest));
        }
        all.sort_unstable();
        Ok(all)
    }

    /// Assembles and publishes a tree whose files are all in the blob store.
    pub fn publish_from_blobs(&self, listing: &Listing) -> Result<StoredTree> {
        match self.tree(listing.digest()) {
            Some(there) => Ok(there),
            None => self.publish(&self.stage_from_blobs(listing)?, listing),
        }
    }

    /// Assembles a tree whose files are all in the blob store (part of another tree, for example) at `tree/` of a new
    /// staging directory.
    pub fn stage_from_blobs(&self, listing: &Listing) -> Result<Staging> {
        let staging = self.stage_directories(listing)?;
        self.fill_from_blobs(&staging, listing, &|_| false)?;
        Ok(staging)
    }

    /// Creates the directories of a tree at `tree/` of a new staging directory.
    pub fn stage_directories(&self, listing: &Listing) -> Result<Staging> {
        let staging = self.stage()?;
        let directory = staging.path().join("tree");
        fs_err::create_dir(&directory)?;
        let root = Root::open(&directory)?;
        for entry in listing.entries().iter().filter(|entry| entry.node == Node::Directory) {
            root.create_directory(&entry.path)?;
        }
        Ok(staging)
    }

    /// Publishes the tree at `tree/` of a staging directory. The blob store has all of its files; those that `is_there`
    /// returns true for are in the directory already, and so are all directories.
    pub fn publish_filled(
        &self,
        staging: &Staging,
        listing: &Listing,
        is_there: &dyn Fn(&Entry) -> bool,
    ) -> Result<StoredTree> {
        self.fill_from_blobs(staging, listing, is_there)?;
        match self.tree(listing.digest()) {
            Some(there) => Ok(there),
            None => self.publish(staging, listing),
        }
    }

    /// Makes the links of a tree, and links its files from the blob store, but for those that are there.
    fn fill_from_blobs(&self, staging: &Staging, listing: &Listing, is_there: &dyn Fn(&Entry) -> bool) -> Result<()> {
        let root = Root::open(&staging.path().join("tree"))?;
        for entry in listing.entries().iter().filter(|entry| !is_there(entry)) {
            match &entry.node {
                Node::Directory => {}
                Node::Link { target } => root.create_link(&entry.path, target)?,
                Node::File { executable, digest, .. } => {
                    let blob = self.blob(*digest, *executable);
                    // A blob that was touched, or is another user's, is copied, and its digest checked.
                    let linked = if self.is_untouched(entry) {
                        root.in_parent(&entry.path, |parent, name| {
                            rustix::fs::linkat(CWD, &blob, parent, name, AtFlags::empty())
                        })
                    } else {
                        Err(Errno::MLINK.into())
                    };
                    // File systems limit the number of hard links of a file. Past the limit the bytes are copied.
                    let copied =
                        matches!(&linked, Err(error) if error.raw_os_error() == Some(Errno::MLINK.raw_os_error()));
                    let linked = if copied { self.copy_blob(&root, entry) } else { linked };
                    linked.map_err(|error| {
                        Error::new(Kind::Damaged, format!("the store lacks the contents of `{}`", entry.display()))
                            .fact("blob", blob.display())
                            .because(&error)
                            .hint("`strixlock verify --repair` restores it")
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Seals `tree/` of a staging directory, adds its listing, and makes both visible by one rename.
    fn publish(&self, staging: &Staging, listing: &Listing) -> Result<StoredTree> {
        let digest = listing.digest();
        let root = Root::open(&staging.path().join("tree"))?;
        // In reverse order, so that a directory is made read-only after the directories in it.
        for entry in listing.entries().iter().rev().filter(|entry| entry.node == Node::Directory) {
            root.seal_directory(&entry.path, 0o555)?;
        }
        // The wrapper is renamed, not `tree/`: moving a directory to another parent needs write access to the directory
        // itself, which is read-only by then.
        let wrapper = staging.path().join("publish");
        fs_err::create_dir(&wrapper)?;
        listing.write_to(fs_err::File::create(wrapper.join("listing"))?)?;
        fs_err::rename(staging.path().join("tree"), wrapper.join("tree"))?;
        let root = Root::open(&wrapper)?;
        root.seal_directory(b"tree", 0o555)?;
        self.sync()?;
        let trees = self.root.join("trees");
        let place = trees.join(digest.hex());
        match fs_err::rename(&wrapper, &place) {
            Ok(()) => sync_directory(&trees)?,
            // Another process was faster and published the same tree.
            Err(_) if self.tree(digest).is_some() => remove_tree(&wrapper)?,
            // The cold form of the tree, or the rest of a damaged one.
            Err(_) if place.is_dir() => {
                self.exchange_tree(&wrapper, digest)?;
                // The other form is in the staging directory now, and must not be removed before the new one is
                // durable.
                self.sync()?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(StoredTree { digest, path: place.join("tree") })
    }

    /// Exchanges the directory of a tree in one form (hot or cold) with that of its other form, which is then at
    /// `wrapper`.
    pub(super) fn exchange_tree(&self, wrapper: &Path, digest: TreeDigest) -> Result<()> {
        let place = self.root.join("trees").join(digest.hex());
        rustix::fs::renameat_with(CWD, wrapper, CWD, &place, RenameFlags::EXCHANGE).map_err(|error| {
            Error::failure("the file system cannot exchange two directories in one step, which cold trees need")
                .fact("store", self.root.display())
                .because(&std::io::Error::from(error))
        })
    }

    /// Returns the path of the blob with these contents.
    #[must_use]
    pub fn blob(&self, digest: Sha256Digest, executable: bool) -> PathBuf {
        self.root.join(blob_name(digest, executable))
    }

    /// Returns whether the store has the contents of a file, in an untouched blob. True for anything but a file.
    #[must_use]
    pub fn has_contents(&self, entry: &Entry) -> bool {
        !matches!(entry.node, Node::File { .. }) || self.is_untouched(entry)
    }

    /// Opens a blob for reading without following links.
    pub(super) fn open_blob(&self, digest: Sha256Digest, executable: bool) -> std::io::Result<File> {
        self.beneath()?.open_file(blob_name(digest, executable).as_bytes())
    }

    /// Creates the directory for blobs with this digest.
    pub(super) fn make_blob_directory(&self, digest: Sha256Digest) -> Result<()> {
        self.make_directory(&format!("blobs/{}", &digest.hex()[..2])).map(drop)
    }

    /// Returns whether a file's blob still has the size, mode and time that it was sealed with, and belongs to root or
    /// ourselves. A write to the blob changes its time. Bytes that the disk changed are for `verify` to find.
    fn is_untouched(&self, entry: &Entry) -> bool {
        let Node::File { executable, size, digest } = entry.node else { return false };
        self.own(&blob_name(digest, executable)).is_some_and(|found| {
            found.is_file()
                && found.len() == size
                && found.mtime() == MTIME
                && found.mode() & 0o7777 == stored_mode(executable)
        })
    }

    /// Copies a file from its blob. Fails if the blob does not have the digest that it is named by.
    fn copy_blob(&self, root: &Root, entry: &Entry) -> std::io::Result<()> {
        let Node::File { executable, digest, .. } = entry.node else { return Ok(()) };
        let mut from = self.open_blob(digest, executable)?;
        let file = root.create_file(&entry.path)?;
        let mut writer = HashingWriter::new(&file);
        std::io::copy(&mut from, &mut writer)?;
        let (found, copied, _) = writer.finish();
        entry.demand_contents(found, copied)?;
        seal_file(&file, stored_mode(executable))
    }

    /// Deduplicates a staged file against the blob store by hard link. An existing untouched blob wins. `spare` is an
    /// unused path on the same file system.
    fn share(&self, root: &Root, entry: &Entry, digest: Sha256Digest, executable: bool, spare: &Path) -> Result<()> {
        let blob = self.blob(digest, executable);
        let beneath = blob_name(digest, executable);
        let blobs_root = self.beneath()?;
        // Both ends are reached by descriptors that were opened without following links.
        let link_out = || {
            root.in_parent(&entry.path, |parent, name| {
                Ok(blobs_root.in_parent(beneath.as_bytes(), |blobs, blob| {
                    rustix::fs::linkat(parent, name, blobs, blob, AtFlags::empty())
                }))
            })
            .and_then(|linked| linked)
        };
        let linked = match link_out() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.make_blob_directory(digest)?;
                link_out()
            }
            other => other,
        };
        match linked.map_err(|error| (error.raw_os_error(), error)) {
            Ok(()) => Ok(()),
            Err((Some(code), _)) if code == Errno::EXIST.raw_os_error() => {
                if !self.is_untouched(entry) {
                    return replace_blob(root, entry, &blob, spare);
                }
                let shared = root.in_parent(&entry.path, |parent, name| {
                    match rustix::fs::linkat(CWD, &blob, CWD, spare, AtFlags::empty()) {
                        Ok(()) => rustix::fs::renameat(CWD, spare, parent, name)?,
                        // The blob has as many hard links as the file system allows (65,000 on ext4): the staged file
                        // stays.
                        Err(Errno::MLINK) => return Ok(()),
                        Err(error) => return Err(error),
                    }
                    // A rename between two hard links of one file does nothing and leaves both.
                    match rustix::fs::unlinkat(CWD, spare, AtFlags::empty()) {
                        Err(Errno::NOENT) => Ok(()),
                        other => other,
                    }
                });
                shared.map_err(|error| Error::from(error).fact("entry", entry.display()))
            }
            Err((_, error)) => Err(no_hard_link(&blob, error)),
        }
    }
}

/// Replaces a blob by the staged file, whose bytes were verified just now.
fn replace_blob(root: &Root, entry: &Entry, blob: &Path, spare: &Path) -> Result<()> {
    root.in_parent(&entry.path, |parent, name| rustix::fs::linkat(parent, name, CWD, spare, AtFlags::empty()))?;
    Ok(fs_err::rename(spare, blob)?)
}

/// Explains why a hard link could not be made.
pub(super) fn no_hard_link(place: &Path, error: std::io::Error) -> Error {
    let unable = [Errno::PERM, Errno::OPNOTSUPP, Errno::NOSYS].map(Errno::raw_os_error);
    if error.raw_os_error().is_none_or(|code| !unable.contains(&code)) {
        return Error::from(error).fact("path", place.display());
    }
    Error::failure("the file system of the store has no hard links")
        .fact("path", place.display())
        .because(&error)
        .hint("put the store on a file system such as ext4, xfs or btrfs, with --store")
}

/// Returns the path of a blob below the store.
fn blob_name(digest: Sha256Digest, executable: bool) -> String {
    let hex = digest.hex();
    format!("blobs/{}/{}{}", &hex[..2], &hex[2..], if executable { "x" } else { "" })
}

/// Sets the modes and times of files and links that a build left in `directory` to those of the store.
pub fn normalise(directory: &Path, listing: &Listing) -> Result<()> {
    let root = Root::open(directory)?;
    for entry in listing.entries() {
        match &entry.node {
            Node::Directory => {}
            Node::File { executable, .. } => {
                seal_file(&root.open_file(&entry.path)?, stored_mode(*executable))?;
            }
            Node::Link { .. } => root.in_parent(&entry.path, |parent, name| {
                rustix::fs::utimensat(parent, name, &times(), AtFlags::SYMLINK_NOFOLLOW)
            })?,
        }
    }
    Ok(())
}
