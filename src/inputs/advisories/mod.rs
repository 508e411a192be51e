//! Input kind `advisories`: a document with versions that are known to be bad.
//!
//! ```toml
//! [inputs.advisories]
//! type = "advisories"
//! url = "https://host/advisories.toml"
//! urls = []                    # more URLs of the same document
//! keyring = "advisories.gpg"   # relative to the manifest; the document must have a signature by one of its keys
//! keys = []                    # fingerprints; which of the keyring's keys may sign
//! ```
//!
//! A document is small, and its entries are in the lock itself: warnings need neither the store nor the network.

mod pin;
mod resolve;
mod supply;

use serde::{Deserialize, Serialize};
use url::Url;

use super::Request;
use super::debs::{keyring, keys};
use crate::error::Result;
use crate::fields::{SourceText, Table, urls};

pub use pin::AdvisoriesPin;

/// A wanted document with advisories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdvisoriesRequest {
    /// URLs of the document, asked in order.
    pub urls: Vec<Url>,
    /// Path of the keyring, relative to the manifest; without it, no signature is demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyring: Option<String>,
    /// Fingerprints of the keys that may sign; all of the keyring if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

impl Request for AdvisoriesRequest {
    type Pin = AdvisoriesPin;

    fn parse(source: &SourceText, fields: &Table) -> Result<Self> {
        let mut all = fields.texts("urls")?.unwrap_or_default();
        if let Some(url) = fields.text("url")? {
            all.insert(0, url);
        }
        let (keyring, keys) = (keyring(source, fields)?, keys(source, fields)?);
        if keyring.is_none()
            && let Some(field) = fields.field("keys")
        {
            return Err(source.error(
                field.span(),
                "`keys` choose among the keys of a keyring",
                "name the keyring in `keyring`",
            ));
        }
        if all.is_empty() {
            return Err(fields.missing("url", &["urls"]));
        }
        Ok(Self { urls: urls(source, all)?, keyring, keys })
    }
}
