//! The request for an input in the manifest.

use serde::Serialize;

use super::InputKind;
use crate::error::Result;
use crate::fields::{SourceText, Table};

/// A type that belongs to one kind. The list of kinds implements it.
pub trait OfKind {
    /// The kind.
    const KIND: InputKind;
}

/// The interface of a request for an input of one kind.
pub trait Request: OfKind + Serialize + Sized {
    /// The type of its pin: enough to download the same bytes again without a look-up, and to verify them.
    type Pin: Serialize;

    /// Fields of which a table has at most one: that of a variant takes the place of the manifest's.
    const ALTERNATIVES: &'static [&'static str] = &[];

    /// Parses the request's table in the manifest. Fields that are not read here are refused afterwards.
    fn parse(source: &SourceText, fields: &Table) -> Result<Self>;

    /// Returns the input that must be resolved first, because its pin says what is asked for here.
    fn follows(&self) -> Option<&str> {
        None
    }

    /// Returns the addresses that a look-up begins with: URLs, and others that git knows. `doctor` asks their servers.
    fn asks(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Returns the request without its fixed version, if it has one: `outdated` resolves both.
    fn unheld(&self) -> Option<Self> {
        None
    }
}
