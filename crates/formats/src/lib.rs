//! The formats that strixlock reads and writes. Bytes in, values or errors out: nothing here asks a network or knows a store.
//!
//! * [`tree`]: canonical trees: listing, writer, archives, NAR
//! * [`elf`], [`gguf`]: what an ELF file needs; what a model file says of itself
//! * [`deb`]: distribution packages to the tree of a root file system
//! * [`oci`]: images: their documents, layers and layout

pub mod deb;
pub mod elf;
pub mod gguf;
pub mod oci;
pub mod tree;

use strixlock_ground::{digest, error, progress, text, threads};
