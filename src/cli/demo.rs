//! `strixlock demo`

use super::Ui;
use crate::error::Result;

/// Show the whole way on an upstream of its own: index, tarballs and git server on loopback
#[derive(Debug, clap::Args)]
pub struct DemoArgs {}

pub fn demo(_ui: &Ui, _args: &DemoArgs) -> Result<u8> {
    Ok(0)
}
