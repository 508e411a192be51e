//! Device nodes for a validation on the GPU: `/dev/kfd`, and the render node of the GPU that the build is for.
//!
//! One render node in the sandbox means one GPU: ROCm's runtime skips every GPU whose render node is missing. Without
//! this, llama.cpp takes the first GPU that the runtime lists. `HIP_VISIBLE_DEVICES` is not set, because its numbers
//! depend on the order in which the runtime lists the GPUs.

use std::path::PathBuf;

use super::{Check, Device};
use crate::gfx::GfxTarget;
use crate::host::{DeviceNode, Devices, Host, NodeState};

/// Name of the check.
const NAME: &str = "device nodes";

/// The device nodes for a GPU.
pub(super) struct GpuNodes<'h> {
    devices: &'h Devices,
    choice: Choice<'h>,
}

/// The outcome of choosing among render nodes.
#[derive(Debug, PartialEq, Eq)]
enum Choice<'h> {
    /// There is at most one render node.
    Only,
    /// This node belongs to the target, whose name follows.
    Target(&'h DeviceNode, String),
    /// The driver names a node for the target, but the node is missing from `/dev`.
    Missing(String),
    /// It is not known which node belongs to the target, for this reason.
    Open(String),
}

impl<'h> GpuNodes<'h> {
    /// Chooses the render node of the target. Without a target, all nodes are used.
    pub fn choose(host: &'h Host, target: Option<&GfxTarget>) -> Self {
        let devices = &host.devices;
        let choice = target.map_or(Choice::Only, |target| choose(host, target.as_str()));
        Self { devices, choice }
    }

    /// Returns whether ROCm finds what it needs.
    pub fn usable(&self) -> bool {
        match &self.choice {
            Choice::Only | Choice::Open(_) => self.devices.usable(),
            Choice::Target(node, _) => self.devices.usable() && node.state == NodeState::Usable,
            Choice::Missing(_) => false,
        }
    }

    /// Returns the paths of the usable nodes for the sandbox.
    pub fn given(&self) -> Vec<PathBuf> {
        let render = self.devices.render.iter().filter(|node| match &self.choice {
            Choice::Target(chosen, _) => node.path == chosen.path,
            Choice::Only | Choice::Open(_) => true,
            Choice::Missing(_) => false,
        });
        let usable = self.devices.kfd.iter().chain(render).filter(|node| node.state == NodeState::Usable);
        usable.map(|node| PathBuf::from(&node.path)).collect()
    }

    /// Describes the nodes of this machine, and the choice.
    pub fn describe(&self) -> String {
        let one = |node: &DeviceNode| format!("{} {}", node.path, state(node.state));
        let all: Vec<String> = self.devices.all().map(one).collect();
        let all = if all.is_empty() { "no /dev/kfd, no /dev/dri/renderD*".to_owned() } else { all.join(", ") };
        match &self.choice {
            Choice::Only => all,
            Choice::Target(node, target) => format!("{target} is {}, the only one in the sandbox; {all}", node.path),
            Choice::Missing(why) => format!("{why}; {all}"),
            Choice::Open(why) => format!("all render nodes are in the sandbox: {why}; {all}"),
        }
    }

    /// Returns the check of the nodes.
    pub fn check(&self, has_gpu_backend: bool, device: Device) -> Check {
        match device {
            Device::Gpu => Check::passed(NAME, self.describe()),
            Device::Cpu if !has_gpu_backend => Check::not_run(NAME, "the build has no backend for a GPU"),
            Device::Cpu => Check::not_run(NAME, format!("the GPU part was not run: {}", self.describe())),
        }
    }
}

fn choose<'h>(host: &'h Host, target: &str) -> Choice<'h> {
    let found = host.devices.render_of(&host.gpus, |gpu| gpu.name == target);
    let is_here = host.gpus.iter().any(|gpu| gpu.name == target);
    if found.told {
        // Of several equal GPUs, use one.
        let usable = found.nodes.iter().find(|node| node.state == NodeState::Usable);
        return match usable.or(found.nodes.first()) {
            Some(_) if host.devices.render.len() < 2 => Choice::Only,
            Some(node) => Choice::Target(node, target.to_owned()),
            None => Choice::Missing(format!("the render node of {target} is missing from /dev/dri")),
        };
    }
    if host.devices.render.len() < 2 {
        return Choice::Only;
    }
    match found.nodes.as_slice() {
        // The others belong to other GPUs.
        [node] if is_here => Choice::Target(node, target.to_owned()),
        _ if !host.topology => Choice::Open(format!("/sys/class/kfd is missing, so the one of {target} is not known")),
        _ if is_here => Choice::Open(format!("the driver does not name the one of {target}")),
        _ if host.hidden_gpus > 0 => {
            Choice::Open(format!("device rules hide {} GPUs, one of which may be the {target}", host.hidden_gpus))
        }
        _ => {
            let others: Vec<&str> = host.gpus.iter().map(|gpu| gpu.name.as_str()).collect();
            let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
            Choice::Open(format!("the driver has no {target} (GPUs: {others})"))
        }
    }
}

fn state(state: NodeState) -> &'static str {
    match state {
        NodeState::Usable => "usable",
        NodeState::Denied => "denied",
        NodeState::Dead => "dead",
        NodeState::NotADevice => "not a device",
    }
}

#[cfg(test)]
mod tests {
    use std::fs::create_dir_all;

    use super::*;

