//! The device nodes that ROCm opens: `/dev/kfd` for computing, `/dev/dri/renderD*` for the memory of each GPU.
//!
//! Whether a node can be used is found out by opening it. Mode bits do not tell: a container's device rules refuse what
//! they allow, and rootless containers lose the groups that own the node.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use serde::Serialize;

/// The nodes of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Devices {
    /// `/dev/kfd`.
    pub kfd: Option<Node>,
    /// `/dev/dri/renderD128` and so on, in order.
    pub render: Vec<Node>,
    /// The groups that own `/dev/dri/card*`, each once. ROCm does not open these nodes; what draws does.
    pub card_groups: Vec<u32>,
}

/// One device node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its absolute path.
    pub path: String,
    /// Whether we may use it.
    pub state: NodeState,
    /// The number of the group that owns it.
    pub group: u32,
}

/// Whether a node can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// It was opened for reading and writing.
    Usable,
    /// It may not be opened.
    Denied,
    /// It is there, but opening it fails for another reason: the driver behind it is gone.
    Dead,
    /// It is no device: container engines make a directory where a mount's source is missing.
    NotADevice,
}

/// More GPUs than this do not fit into a machine.
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
            kfd: Node::probe(root, "dev/kfd"),
            render: numbered("renderD")
                .iter()
                .filter_map(|name| Node::probe(root, &format!("dev/dri/{name}")))
                .collect(),
            card_groups,
        }
    }

    /// All nodes that ROCm opens and that are there.
    pub fn all(&self) -> impl Iterator<Item = &Node> {
        self.kfd.iter().chain(&self.render)
    }

    /// Whether ROCm finds what it needs: the compute node and at least one render node.
    #[must_use]
    pub fn usable(&self) -> bool {
        let usable = |node: &Node| node.state == NodeState::Usable;
        self.kfd.as_ref().is_some_and(usable) && self.render.iter().any(usable)
    }

    /// The groups that own the nodes and those of the cards, each once.
    #[must_use]
    pub fn groups(&self) -> Vec<u32> {
        let mut groups: Vec<u32> = self.all().map(|node| node.group).chain(self.card_groups.iter().copied()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

impl Node {
    fn probe(root: &Path, path: &str) -> Option<Self> {
        let place = root.join(path);
        let metadata = std::fs::metadata(&place).ok()?;
        let state = if metadata.file_type().is_char_device() { open(&place) } else { NodeState::NotADevice };
        Some(Self { path: format!("/{path}"), state, group: metadata.gid() })
    }
}

fn open(path: &Path) -> NodeState {
    // Not waiting: a node that blocks when it is opened would hang the check.
    let flags = (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits();
    let opened = std::fs::OpenOptions::new().read(true).write(true).custom_flags(flags.cast_signed()).open(path);
    match opened {
        Ok(_) => NodeState::Usable,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => NodeState::Denied,
        Err(_) => NodeState::Dead,
    }
}
