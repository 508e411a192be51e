//! `realize`: turns a lock, and nothing else, into trees.
//!
//! First a plan is made (what the store has, what must be fetched, what must be built), then it is carried out.
//! Realizing reads no manifest, asks no index and sends no HEAD, and the time of day changes nothing: everything comes
//! from the lock and from the bytes that the lock names.

mod base_tree;
mod build;
mod build_record;
mod check;
mod compile_cache;
mod configure;
mod configured;
mod execute;
mod image;
mod installed;
mod intact;
mod kernels;
mod last_build;
mod layers;
mod model;
mod overlay;
pub mod place;
mod plan;
mod prebuilt;
pub mod prefix;
mod remote;
mod restore;
mod runtime;
mod said;
mod settings;
mod sysroot;
mod unknown_models;
mod unknown_programs;
mod unknown_projects;
mod unknown_targets;
mod version;
mod vulkan;
mod web_ui;

pub use check::Checked;
pub(crate) use execute::{Made, Make, Making};
pub use execute::{Realized, Realizer, add_aside, keep, switch};
pub use overlay::overlay_record;
pub use plan::{Action, Plan, Step, StepKind, input_action};
pub use runtime::{Runtime, runtime_output};
pub use said::is_build_failure;
pub use settings::{BuilderSettings, CacheSettings, RealizeSettings};
pub use unknown_models::unknown_models;
pub use unknown_programs::demand_programs;
pub use unknown_projects::demand_projects;
pub use unknown_targets::demand_targets;
pub use version::{own_version, short_version, version};
pub use vulkan::{VulkanRuntime, driver_output};
