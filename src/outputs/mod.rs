//! Kinds of outputs, one per file, with the implementations of the traits of other modules for each recipe.
//!
//! The recipes themselves are in [`crate::recipe`]. See docs/adding-an-output-kind.md.

mod build;
mod build_lines;
mod build_page;
mod cmake;
mod fields;
mod image;
mod llama;
mod model;
mod overlay;
mod prebuilt;
mod rocm;
mod runtime;
mod sysroot;
mod vulkan;
