//! Models, which inputs of several kinds can be.

use serde::{Deserialize, Serialize};

use super::LockedInput;
use crate::digest::Sha256Digest;
use crate::error::{Error, Result};
use crate::gguf::Gguf;
use crate::intake::{Intake, drop_damaged};
use crate::page::fact;

/// A file of a pinned model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its path in the repository, and in the tree of a `model` output.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Sha256Digest,
}

/// Brings the files of a model that the blob store `lacks` back into it. A download and a blob are one file there, so one that is
/// damaged is damaged under both names.
pub fn restore_model(
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
        input.model(intake, name)?;
    }
    wanted.into_iter().try_for_each(|digest| intake.store.share_download(digest))
}

/// Writes what a model file says of itself to a page.
pub(super) fn report(page: &mut String, facts: Option<&Gguf>) {
    let Some(facts) = facts else { return };
    fact(page, "architecture", &facts.architecture);
    if let Some(quantisation) = &facts.quantisation {
        fact(page, "quantisation", quantisation);
    }
    if let Some(context) = facts.context {
        fact(page, "context length", &format!("{context} tokens"));
    }
    fact(page, "tensors", &facts.tensors.to_string());
    fact(page, "parameters", &facts.parameters.to_string());
}

/// Returns message and first fact of an error, in a line.
pub(super) fn told(error: &Error) -> String {
    let json = error.to_json();
    let what = json["facts"][0].get("value").filter(|_| json["facts"][0]["label"] == "what");
    let what = what.and_then(|what| what.as_str()).map(|what| format!(": {what}"));
    format!("{}{}", error.message(), what.unwrap_or_default())
}
