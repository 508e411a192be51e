//! The name of a repository.

/// Whether this is one: parts of lower-case letters and digits with `.`, `_` and `-` between them, as registries have them
/// (OCI Distribution Specification, "Pulling manifests").
#[must_use]
pub fn is_repository(text: &str) -> bool {
    let small = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |part: &str| {
        let ends = part.starts_with(small) && part.ends_with(small);
        ends && part.chars().all(|c| small(c) || matches!(c, '.' | '_' | '-'))
    };
    text.len() <= 200 && text.split('/').all(part)
}
