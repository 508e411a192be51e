//! The GPUs that the compute driver offers: `/sys/class/kfd/kfd/topology/nodes/N/properties`, lines of name and number.

use super::files::Files;

/// The names of the GPUs, one for each; CPUs are nodes too, with the version 0.
pub(super) fn gpus(files: Files) -> Vec<String> {
    let nodes = "sys/class/kfd/kfd/topology/nodes";
    let version = |node: &String| {
        let text = files.text(&format!("{nodes}/{node}/properties"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("gfx_target_version "))?;
        line.trim().parse().ok()
    };
    files.names(nodes).iter().filter_map(version).filter_map(gfx_name).collect()
}

/// The name for a version as the driver counts it: decimal, two digits for minor and stepping each, so that 110501 is
/// `gfx1151`; in names minor and stepping are one hexadecimal digit each.
#[must_use]
pub fn gfx_name(version: u32) -> Option<String> {
    let (major, minor, stepping) = (version / 10_000, version / 100 % 100, version % 100);
    (major > 0 && minor < 16 && stepping < 16).then(|| format!("gfx{major}{minor:x}{stepping:x}"))
}
