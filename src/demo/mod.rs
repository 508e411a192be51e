//! The embedded upstream: index pages, tarballs and git repositories made by code and served on loopback.

pub mod elf_maker;
pub mod git_http;
pub mod http;
pub mod index;
pub mod llama;
pub mod llama_history;
pub mod nightly;
pub mod noise;
mod rocm_libraries;
pub mod rocm_tree;
