//! Copies a directory of the project into the store.

use std::path::{Path, PathBuf};

use super::{DirectoryPin, DirectoryRequest};
use crate::error::{About as _, Error, Kind, Result};
use crate::inputs::{Block, Kept, Presence, Supply};
use crate::intake::Intake;
use crate::store::gc::Roots;
use crate::store::{Store, StoredTree};
use crate::tree::confined::Root;
use crate::tree::scan::scan;
use crate::tree::unpack::unpack;
use crate::tree::{Limits, Listing, Node, Receiver as _, TreeWriter, named};

impl Supply for Block<DirectoryRequest> {
    /// Fails unless [`Self::bring`] found the files.
    fn fetch(&self, intake: Intake, name: &str) -> Result<()> {
        if intake.store.tree(self.locked.content.digest).is_some() {
            return Ok(());
        }
        Err(Error::new(Kind::NotFound, "the pinned files are neither in the store nor beside the manifest")
            .about(name)
            .fact("directory", &self.requested.path)
            .fact("locked", self.locked.content.digest)
            .hint(format!("restore the directory from version control; `strixlock update {name}` takes another one")))
    }

    fn bring(&self, intake: Intake, name: &str, directory: &Path) -> Result<()> {
        let pin = &self.locked;
        // A store that has the tree needs no project.
        if intake.store.tree(pin.content.digest).is_some() {
            return Ok(());
        }
        let Ok(directory) = found(directory, &self.requested.path) else { return Ok(()) };
        if scan(&directory).about(name)?.digest() == pin.content.digest {
            return take_in(intake.store, &directory, Some(pin)).about(name).map(drop);
        }
        intake.fetcher.note_once(&format!(
            "warning: {name}: {} does not have the files that the lock has: `strixlock update {name}` takes them",
            self.requested.path
        ));
        Ok(())
    }

    fn presence(&self, store: &Store) -> Presence {
        Presence::of_tree(store, self.locked.content.digest, Some(self.locked.content.size))
    }

    fn keep(&self, _: &mut Roots) {}

    fn kept(&self) -> Vec<Kept> {
        vec![Kept::Tree(self.locked.content.clone())]
    }

    fn unpack_kept(&self, intake: Intake, name: &str, file: &dyn Fn(&Kept) -> Result<PathBuf>) -> Result<()> {
        let pin = &self.locked.content;
        let staging = intake.store.stage()?;
        let directory = staging.path().join("tree");
        fs_err::create_dir(&directory)?;
        let limits = Limits { entries: pin.entries, bytes: pin.size, colliding_names: true };
        for kept in self.kept() {
            let listing = unpack(fs_err::File::open(file(&kept)?)?, &directory, limits).about(name)?.listing;
            pin.demand(name, &listing)?;
            intake.store.publish_tree(&staging, &listing)?;
        }
        Ok(())
    }
}

/// Returns the directory at a path of the project.
pub(super) fn found(project: &Path, path: &str) -> Result<PathBuf> {
    let directory = project.join(path);
    if directory.is_dir() {
        return Ok(directory);
    }
    Err(Error::new(Kind::NotFound, "missing directory")
        .fact("path", directory.display())
        .hint("paths of directories are relative to the directory of the manifest"))
}

/// Copies the files of a directory into the store. Fails if they are not the pinned ones.
pub(super) fn take_in(store: &Store, directory: &Path, pin: Option<&DirectoryPin>) -> Result<(StoredTree, Listing)> {
    let names = scan(directory)?;
    store.demand_space(names.total_size())?;
    let staging = store.stage()?;
    let tree = staging.path().join("tree");
    fs_err::create_dir(&tree)?;
    let from = Root::open(directory)?;
    let mut writer = TreeWriter::new(&tree, Limits { colliding_names: true, ..Limits::default() })?;
    let mut entries: Vec<_> = names.entries().iter().collect();
    // A directory before what is in it.
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    for entry in entries {
        match &entry.node {
            Node::Directory => writer.directory(&entry.path)?,
            Node::Link { target } => writer.link(&entry.path, target)?,
            Node::File { executable, .. } => {
                let mut file = from.open_file(&entry.path).map_err(|error| {
                    Error::failure(format!("`{}` cannot be read", named(&entry.path))).because(&error)
                })?;
                writer.file(&entry.path, *executable, &mut file)?;
            }
        }
    }
    // The digest is that of the copy: the files may have changed since they were read first.
    let listing = writer.finish()?;
    if let Some(pin) = pin {
        pin.content.demand("directory", &listing)?;
    }
    Ok((store.publish_tree(&staging, &listing)?, listing))
}
