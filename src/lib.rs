//! strixlock: lock files and a verified fetcher for llama.cpp on AMD Strix Halo with ROCm nightlies.

pub mod demo;
pub mod digest;
pub mod elf;
pub mod error;
pub mod gfx;
pub mod tree;
pub mod trim;
pub mod upstream;
