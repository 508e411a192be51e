//! What this machine is, as far as a GPU and builds care: facts, without judgement.

pub mod devices;

pub use devices::{Devices, Node, NodeState};
