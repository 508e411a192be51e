//! The manifest: what a person asks for, in TOML. Never changed by strixlock unless asked.
//!
//! Parsing walks the TOML table itself instead of deriving it, so that every mistake is shown at its place with a
//! suggestion. The result holds requests and recipes only; what they resolve to is the lock's business.

mod edges;
mod form;
mod parse;
pub mod rules;
mod template;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use semver::VersionReq;

use crate::error::{Error, Kind, Result};
use crate::inputs::InputRequest;
use crate::recipe::Recipe;

pub use edges::{edges, known_edges, known_generics};
pub(crate) use form::{Form, FromFields};
pub use template::{Packages, Settings as TemplateSettings, template};

/// The version of this program, which `requires` is compared with: that of the package.
pub static PROGRAM: LazyLock<semver::Version> =
    LazyLock::new(|| semver::Version::parse(env!("CARGO_PKG_VERSION")).expect("Cargo takes no other versions"));

/// A parsed manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Which versions of strixlock may read it.
    pub requires: VersionReq,
    /// What is wanted from outside, by name.
    pub inputs: BTreeMap<String, InputRequest>,
    /// What is to be made, by name.
    pub outputs: BTreeMap<String, Recipe>,
}

impl Manifest {
    /// Reads the manifest at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(path).map_err(|error| {
            let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Invalid };
            Error::new(kind, "there is no manifest that can be read")
                .fact("path", path.display())
                .because(&error)
                .hint("`strixlock init` writes one; --manifest names another")
        })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Parses a manifest; `name` is what errors call it.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        parse::parse(text, name)
    }
}

#[cfg(test)]
mod tests {
    use super::PROGRAM;

    #[test]
    fn the_version_that_requires_is_compared_with_is_the_package_s() {
        assert_eq!(PROGRAM.to_string(), env!("CARGO_PKG_VERSION"));
    }
}
