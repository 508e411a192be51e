//! Suggestions for misspelt words: the nearest known one.

use crate::error::{Error, Kind, Result};

/// Returns a hint for an unknown word: `did you mean X?` if one of `names` is near, else the list of all of them.
#[must_use]
pub fn suggest<'n>(wrong: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    match nearest(wrong, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.clone().next().is_some() => {
            format!("expected one of {}", names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
        }
        None => "there is nothing to choose from".to_owned(),
    }
}

/// Returns the name that is most like `wrong`, or `None` if none is similar.
#[must_use]
pub fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    nearest_within(2.max(wrong.len() / 3), wrong, names)
}

/// Returns the name that is most like `wrong`, with at most `most` letters added, lost, changed or swapped. Of equally
/// near names the first.
#[must_use]
pub fn nearest_within<'n>(most: usize, wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let near = names.map(|name| (strsim::damerau_levenshtein(wrong, name), name)).min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, _)| *distance <= most).map(|(_, name)| name)
}

/// Parses a field that has a few known words. An unknown word is an error of [`Kind::Invalid`] with a suggestion;
/// `what` names the field in its message.
pub fn one_of<T: Copy>(what: &str, text: &str, words: &[(&'static str, T)]) -> Result<T> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        Error::new(Kind::Invalid, format!("unknown {what} `{text}`"))
            .hint(suggest(text, words.iter().map(|(word, _)| *word)))
    })
}
