//! Base images in registries: the request, and the registry's documents.
//!
//! A tag is looked up once, at `update`. From then on the index or manifest that it named is identified by its digest,
//! and so is everything below it.

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

/// The media type of Docker's manifest (image manifest version 2, schema 2).
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// The media type of Docker's index.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The media types that a registry is asked for.
pub const ACCEPT: [&str; 4] = [INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];

/// An input of type `oci`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OciRequest {
    /// The image: registry, repository, tag or digest.
    pub image: Reference,
    /// The GOARCH of the wanted Linux platform.
    pub architecture: String,
}
