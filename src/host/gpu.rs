//! The GPUs of the compute driver: `/sys/class/kfd/kfd/topology/nodes/N/properties`, lines of a name and a number.

use std::fmt;

use super::files::Files;

/// A GPU of the compute driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// The name that compilers use, such as `gfx1151`.
    pub name: String,
    /// The path of its own render node, if the driver states it.
    pub render: Option<String>,
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Returns the GPUs, and the number of nodes that may not be read: the driver hides GPUs whose render node is denied
/// by a container's device rules. CPUs are nodes, too, with version 0.
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
    // 0 and -1 stand for no render node.
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
