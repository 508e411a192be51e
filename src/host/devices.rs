//! The device nodes that ROCm opens: `/dev/kfd` for computing, `/dev/dri/renderD*` for the memory of each GPU.
//!
//! A node is probed by opening it. Mode bits are not enough: the device rules of a container may deny what they allow,
//! and rootless containers lose the groups that own the node.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use serde::Serialize;

/// The nodes of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Devices {
    /// `/dev/kfd`.
    pub kfd: Option<DeviceNode>,
    /// `/dev/dri/renderD128` and so on, in order.
    pub render: Vec<DeviceNode>,
    /// The groups that own `/dev/dri/card*`, each once. Programs that draw open these nodes; ROCm does not.
    pub card_groups: Vec<u32>,
}

/// One device node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceNode {
    /// Its absolute path.
    pub path: String,
    /// The result of opening it.
    pub state: NodeState,
    /// The number of the group that owns it.
    pub group: u32,
}

/// The result of opening a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// It can be opened for reading and writing.
    Usable,
    /// Permission denied.
    Denied,
    /// Opening it fails for another reason: its driver is gone.
    Dead,
    /// It is not a device: container engines create a directory if the source of a mount is missing.
    NotADevice,
}

/// The limit for the number of nodes. No machine has more GPUs.
const MOST: usize = 64;

impl Devices {
    /// Probes the nodes below `root`.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let numbered = |prefix: &str| {
            let mut names: Vec<String> = std::fs::read_dir(root.join("dev/dri"))
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .filter(|name| name.strip_prefix(prefix).is_some_and(|rest| rest.parse::<u32>().is_ok()))
                .take(MOST)
                .collect();
            names.sort();
            names
        };
        let card_group = |name: &String| {
            let metadata = std::fs::metadata(root.join("dev/dri").join(name)).ok()?;
            metadata.file_type().is_char_device().then(|| metadata.gid())
        };
        let mut card_groups: Vec<u32> = numbered("card").iter().filter_map(card_group).collect();
        card_groups.sort_unstable();
        card_groups.dedup();
        Self {
            kfd: DeviceNode::probe(root, "dev/kfd"),
            render: numbered("renderD")
                .iter()
                .filter_map(|name| DeviceNode::probe(root, &format!("dev/dri/{name}")))
                .collect(),
            card_groups,
        }
    }

    /// Returns the present nodes that ROCm opens.
    pub fn all(&self) -> impl Iterator<Item = &DeviceNode> {
        self.kfd.iter().chain(&self.render)
    }

    /// Returns whether ROCm can use a GPU: the compute node and at least one render node are usable.
    #[must_use]
    pub fn usable(&self) -> bool {
        let usable = |node: &DeviceNode| node.state == NodeState::Usable;
        self.kfd.as_ref().is_some_and(usable) && self.render.iter().any(usable)
    }

    /// Returns the groups that own the nodes and the cards, each once.
    #[must_use]
    pub fn groups(&self) -> Vec<u32> {
        let mut groups: Vec<u32> = self.all().map(|node| node.group).chain(self.card_groups.iter().copied()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

impl DeviceNode {
    fn probe(root: &Path, path: &str) -> Option<Self> {
        let place = root.join(path);
        let metadata = std::fs::metadata(&place).ok()?;
        let state = if metadata.file_type().is_char_device() { open(&place) } else { NodeState::NotADevice };
        Some(Self { path: format!("/{path}"), state, group: metadata.gid() })
    }
}

fn open(path: &Path) -> NodeState {
    // Without NONBLOCK, a node that blocks on opening would hang the check.
    let flags = (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits();
    let opened = std::fs::OpenOptions::new().read(true).write(true).custom_flags(flags.cast_signed()).open(path);
    match opened {
        Ok(_) => NodeState::Usable,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => NodeState::Denied,
        Err(_) => NodeState::Dead,
    }
}
