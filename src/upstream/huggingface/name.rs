//! Validates names on the hub. They become parts of URLs, file names and table cells.

use super::ModelChoice;

/// Returns whether a text is owner and name of a repository: `unsloth/gemma-3-1b-it-GGUF`.
#[must_use]
pub fn is_repository(text: &str) -> bool {
    let part = |part: &str| {
        is_word(part) && !part.contains("..") && !part.starts_with(['-', '.']) && !part.ends_with(['-', '.'])
    };
    text.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}

/// Returns whether a text is a valid branch, tag or commit; `refs/pr/1` is one too.
#[must_use]
pub fn is_revision(text: &str) -> bool {
    text.len() <= 256 && text.split('/').all(is_word)
}

/// Returns whether a text is a valid path of a file in a repository.
#[must_use]
pub fn is_file(text: &str) -> bool {
    text.len() <= 1024 && !text.chars().any(char::is_control) && crate::tree::is_path(text.as_bytes())
}

/// Returns whether a text is a quantisation as in file names: `Q4_K_M`, `UD-Q4_K_XL`, `BF16`.
#[must_use]
pub fn is_quantisation(text: &str) -> bool {
    is_word(text) && text.len() <= 32
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text != ".."
        && text != "."
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Parses the shorthand `owner/name:Q4_K_M` of llama.cpp's `-hf`.
#[must_use]
pub fn parse_model(text: &str) -> Option<(String, ModelChoice)> {
    let (repo, quantisation) = text.split_once(':')?;
    (is_repository(repo) && is_quantisation(quantisation))
        .then(|| (repo.to_owned(), ModelChoice::Quantisation(quantisation.to_owned())))
}
