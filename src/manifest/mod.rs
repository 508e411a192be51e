//! The manifest: the user's requests and recipes, in TOML. strixlock changes it only on request: see [`with_freeze`].
//!
//! The parser walks the TOML tables itself, without serde, so that every mistake is shown at its place with a
//! suggestion. The result has requests and recipes only. The lock has what they resolve to.

mod edges;
mod form;
mod freeze;
mod parse;
mod policy;
pub mod rules;
mod template;
mod variants;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use semver::VersionReq;

use crate::error::{Error, Kind, Result};
use crate::inputs::InputRequest;
use crate::recipe::Recipe;

pub use edges::{edges, known_edges, known_generics};
pub(crate) use form::{Form, FromFields};
pub use freeze::{Freeze, with_freeze};
pub use policy::Policy;
pub use template::{Packages, TemplateSettings, template};

/// The version of this package, with which `requires` is compared.
pub static PROGRAM: LazyLock<semver::Version> =
    LazyLock::new(|| semver::Version::parse(env!("CARGO_PKG_VERSION")).expect("Cargo takes no other versions"));

/// A parsed manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The versions of strixlock that may read the manifest.
    pub requires: VersionReq,
    /// The requested inputs, by name.
    pub inputs: BTreeMap<String, InputRequest>,
    /// The freezes of inputs, by their names. Some may have ended. Variants do not inherit them.
    pub frozen: BTreeMap<String, Freeze>,
    /// The recipes of the outputs, by name.
    pub outputs: BTreeMap<String, Recipe>,
    /// Decisions about versions that are known to be bad.
    pub policy: Policy,
}

impl Manifest {
    /// Reads the manifest at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(path).map_err(|error| {
            let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Invalid };
            Error::new(kind, "cannot read the manifest")
                .fact("path", path.display())
                .because(&error)
                .hint("`strixlock init` writes one; --manifest names another")
        })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Parses a manifest. Errors call it `name`.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        parse::parse(text, name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Manifest, PROGRAM};

    #[test]
    fn the_version_that_requires_is_compared_with_is_the_package_s() {
        assert_eq!(PROGRAM.to_string(), env!("CARGO_PKG_VERSION"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}a-z=\"\n,.0-9 -]{0,80}") {
            let _ = Manifest::parse(&text, "x.toml");
            for head in ["[inputs.a]\ntype = \"debs\"\n", "[outputs.a]\ntype = \"runtime\"\nedges = [{from = 1}, 2]\n"] {
                let text = format!("{head}{text}");
                prop_assert!(Manifest::parse(&text, "x.toml").is_err());
            }
        }
    }
}
