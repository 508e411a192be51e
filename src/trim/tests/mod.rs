//! Small trees of real ELF files, trimmed.

mod closure;
mod data;
mod edges;
mod fixture;
mod kpack;
mod opened;
mod processors;
mod standalone;
mod versions;
