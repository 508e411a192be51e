//! Takes pinned bytes into the store.

use std::path::{Path, PathBuf};

use super::{Kept, Pinned};
use crate::digest::TreeDigest;
use crate::error::Result;
use crate::intake::{Intake, file_vouched};
use crate::store::Store;
use crate::store::gc::Roots;

/// The interface by which pinned bytes are taken into the store.
pub trait Supply: Pinned {
    /// Takes the pinned bytes into the store. Fails if they are not the pinned ones.
    fn fetch(&self, intake: Intake, name: &str) -> Result<()>;

    /// Takes those pinned files into the store that lie in the project itself, below the manifest's directory.
    fn bring(&self, _intake: Intake, _name: &str, _directory: &Path) -> Result<()> {
        Ok(())
    }

    /// Returns how much of the pin the store has. Uses no network.
    fn presence(&self, store: &Store) -> Presence;

    /// Adds the downloads and repositories that `gc` must keep, besides [`Pinned::tree`].
    fn keep(&self, roots: &mut Roots);

    /// Returns all that an archive keeps of the pin: what [`Self::fetch`] would ask the upstream for.
    fn kept(&self) -> Vec<Kept>;

    /// Takes the downloads among [`Self::kept`] into the store that it lacks.
    fn fetch_kept(&self, intake: Intake, name: &str) -> Result<()> {
        for kept in self.kept() {
            if let Kept::File(file) = kept
                && intake.store.download(file.digest).is_none()
                && !file.urls.is_empty()
            {
                file_vouched(intake, name, &file.urls, file.promise(), file.voucher)?;
            }
        }
        Ok(())
    }

    /// Makes the pinned tree of those parts of [`Self::kept`] that are no downloads. `file` returns the path of one, as
    /// an archive kept it. Downloads of the pin are in the store by then.
    fn unpack_kept(&self, _intake: Intake, _name: &str, _file: &dyn Fn(&Kept) -> Result<PathBuf>) -> Result<()> {
        Ok(())
    }

    /// Downloads the contents of the files of [`Pinned::tree`] again, to repair a damaged tree.
    fn restore(&self, _intake: Intake, _name: &str) -> Result<()> {
        Ok(())
    }

    /// Takes in the files of a model. Returns their paths in the store, in the order of [`Pinned::model_files`].
    fn model(&self, _intake: Intake, _name: &str) -> Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
}

/// The part of a pinned input that the store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// All of it.
    Here,
    /// A cold tree, to be thawed.
    Cold,
    /// Not all of it.
    Missing {
        /// The number of bytes to fetch; unknown for git, which does not announce it.
        bytes: Option<u64>,
    },
}

impl Presence {
    /// Returns the state of a tree whose download has this many bytes.
    #[must_use]
    pub fn of_tree(store: &Store, tree: TreeDigest, bytes: Option<u64>) -> Self {
        match store.tree(tree) {
            Some(_) => Self::Here,
            None if store.cold(tree).is_some() => Self::Cold,
            None => Self::Missing { bytes },
        }
    }

    /// Adds up the sizes of the missing files.
    #[must_use]
    pub fn of_missing(sizes: impl IntoIterator<Item = u64>) -> Self {
        let mut sizes = sizes.into_iter().peekable();
        match sizes.peek() {
            None => Self::Here,
            Some(_) => Self::Missing { bytes: Some(sizes.fold(0, u64::saturating_add)) },
        }
    }
}
