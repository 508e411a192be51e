//! The formats that strixlock reads and writes. Bytes in, values or errors out: nothing here uses a network or knows a
//! store.
//!
//! * [`tree`]: canonical trees: listing, writer, archives, NAR
//! * [`elf`], [`gguf`]: the headers of programs and libraries, and of model files
//! * [`deb`]: distribution packages, unpacked to the tree of a root file system
//! * [`oci`]: images: their documents, layers and layout

pub mod deb;
pub mod elf;
pub mod gguf;
pub mod oci;
pub mod tree;

use strixlock_ground::{digest, error, progress, text, threads};
