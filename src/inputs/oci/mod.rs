//! Input kind `oci`: a base image of a registry. What registries answer is read by [`crate::upstream::oci`].
//!
//! ```toml
//! [inputs.ubuntu]
//! type = "oci"
//! image = "registry.example/ubuntu:24.04"   # always with the registry's host; a tag, or @sha256:...
//! architecture = "amd64"                    # the one platform that is taken, of Linux
//! ```

mod layer_check;
mod pin;
mod report;
mod resolve;
mod supply;

use super::Request;
use crate::error::Result;
use crate::fetch::registry_url;
use crate::fields::{SourceText, Table};
use crate::upstream::oci::OciRequest;

pub use pin::{BlobPin, LayerPin, OciPin};
pub use supply::{oci_base, oci_tree};

impl Request for OciRequest {
    type Pin = OciPin;

    fn parse(source: &SourceText, fields: &Table) -> Result<Self> {
        let architecture = match fields.text("architecture")? {
            None => "amd64".to_owned(),
            Some(text) if text.get_ref().bytes().all(|byte| byte.is_ascii_alphanumeric()) => text.into_inner(),
            Some(text) => return Err(source.error(text.span(), "this is not an architecture", "such as \"amd64\"")),
        };
        let image = fields.needed("image")?;
        Ok(Self { image: image.get_ref().parse().map_err(|error| source.at(image.span(), &error))?, architecture })
    }

    fn asks(&self) -> Result<Vec<String>> {
        Ok(vec![registry_url(&self.image.host)])
    }
}
