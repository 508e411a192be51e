//! Render nodes of a GPU. The compute driver's list of GPUs has their minor numbers.

use super::{DeviceNode, Devices, Gpu};

/// The render nodes of some GPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderNodes<'h> {
    /// The nodes of these GPUs; if the driver does not state them, all nodes that belong to no other GPU.
    pub nodes: Vec<&'h DeviceNode>,
    /// True if the driver states the node of at least one of these GPUs.
    pub told: bool,
}

impl Devices {
    /// Returns the render nodes of the wanted ones among `gpus`.
    #[must_use]
    pub fn render_of(&self, gpus: &[Gpu], wanted: impl Fn(&Gpu) -> bool) -> RenderNodes<'_> {
        let (wanted, others): (Vec<&Gpu>, Vec<&Gpu>) = gpus.iter().partition(|gpu| wanted(gpu));
        let owns = |gpus: &[&Gpu], node: &DeviceNode| gpus.iter().any(|gpu| gpu.render.as_ref() == Some(&node.path));
        let told = wanted.iter().any(|gpu| gpu.render.is_some());
        let is_one = |node: &&DeviceNode| if told { owns(&wanted, node) } else { !owns(&others, node) };
        RenderNodes { nodes: self.render.iter().filter(is_one).collect(), told }
    }
}
