//! `realize`: turns a lock, and nothing else, into trees.
//!
//! First a plan (what is here, what must be fetched, what built), then its execution. No manifest, no index, no HEAD, no
//! clock: everything comes from the lock and the bytes that it names.

mod about;
mod base;
mod bring;
mod build;
mod check;
mod compare;
mod configured;
mod execute;
mod image;
mod kernels;
mod layers;
mod model;
pub mod place;
mod plan;
pub mod prefix;
mod runtime;
mod settings;
mod sysroot;
mod unknown;
mod whole;

pub use check::Checked;
pub use compare::compare;
pub(crate) use execute::{Made, Make};
pub use execute::{Realized, Realizer, switch};
pub use plan::{Action, Plan, input_action, version};
pub use runtime::{Runtime, runtime_output};
pub use settings::Settings;
pub use unknown::unknown_models;
