//! A block of the lock.

use serde::{Deserialize, Serialize};

use super::Request;
use crate::canonical::canonical;
use crate::digest::Sha256Digest;
use crate::error::Result;

/// The request, what it resolved to, and the digest of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block<R: Request> {
    /// The request in the manifest.
    pub requested: R,
    /// The pin.
    pub locked: R::Pin,
    /// SHA-256 of the canonical text of this block without this field.
    pub entry: Sha256Digest,
}

impl<R: Request> Block<R> {
    /// Returns the block of a request and its pin.
    pub fn new(requested: R, locked: R::Pin) -> Result<Self> {
        let entry = entry_digest(&requested, &locked)?;
        Ok(Self { requested, locked, entry })
    }

    /// Computes the digest that `entry` must have.
    pub fn digest(&self) -> Result<Sha256Digest> {
        entry_digest(&self.requested, &self.locked)
    }
}

fn entry_digest<R: Request>(requested: &R, locked: &R::Pin) -> Result<Sha256Digest> {
    #[derive(Serialize)]
    struct Signed<'a, Request, Pin> {
        r#type: &'a str,
        requested: &'a Request,
        locked: &'a Pin,
    }
    Ok(Sha256Digest::of(canonical(&Signed { r#type: R::KIND.name(), requested, locked })?.as_bytes()))
}