    /// Makes a root with GPUs of the compute driver, their render minors, and render nodes in `/dev`.
    fn machine(gpus: &[(u32, Option<u32>)], nodes: &[u32]) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        for (number, (version, minor)) in gpus.iter().enumerate() {
            let node = root.path().join(format!("sys/class/kfd/kfd/topology/nodes/{}", number + 1));
            create_dir_all(&node).unwrap();
            let minor = minor.map(|minor| format!("drm_render_minor {minor}\n")).unwrap_or_default();
            fs_err::write(node.join("properties"), format!("gfx_target_version {version}\n{minor}")).unwrap();
        }
        create_dir_all(root.path().join("dev/dri")).unwrap();
        let device =
            |name: &str| fs_err::os::unix::fs::symlink("/dev/null", root.path().join("dev").join(name)).unwrap();
        device("kfd");
        for minor in nodes {
            device(&format!("dri/renderD{minor}"));
        }
        let host = Host::read(root.path());
        (root, host)
    }

    /// Returns the nodes for the sandbox, and their description.
    fn given(host: &Host) -> (Vec<String>, String) {
        let target = "gfx1151".parse().unwrap();
        let nodes = GpuNodes::choose(host, Some(&target));
        (nodes.given().iter().map(|path| path.display().to_string()).collect(), nodes.describe())
    }

    #[test]
    fn of_two_gpus_the_targets_render_node_alone_is_given() {
        let (kfd, first, second) = ("/dev/kfd", "/dev/dri/renderD128", "/dev/dri/renderD129");
        for (others, ours) in
            [((120_001, Some(128)), (110_501, Some(129))), ((100_306, Some(128)), (110_501, Some(129)))]
        {
            let (_root, host) = machine(&[others, ours], &[128, 129]);
            let (nodes, words) = given(&host);
            assert_eq!(nodes, [kfd, second]);
            assert!(
                words.starts_with("gfx1151 is /dev/dri/renderD129, the only one in the sandbox; /dev/kfd "),
                "{words}"
            );
        }
        let (_root, host) = machine(&[(110_501, Some(128)), (120_001, Some(129))], &[128, 129]);
        assert_eq!(given(&host).0, [kfd, first]);
        // A node that is no GPU of the compute driver's, such as another vendor's.
        let (_root, host) = machine(&[(110_501, Some(129))], &[128, 129]);
        assert_eq!(given(&host).0, [kfd, second]);
        // The driver does not tell the target's node, and the other one is another GPU's.
        let (_root, host) = machine(&[(110_501, None), (120_001, Some(128))], &[128, 129]);
        assert_eq!(given(&host).0, [kfd, second]);
        // Of two equal GPUs one.
        let (_root, host) = machine(&[(110_501, Some(128)), (110_501, Some(129))], &[128, 129]);
        assert_eq!(given(&host).0, [kfd, first]);
    }

    #[test]
    fn where_it_cannot_be_told_all_are_given_and_the_result_says_why() {
        for (gpus, why) in [
            (
                &[][..],
                "all render nodes are in the sandbox: /sys/class/kfd is missing, so the one of gfx1151 is not known",
            ),
            (&[(110_501, None)], "all render nodes are in the sandbox: the driver does not name the one of gfx1151"),
            (&[(120_001, Some(128))], "all render nodes are in the sandbox: the driver has no gfx1151 (GPUs: gfx1201)"),
        ] {
            let (_root, host) = machine(gpus, &[128, 129]);
            let (nodes, words) = given(&host);
            assert_eq!(nodes.len(), 3, "{words}");
            assert!(words.starts_with(why), "{words}");
        }
        let (root, _) = machine(&[(120_001, Some(128))], &[128, 129]);
        // Reading a directory fails, as reading what device rules forbid does.
        create_dir_all(root.path().join("sys/class/kfd/kfd/topology/nodes/2/properties/x")).unwrap();
        let words = given(&Host::read(root.path())).1;
        assert!(words.contains("device rules hide 1 GPUs, one of which may be the gfx1151; "), "{words}");
    }

    #[test]
    fn one_render_node_leaves_no_choice() {
        for gpus in [&[][..], &[(110_501, Some(128))], &[(110_501, None)], &[(120_001, Some(128))]] {
            let (_root, host) = machine(gpus, &[128]);
            let (nodes, words) = given(&host);
            assert_eq!(nodes, ["/dev/kfd", "/dev/dri/renderD128"]);
            assert_eq!(words, "/dev/kfd usable, /dev/dri/renderD128 usable");
        }
    }

    #[test]
    fn the_node_of_another_gpu_does_not_make_the_target_usable() {
        let target = "gfx1151".parse().unwrap();
        let (_root, host) = machine(&[(110_501, Some(129)), (120_001, Some(128))], &[128]);
        let nodes = GpuNodes::choose(&host, Some(&target));
        assert!(!nodes.usable() && host.devices.usable());
        assert!(
            nodes.describe().starts_with("the render node of gfx1151 is missing from /dev/dri; "),
            "{}",
            nodes.describe()
        );
        let (root, _) = machine(&[(110_501, Some(129)), (120_001, Some(128))], &[128]);
        fs_err::write(root.path().join("dev/dri/renderD129"), "a file").unwrap();
        let host = Host::read(root.path());
        let nodes = GpuNodes::choose(&host, Some(&target));
        assert!(!nodes.usable());
        assert!(nodes.describe().contains("/dev/dri/renderD129 not a device"), "{}", nodes.describe());
        assert!(GpuNodes::choose(&host, None).usable(), "a build without a target takes any");
    }
}
