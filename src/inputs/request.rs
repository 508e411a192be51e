//! The wish for an input, as the manifest has it.

use serde::Serialize;

use super::InputKind;
use crate::error::Result;
use crate::fields::{SourceText, Table};

/// A type that belongs to one kind. The list of kinds implements it.
pub trait OfKind {
    /// The kind.
    const KIND: InputKind;
}

/// The wish for an input of one kind.
pub trait Request: OfKind + Serialize + Sized {
    /// The pin that answers it: enough to fetch the same bytes again without a look-up, and to know that they are the same.
    type Pin: Serialize;

    /// Reads the wish from its table in the manifest. Fields that are not asked for are refused afterwards.
    fn parse(source: &SourceText, fields: &Table) -> Result<Self>;

    /// Returns the wish without the version that it holds on to, if it holds on to one: `outdated` asks both.
    fn unheld(&self) -> Option<Self> {
        None
    }
}
