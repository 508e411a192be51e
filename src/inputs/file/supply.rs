//! Takes a pinned file into the store.

use std::path::PathBuf;

use super::{FilePin, FileRequest};
use crate::digest::Promise;
use crate::error::{About as _, Result};
use crate::inputs::{Block, Presence, Supply};
use crate::intake::{Intake, file};
use crate::store::Store;
use crate::store::gc::Roots;

impl Supply for Block<FileRequest> {
    fn fetch(&self, intake: Intake, name: &str) -> Result<()> {
        take_in(intake, name, &self.locked).map(drop)
    }

    fn presence(&self, store: &Store) -> Presence {
        match store.download(self.locked.sha256) {
            Some(_) => Presence::Here,
            None => Presence::Missing { bytes: Some(self.locked.size) },
        }
    }

    fn keep(&self, roots: &mut Roots) {
        roots.downloads.insert(self.locked.sha256);
    }

    fn model(&self, intake: Intake, name: &str) -> Result<Vec<PathBuf>> {
        Ok(vec![take_in(intake, name, &self.locked).about(name)?])
    }
}

fn take_in(intake: Intake, name: &str, pin: &FilePin) -> Result<PathBuf> {
    let promise = Promise { size: pin.size, digest: pin.sha256 };
    file(intake, name, &pin.urls, Some(promise)).map(|(path, _)| path)
}
