//! The embedded upstream: index pages, tarballs and git repositories made by code and served on loopback.
//!
//! `strixlock demo` shows the whole tool with it, without a network and in seconds, and the integration tests run
//! against it. It is as real as it has to be: servers frame (and misframe) real HTTP, tarballs hold ELF files that run,
//! git speaks its own protocol, and the sources build with CMake.
//!
//! * [`Calendar`]: a season of nightlies on the days of a calendar
//! * [`http`]: the server, its log and its faults
//! * `index`: index pages of all generations
//! * `rocm` ([`Nightly`]), [`elf_maker`], `noise`: tarballs shaped like ROCm nightlies
//! * [`llama`]: sources shaped like llama.cpp, and their git history
//! * [`git_http`]: git repositories over HTTP
//! * [`forge`]: releases of such a repository, with an archive of programs
//! * [`raw_tar`]: tar archives with exactly the given headers
//! * [`deb_maker`], [`debs`]: distribution packages, and an archive of them
//! * [`gguf_maker`], [`hub`]: a small model that llama.cpp runs, and a hub that has it
//! * [`ui`]: web UIs of llama.cpp's builds
//! * [`Upstream`]: all of it together
//!
//! It needs `cc`, and for builds `cmake` and `ninja`. Everything is made from templates and numbers, so that it is the
//! same every time on one machine; commit ids are the same on all machines.
//!
//! It never makes a connection itself, and only tests and the `demo` command use it.

mod calendar;
pub mod deb_maker;
pub mod debs;
pub mod elf_maker;
pub mod forge;
pub mod gguf_maker;
pub mod git_http;
pub mod http;
pub mod hub;
mod index;
pub mod llama;
mod noise;
pub mod raw_tar;
mod rocm;
mod tarballs;
pub mod ui;
mod upstream;

use strixlock_formats::{gguf, tree};
use strixlock_ground::{digest, error, threads, urls};

pub use calendar::Calendar;
pub use http::{Fault, Server};
pub use rocm::Nightly;
pub use tarballs::serve_tarballs;
pub use upstream::{Generation, Upstream};
