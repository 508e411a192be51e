//! Decisions of a project about versions that are known to be bad.

use crate::error::Result;
use crate::fields::{SourceText, Table};

/// The table `[advisories]` of a manifest.
///
/// ```toml
/// [advisories]
/// allow = ["rocm-hsa-init-crash"]   # accepted: not told
/// deny = ["llama-hip-integrated-gpu-logits"]   # an error, not a warning
/// skip-bad = true                   # `update` passes over what is known to be bad
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Advisories that are accepted.
    pub allow: Vec<String>,
    /// Advisories whose versions are refused.
    pub deny: Vec<String>,
    /// True to pass over versions that are known to be bad, where there is a choice.
    pub skip_bad: bool,
}

impl Policy {
    /// Reads the table, if there is one.
    pub(super) fn parse(source: &SourceText, top: &Table) -> Result<Self> {
        let Some(fields) = top.table("advisories")? else { return Ok(Self::default()) };
        let allowed = fields.texts("allow")?.unwrap_or_default();
        let denied = fields.texts("deny")?.unwrap_or_default();
        let skip_bad = fields.flag("skip-bad")?;
        fields.finish()?;
        if let Some(both) = denied.iter().find(|id| allowed.iter().any(|other| other.get_ref() == id.get_ref())) {
            return Err(source.error(
                both.span(),
                "an advisory cannot be both allowed and denied",
                "remove it here or above",
            ));
        }
        let names = |texts: Vec<toml::Spanned<String>>| texts.into_iter().map(toml::Spanned::into_inner).collect();
        Ok(Self { allow: names(allowed), deny: names(denied), skip_bad })
    }
}
