//! Base images in registries: what is asked for, and what a registry's documents say.
//!
//! A tag is looked up once, at `update`. What it leads to, an index or a manifest, is known by its digest from then on, and
//! so is everything below it.

mod document;
mod image;
mod index;
mod reference;

use serde::{Deserialize, Serialize};

pub use document::Document;
pub use image::check_image;
pub use index::{Candidate, Choice, choose};
pub use reference::Reference;

use crate::oci::document::{INDEX, MANIFEST};

/// Docker's words for the same things (image manifest version 2, schema 2).
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's index.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What a registry is asked for.
pub const ACCEPT: [&str; 4] = [INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];

/// An input of type `oci`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OciRequest {
    /// The image: registry, repository, tag or digest.
    pub image: Reference,
    /// GOARCH of the one platform that is wanted, of Linux.
    pub architecture: String,
}
