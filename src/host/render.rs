//! Which render node belongs to a GPU: the compute driver's list of GPUs names it by its minor number.

use super::{Devices, Gpu, Node};

/// The render nodes of the GPUs that are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderNodes<'h> {
    /// The nodes that are such a GPU's own; those of no other GPU where the driver does not tell.
    pub nodes: Vec<&'h Node>,
    /// True if the driver tells the node of at least one such GPU.
    pub told: bool,
}

impl Devices {
    /// Returns the render nodes of the wanted ones among `gpus`.
    #[must_use]
    pub fn render_of(&self, gpus: &[Gpu], wanted: impl Fn(&Gpu) -> bool) -> RenderNodes<'_> {
        let (wanted, others): (Vec<&Gpu>, Vec<&Gpu>) = gpus.iter().partition(|gpu| wanted(gpu));
        let owns = |gpus: &[&Gpu], node: &Node| gpus.iter().any(|gpu| gpu.render.as_ref() == Some(&node.path));
        let told = wanted.iter().any(|gpu| gpu.render.is_some());
        let is_one = |node: &&Node| if told { owns(&wanted, node) } else { !owns(&others, node) };
        RenderNodes { nodes: self.render.iter().filter(is_one).collect(), told }
    }
}
