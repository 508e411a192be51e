//! Small trees of real ELF files, trimmed.

mod closure;
mod data;
mod fixture;
mod kpack;
