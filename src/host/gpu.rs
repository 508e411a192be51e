//! The GPUs of the compute driver, from lines of name and number in `/sys/class/kfd/kfd/topology/nodes/N/properties`.

use std::fmt;

use super::system_files::SystemFiles;

/// A GPU of the compute driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// The name for compilers, such as `gfx1151`.
    pub name: String,
    /// The path of the GPU's render node, if the driver tells it.
    pub render: Option<String>,
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Returns the GPUs, and the number of nodes that may not be read: the driver refuses nodes whose render node is
/// forbidden by a container's device rules. CPUs are nodes too, with the version 0.
pub(super) fn gpus(files: SystemFiles) -> (Vec<Gpu>, usize) {
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
    // The number is 0 or -1 if there is no render node.
    let minor = number("drm_render_minor").filter(|minor| *minor > 0);
    Some(Gpu {
        name: gfx_name(number("gfx_target_version")?)?,
        render: minor.map(|minor| format!("/dev/dri/renderD{minor}")),
    })
}

/// Returns the name for a version in the driver's format: decimal, with two digits each for minor and stepping, so that
/// 110501 is `gfx1151`. In names, minor and stepping are one hexadecimal digit each.
#[must_use]
pub fn gfx_name(version: u32) -> Option<String> {
    let (major, minor, stepping) = (version / 10_000, version / 100 % 100, version % 100);
    (major > 0 && minor < 16 && stepping < 16).then(|| format!("gfx{major}{minor:x}{stepping:x}"))
}
