//! A model, whichever kind of input it is.

use std::path::PathBuf;

use super::many::drop_damaged;
use super::{Intake, file, huggingface};
use crate::digest::Promise;
use crate::digest::Sha256Digest;
use crate::error::{About as _, Result};
use crate::lock::LockedInput;

/// Takes in the files of a model; where each of them lies in the store, in the order of [`LockedInput::model_files`]. None where
/// the input cannot be a model.
pub fn model(intake: Intake, name: &str, input: &LockedInput) -> Result<Vec<PathBuf>> {
    match input {
        LockedInput::Huggingface(block) => huggingface(intake, name, &block.locked),
        LockedInput::File(block) => {
            let promise = Promise { size: block.locked.size, digest: block.locked.sha256 };
            Ok(vec![file(intake, name, &block.locked.urls, Some(promise)).about(name)?.0])
        }
        LockedInput::Rocm(_) | LockedInput::Git(_) | LockedInput::Debs(_) | LockedInput::Oci(_) => Ok(Vec::new()),
    }
}

/// Brings the files of a model that the blob store `lacks` back into it. A download and a blob are one file there, so
/// one that is damaged is damaged under both names.
pub fn model_contents(
    intake: Intake,
    name: &str,
    input: &LockedInput,
    lacks: impl Fn(Sha256Digest) -> bool,
) -> Result<()> {
    let wanted: Vec<Sha256Digest> =
        input.model_files().iter().map(|file| file.sha256).filter(|digest| lacks(*digest)).collect();
    // One that is whole may be the only one there is.
    for digest in &wanted {
        drop_damaged(intake.store, *digest)?;
    }
    if !wanted.is_empty() {
        model(intake, name, input)?;
    }
    wanted.into_iter().try_for_each(|digest| intake.store.share_download(digest))
}
