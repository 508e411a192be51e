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
//! sources = []                 # index pages to ask instead of AMD's
//! ```

mod pin;
mod provenance;
mod report;
mod resolve;
mod supply;
mod tools;

use toml::Spanned;
use url::Url;

use super::Request;
use crate::error::Result;
use crate::fields::{SourceText, Table, urls};
use crate::gfx::GfxTarget;
use crate::upstream::rocm::{Channel, Platform, RocmRequest, VersionRequest, built_in};

pub use pin::RocmPin;
pub use provenance::Provenance;
pub use tools::Tools;

impl Request for RocmRequest {
    type Pin = RocmPin;

    fn parse(source: &SourceText, fields: &Table) -> Result<Self> {
        Ok(Self {
            channel: fields.parsed("channel", Channel::nightly(), str::parse)?,
            platform: fields.parsed("platform", Platform::Linux, str::parse)?,
            version: fields.parsed("version", VersionRequest::Latest, str::parse)?,
            family: fields.parsed("family", None, |text| text.parse().map(Some))?,
            colliding_names: fields.flag("colliding-names")?,
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
        let held = self.version != VersionRequest::Latest;
        held.then(|| Self { version: VersionRequest::Latest, ..self.clone() })
    }
}

fn target(source: &SourceText, text: &Spanned<String>) -> Result<GfxTarget> {
    text.get_ref().parse().map_err(|error| source.at(text.span(), &error))
}
