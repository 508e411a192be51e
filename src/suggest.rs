//! The nearest known word for a wrong one.

use crate::error::{Error, Kind, Result};

/// `did you mean X?`, else the list of what there is.
#[must_use]
pub fn suggest<'n>(wrong: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    let near = names.clone().map(|name| (strsim::damerau_levenshtein(wrong, name), name)).min();
    match near {
        Some((distance, name)) if distance <= 2.max(wrong.len() / 3) => format!("did you mean `{name}`?"),
        Some(_) => format!("expected one of {}", names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        None => "there is none to choose from".to_owned(),
    }
}

/// The words of a field that has a few, with the nearest as a suggestion.
pub fn one_of<T: Copy>(what: &str, text: &str, words: &[(&'static str, T)]) -> Result<T> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        Error::new(Kind::Invalid, format!("unknown {what} `{text}`"))
            .hint(suggest(text, words.iter().map(|(word, _)| *word)))
    })
}
