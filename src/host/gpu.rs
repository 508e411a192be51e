//! The GPUs that the compute driver offers: `/sys/class/kfd/kfd/topology/nodes/N/properties`, lines of name and number.

use std::fmt;

use super::files::Files;

/// A GPU that the compute driver offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its name for compilers, such as `gfx1151`.
    pub name: String,
    /// The path of its own render node, where the driver tells it.
    pub render: Option<String>,
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The GPUs, and the number of nodes that we may not read: the driver refuses those whose render node a container's device
/// rules forbid. CPUs are nodes too, with the version 0.
pub(super) fn gpus(files: Files) -> (Vec<Gpu>, usize) {
    let nodes = "sys/class/kfd/kfd/topology/nodes";
    let mut gpus = Vec::new();
    let mut hidden = 0;
    for node in files.names(nodes) {
        let properties = format!("{nodes}/{node}/properties");
        match files.text(&properties) {
            Some(text) => gpus.extend(gpu(&text)),
            None if files.exists(&properties) => hidden += 1,
            None => {}
        }
    }
    (gpus, hidden)
}

fn gpu(properties: &str) -> Option<Gpu> {
    let number = |name: &str| -> Option<u32> {
        let value = properties.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        value.trim().parse().ok()
    };
    // No render node is the number 0 or -1.
    let minor = number("drm_render_minor").filter(|minor| *minor > 0);
    Some(Gpu {
        name: gfx_name(number("gfx_target_version")?)?,
        render: minor.map(|minor| format!("/dev/dri/renderD{minor}")),
    })
}

/// The name for a version as the driver counts it: decimal, two digits for minor and stepping each, so that 110501 is
/// `gfx1151`; in names minor and stepping are one hexadecimal digit each.
#[must_use]
pub fn gfx_name(version: u32) -> Option<String> {
    let (major, minor, stepping) = (version / 10_000, version / 100 % 100, version % 100);
    (major > 0 && minor < 16 && stepping < 16).then(|| format!("gfx{major}{minor:x}{stepping:x}"))
}
