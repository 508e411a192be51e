//! OCI images: their documents, their layers, and the directory they stand in.
//!
//! Owns the formats (OCI Image Format Specification 1.1, and the parts of Docker's schema 2 that registries still
//! send), the writer of layers and the layout. Uses no registry and knows no lock: the caller decides what goes into an
//! image.
//!
//! An image here is a tree like any other, an OCI layout:
//!
//! ```text
//! oci-layout                  {"imageLayoutVersion": "1.0.0"}
//! index.json                  names the one manifest
//! blobs/sha256/<hex>          manifest, configuration, layers
//! ```
//!
//! The digest that engines know an image by is the manifest's: [`layout::manifest`] reads it.

pub mod apply;
mod archive;
pub mod artifact;
mod compression;
pub mod document;
mod inherited;
mod kind;
pub mod layer;
pub mod layout;
mod name;

pub use archive::LayerFile;
pub use artifact::Artifact;
pub use compression::{Compression, Compressor};
pub use document::{Config, Descriptor, Manifest};
pub use inherited::{BaseConfig, Inherited, Odd};
pub use kind::{LayerKind, layer_kind};
pub use layer::Layer;
pub use name::{ImageName, is_repository};
