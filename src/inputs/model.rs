//! Models: inputs of several kinds can be one.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use url::Url;

use super::LockedInput;
use crate::digest::Sha256Digest;
use crate::error::{Error, Result};
use crate::gguf::Gguf;
use crate::intake::{Intake, drop_damaged};
use crate::page::codes;
use crate::page::script::Script;

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
    let mut all = vec![("architecture", facts.architecture.clone())];
    all.extend(facts.quantisation.clone().map(|quantisation| ("quantisation", quantisation)));
    all.extend(facts.context.map(|context| ("context length", format!("{context} tokens"))));
    all.extend([("tensors", facts.tensors.to_string()), ("parameters", facts.parameters.to_string())]);
    let all: Vec<String> = all.into_iter().map(|(label, value)| format!("{label} {}", codes(&[value]))).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(page, "- header: {}", all.join(", "));
}

/// Adds the commands to rebuild.sh that download the files of a model to `inputs/NAME`. `fetch` is the function for it.
pub(super) fn rebuild(
    name: &str,
    files: &[ModelFile],
    fetch: &str,
    urls: impl Fn(&ModelFile) -> Vec<Url>,
    script: &mut Script,
) {
    for file in files {
        let (to, hex, urls) = (format!("inputs/{name}/{}", file.path), file.sha256.hex(), urls(file));
        script.run(&[vec![fetch, &to, &hex], urls.iter().map(Url::as_str).collect()].concat());
    }
}

/// Returns message and first fact of an error in one line.
pub(super) fn told(error: &Error) -> String {
    let json = error.to_json();
    let what = json["facts"][0].get("value").filter(|_| json["facts"][0]["label"] == "what");
    let what = what.and_then(|what| what.as_str()).map(|what| format!(": {what}"));
    format!("{}{}", error.message(), what.unwrap_or_default())
}
