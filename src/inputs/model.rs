//! Models: inputs of several kinds can be one.

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
    /// Size in bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Sha256Digest,
}

/// Downloads the files of a model that the blob store `lacks`. A download and its blob are hard links to one file, so
/// damage affects both.
pub fn restore_model(
    intake: Intake,
    name: &str,
    input: &LockedInput,
    lacks: impl Fn(Sha256Digest) -> bool,
) -> Result<()> {
    let wanted: Vec<Sha256Digest> =
        input.model_files().iter().map(|file| file.sha256).filter(|digest| lacks(*digest)).collect();
    // An intact copy may be the only one left.
    for digest in &wanted {
        drop_damaged(intake.store, *digest)?;
    }
    if !wanted.is_empty() {
        input.model(intake, name)?;
    }
    wanted.into_iter().try_for_each(|digest| intake.store.share_download(digest))
}

/// Writes the facts in a model's header to a page.
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

/// Returns message and first fact of an error in one line.
pub(super) fn told(error: &Error) -> String {
    let json = error.to_json();
    let what = json["facts"][0].get("value").filter(|_| json["facts"][0]["label"] == "what");
    let what = what.and_then(|what| what.as_str()).map(|what| format!(": {what}"));
    format!("{}{}", error.message(), what.unwrap_or_default())
}
