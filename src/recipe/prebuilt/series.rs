//! Series of ROCm by the sonames of their libraries, `series.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::upstream::release::Series;

/// The table, compiled into the program. A test parses it, so the fallback is never used.
static TABLE: LazyLock<Table> = LazyLock::new(|| toml::from_str(include_str!("series.toml")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    library: Vec<Library>,
}

/// A library of some series of ROCm.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Library {
    soname: String,
    /// The series, for people.
    pub series: String,
    /// The range of versions by which a manifest asks for them.
    pub range: String,
}

/// Returns the series of ROCm that have a library of this name, if they are known.
#[must_use]
pub fn library_series(soname: &str) -> Option<&'static Library> {
    TABLE.library.iter().find(|library| library.soname == soname)
}

/// Returns the range of versions that belong to a series.
#[must_use]
pub fn pinned_range(series: &Series) -> Option<String> {
    let major: u64 = series.major().parse().ok()?;
    Some(format!(">={major},<{}", major + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_the_table_are_those_of_a_manifest() {
        assert!(!TABLE.library.is_empty());
        for library in &TABLE.library {
            assert!(library.range.parse::<crate::upstream::rocm::VersionRequest>().is_ok(), "{library:?}");
        }
        assert_eq!(library_series("libamdhip64.so.6").map(|library| library.series.as_str()), Some("6"));
        assert!(library_series("libamdhip64.so").is_none());
        assert_eq!(pinned_range(&"7.2".parse().unwrap()).as_deref(), Some(">=7,<8"));
    }
}
