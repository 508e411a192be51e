//! The embedded upstream: index pages, tarballs and git repositories made by code and served on loopback.

pub mod http;
