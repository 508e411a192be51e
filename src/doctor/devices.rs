//! The driver, the device nodes, and the groups that may open them.

use super::{Finding, Level, on_the_machine};
use crate::host::{Host, Node, NodeState};

pub(super) fn check(host: &Host) -> Vec<Finding> {
    let mut findings = vec![compute(host), render(host)];
    findings.extend(gpus(host));
    findings
}

fn compute(host: &Host) -> Finding {
    match &host.devices.kfd {
        Some(node) => judge(host, "kfd", node),
        None => {
            missing(host, "kfd", "/dev/kfd", "ROCm computes through /dev/kfd: without it there is no GPU for llama.cpp")
        }
    }
}

fn render(host: &Host) -> Finding {
    // One that can be used is enough; else the first says what is wrong.
    let nodes = &host.devices.render;
    let best = nodes.iter().find(|node| node.state == NodeState::Usable).or(nodes.first());
    match best {
        Some(node) => judge(host, "dri", node),
        None => missing(host, "dri", "/dev/dri/renderD*", "ROCm gets the GPU's memory through a render node"),
    }
}

fn judge(host: &Host, check: &'static str, node: &Node) -> Finding {
    let path = &node.path;
    let group = host.process.group_name(node.group);
    match node.state {
        NodeState::Usable => Finding::good(check, format!("{path} can be opened")),
        NodeState::Denied => denied(host, check, node, &group),
        NodeState::Dead => Finding::new(check, Level::Bad, format!("{path} is there, and opening it fails"))
            .why("the driver behind it is not running, or gave up on the GPU")
            .mend(on_the_machine(host, "sudo dmesg | grep -iE 'amdgpu|kfd'")),
        NodeState::NotADevice => Finding::new(check, Level::Bad, format!("{path} is no device"))
            .why("container engines make a directory where what they should mount is missing outside")
            .mend(format!("pass it as a device, with --device {}", directory(path))),
    }
}

fn denied(host: &Host, check: &'static str, node: &Node, group: &str) -> Finding {
    let path = &node.path;
    let member = host.process.groups.contains(&node.group);
    let finding = Finding::new(check, Level::Bad, format!("{path} may not be opened; it belongs to group {group}"));
    if host.container.is_some() {
        return finding.why("a container has the GPU's groups and device only where it was made with them").mend(format!(
            "make it anew with `strixlock provision --force`, or add --device {} --group-add keep-groups (podman) or --group-add {} (docker)",
            directory(path),
            node.group
        ));
    }
    if member || host.process.user == 0 {
        return finding
            .why("the group is right, so something else forbids it: a device rule, SELinux")
            .mend(format!("ls -lZ {path}"));
    }
    finding.why("only root and that group may compute").mend(format!("sudo usermod -aG {group} $USER, and log in anew"))
}

fn missing(host: &Host, check: &'static str, path: &str, why: &str) -> Finding {
    let finding = Finding::new(check, Level::Bad, format!("there is no {path}")).why(why);
    if host.container.is_some() {
        return finding.mend(format!(
            "make the container anew with `strixlock provision --force`, or add --device {}",
            directory(path)
        ));
    }
    if !host.driver {
        return finding.mend("sudo modprobe amdgpu; if that fails, `sudo dmesg | grep amdgpu` says why");
    }
    finding.mend(
        "the driver is loaded, so the kernel lacks CONFIG_HSA_AMD or found no GPU: sudo dmesg | grep -iE 'amdgpu|kfd'",
    )
}

/// What `--device` is given for a node: render nodes come by their directory.
fn directory(path: &str) -> &str {
    if path.starts_with("/dev/dri") { "/dev/dri" } else { path }
}

fn gpus(host: &Host) -> Option<Finding> {
    (!host.gpus.is_empty()).then(|| Finding::good("gpu", host.gpus.join(", ")))
}
