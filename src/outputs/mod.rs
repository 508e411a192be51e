//! The kinds of outputs, one a file: what each does in the rooms above is implemented here for its recipe.
//!
//! A recipe itself, and what can be said of it without a lock, is in [`crate::recipe`]. See docs/adding-an-output-kind.md.

mod image;
mod llama;
mod model;
mod rocm;
mod runtime;
mod sysroot;
