//! Takes a pinned file into the store.

use std::path::PathBuf;

use super::{FilePin, FileRequest, unpacked};
use crate::digest::Promise;
use crate::error::{About as _, Result};
use crate::fetch::Voucher;
use crate::inputs::{Block, Kept, KeptFile, Presence, Supply};
use crate::intake::{Intake, file};
use crate::store::Store;
use crate::store::gc::Roots;

impl Supply for Block<FileRequest> {
    fn fetch(&self, intake: Intake, name: &str) -> Result<()> {
        if self.locked.content.as_ref().is_some_and(|content| intake.store.tree(content.digest).is_some()) {
            return Ok(());
        }
        let archive = take_in(intake, name, &self.locked)?;
        match &self.locked.content {
            Some(content) => unpacked::tree(intake, name, &archive, content),
            None => Ok(()),
        }
    }

    fn presence(&self, store: &Store) -> Presence {
        let bytes = store.download(self.locked.sha256).is_none().then_some(self.locked.size);
        match (&self.locked.content, bytes) {
            (Some(content), bytes) => Presence::of_tree(store, content.digest, Some(bytes.unwrap_or(0))),
            (None, None) => Presence::Here,
            (None, bytes) => Presence::Missing { bytes },
        }
    }

    fn keep(&self, roots: &mut Roots) {
        roots.downloads.insert(self.locked.sha256);
    }

    fn kept(&self) -> Vec<Kept> {
        let pin = &self.locked;
        vec![Kept::File(KeptFile::new(pin.name(), promise(pin), pin.urls.clone(), Voucher::Lock))]
    }

    fn restore(&self, intake: Intake, name: &str) -> Result<()> {
        let Some(content) = &self.locked.content else { return Ok(()) };
        unpacked::contents(intake, name, &take_in(intake, name, &self.locked)?, content)
    }

    fn model(&self, intake: Intake, name: &str) -> Result<Vec<PathBuf>> {
        Ok(vec![take_in(intake, name, &self.locked).about(name)?])
    }
}

fn take_in(intake: Intake, name: &str, pin: &FilePin) -> Result<PathBuf> {
    file(intake, name, &pin.urls, Some(promise(pin))).map(|(path, _)| path)
}

fn promise(pin: &FilePin) -> Promise {
    Promise { size: pin.size, digest: pin.sha256 }
}
