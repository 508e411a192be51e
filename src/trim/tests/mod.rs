//! Small trees of real ELF files, trimmed.

mod closure;
mod data;
mod edges;
mod fixture;
mod kpack;
mod processors;
mod versions;
