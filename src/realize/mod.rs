//! `realize`: turns a lock, and nothing else, into trees.
//!
//! First a plan is made (what the store has, what must be fetched, what must be built), then it is carried out.
//! Realizing reads no manifest, asks no index and sends no HEAD, and the time of day changes nothing: everything comes
//! from the lock and from the bytes that the lock names.

mod base_tree;
mod build;
mod build_record;
mod check;
mod compare_generations;
mod compile_cache;
mod configured;
mod execute;
mod image;
mod intact;
mod kernels;
mod last_build;
mod layers;
mod model;
pub mod place;
mod plan;
pub mod prefix;
mod restore;
mod runtime;
mod settings;
mod sysroot;
mod unknown_models;
mod unknown_programs;
mod version;

pub use check::Checked;
pub use compare_generations::{OutputDifference, compare_generations};
pub(crate) use execute::{Made, Make, Making};
pub use execute::{Realized, Realizer, switch};
pub use plan::{Action, Plan, Step, input_action};
pub use runtime::{Runtime, runtime_output};
pub use settings::{CacheSettings, RealizeSettings};
pub use unknown_models::unknown_models;
pub use unknown_programs::demand_programs;
pub use version::{own_version, short_version, version};
