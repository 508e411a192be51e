//! stub
use crate::error::{Error, Result};
use crate::tree::Listing;
/// x
pub struct Tree<'a> {
    /// x
    pub directory: &'a std::path::Path,
    /// x
    pub listing: &'a Listing,
    /// x
    pub prefix: &'a str,
}
/// x
pub struct Request<'a> {
    /// x
    pub rocm: Tree<'a>,
    /// x
    pub llama: Tree<'a>,
    /// x
    pub roots: &'a [String],
    /// x
    pub target: &'a crate::gfx::GfxTarget,
}
/// x
pub struct Trimmed;
impl Trimmed {
    /// x
    #[must_use]
    pub fn listing(&self) -> Listing {
        Listing::default()
    }
}
/// x
pub fn trim(_r: &Request) -> Result<Trimmed> {
    Err(Error::failure("x"))
}
