//! Input kind `rocm`: a nightly tarball of AMD's, and the tree in it. [`crate::upstream::rocm`] does the look-ups.
//!
//! ```toml
//! [inputs.rocm]
//! type = "rocm"
//! target = "gfx1151"
//! channel = "nightly"          # or stable, rc, dev
//! version = "latest"           # or one, "10.1.0a20260901", or a range, ">=7.12,<8"
//! platform = "linux"
//! family = "gfx1151"           # the word in file names, where it is not the target's usual one
//! colliding-names = false      # names in the tarball may differ in case alone
//! kept-days = 120              # days for which the host keeps a build, where AMD's policy is not meant
//! min-age = "2d"               # a build must be that old; not one that is named exactly
//! deny = [{ version = "10.2.0a20260920", why = "crashes" }]   # versions and ranges that are not taken
//! sources = []                 # index pages to ask instead of AMD's
//! ```

mod choice;
mod pin;
mod provenance;
mod report;
mod resolve;
mod supply;
mod tools;

use toml::Spanned;
use url::Url;

use super::Request;
use crate::error::{Error, Result};
use crate::fields::{SourceText, Table, urls};
use crate::gfx::GfxTarget;
use crate::upstream::rocm::{Channel, Denied, Platform, RocmRequest, VersionRequest, built_in};

pub use pin::RocmPin;
pub use provenance::Provenance;
pub use resolve::at_url;
pub use tools::Tools;

impl Request for RocmRequest {
    type Pin = RocmPin;

    fn parse(source: &SourceText, fields: &Table) -> Result<Self> {
        let version = fields.parsed("version", VersionRequest::Latest, str::parse)?;
        Ok(Self {
            deny: deny(source, fields, &version)?,
            min_age: fields.parsed("min-age", None, |text| text.parse().map(Some))?,
            version,
            channel: fields.parsed("channel", Channel::nightly(), str::parse)?,
            platform: fields.parsed("platform", Platform::Linux, str::parse)?,
            family: fields.parsed("family", None, |text| text.parse().map(Some))?,
            colliding_names: fields.flag("colliding-names")?,
            kept_days: kept_days(source, fields)?,
            sources: urls(source, fields.texts("sources")?.unwrap_or_default())?,
            target: target(source, &fields.needed("target")?)?,
        })
    }

    fn asks(&self) -> Result<Vec<String>> {
        if self.sources.is_empty() {
            let current = built_in(&self.channel)?.into_iter().filter(|index| !index.frozen);
            return Ok(current.map(|index| index.url.to_string()).collect());
        }
        Ok(self.sources.iter().map(Url::to_string).collect())
    }

    fn unheld(&self) -> Option<Self> {
        let held = self.version != VersionRequest::Latest || self.min_age.is_some();
        held.then(|| Self { version: VersionRequest::Latest, min_age: None, ..self.clone() })
    }
}

/// Reads the versions that are not to be taken. Fails if one of them is the version that is asked for.
fn deny(source: &SourceText, fields: &Table, version: &VersionRequest) -> Result<Vec<Denied>> {
    let mut all = Vec::new();
    for table in fields.tables("deny")? {
        let text = table.needed("version")?;
        let denied: VersionRequest = text.get_ref().parse().map_err(|error: Error| source.at(text.span(), &error))?;
        let why = table.text("why")?.map(Spanned::into_inner);
        table.finish()?;
        match (&denied, version) {
            (VersionRequest::Latest, _) => {
                return Err(source.error(text.span(), "invalid version in `deny`", "a version or a range"));
            }
            (_, VersionRequest::Exact(wanted)) if denied.accepts(wanted) => {
                return Err(source.error(
                    text.span(),
                    format!("`version` asks for {wanted}, which is denied"),
                    "remove one",
                ));
            }
            _ => all.push(Denied { version: denied, why }),
        }
    }
    Ok(all)
}

/// Reads the number of days for which a host keeps a build.
fn kept_days(source: &SourceText, fields: &Table) -> Result<Option<u16>> {
    /// About ten years: a host that keeps builds for longer keeps them.
    const MOST: u64 = 3660;
    let Some(days) = fields.number("kept-days")? else { return Ok(None) };
    match u16::try_from(*days.get_ref()) {
        Ok(number) if (1..=MOST).contains(&u64::from(number)) => Ok(Some(number)),
        _ => Err(source.error(days.span(), "invalid number of days", &format!("from 1 to {MOST}"))),
    }
}

fn target(source: &SourceText, text: &Spanned<String>) -> Result<GfxTarget> {
    text.get_ref().parse().map_err(|error| source.at(text.span(), &error))
}
