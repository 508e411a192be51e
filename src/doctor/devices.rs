//! The driver, the device nodes, and the groups that may open them.

use super::{Finding, Level, STRIX_HALO, on_the_machine};
use crate::host::{Gpu, Host, Node, NodeState};

pub(super) fn check(host: &Host) -> Vec<Finding> {
    let mut findings = vec![compute(host)];
    findings.extend(topology(host));
    findings.extend(confined(host));
    findings.push(render(host));
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

/// ROCm reads from sysfs which GPUs there are: the node alone is not enough.
fn topology(host: &Host) -> Option<Finding> {
    if host.topology || host.devices.kfd.is_none() {
        return None;
    }
    let finding = Finding::new("topology", Level::Bad, "/dev/kfd is there, and /sys/class/kfd is not")
        .why("ROCm reads there which GPUs there are, and finds no device");
    Some(if host.container.is_some() {
        finding.mend(
            "docker without root hides it from containers with --network host: make the container anew without that, and \
             publish its ports",
        )
    } else if host.driver {
        finding.mend("the driver is loaded and offers nothing for computing: sudo dmesg | grep -iE 'amdgpu|kfd'")
    } else {
        finding
            .mend("the driver is not loaded: sudo modprobe amdgpu; if that fails, `sudo dmesg | grep amdgpu` says why")
    })
}

fn confined(host: &Host) -> Option<Finding> {
    (host.container.is_some() && host.selinux_confines).then(|| {
        Finding::new("selinux", Level::Advice, "SELinux is enforcing, and may deny this container /dev/kfd")
            .why(
                "containers may open and map it only where the boolean container_use_devices is on; ROCm may then say that \
                 memory is short",
            )
            .mend(on_the_machine(
                host,
                "sudo setsebool -P container_use_devices=true, or make the container with --security-opt label=disable",
            ))
    })
}

/// Each GPU has a render node of its own, and that of another does not help.
fn render(host: &Host) -> Finding {
    // Without a GPU of the target any will do.
    let has_target = host.gpus.iter().any(|gpu| gpu.name == STRIX_HALO);
    let is_wanted = |gpu: &Gpu| !has_target || gpu.name == STRIX_HALO;
    let wanted: Vec<&Gpu> = host.gpus.iter().filter(|gpu| is_wanted(gpu)).collect();
    let nodes = host.devices.render_of(&host.gpus, is_wanted).nodes;
    // One that can be used is enough; else the first says what is wrong.
    let best = nodes.iter().find(|node| node.state == NodeState::Usable).or(nodes.first());
    if let Some(node) = best {
        let mut finding = judge(host, "dri", node);
        let whose = wanted.iter().find(|gpu| gpu.render.as_ref() == Some(&node.path));
        if let Some(gpu) = whose.filter(|_| host.gpus.len() > 1) {
            finding.found = format!("{}; it is the render node of {gpu}", finding.found);
        }
        return finding;
    }
    let why = "ROCm gets the GPU's memory through a render node";
    let Some((gpu, path)) = wanted.iter().find_map(|gpu| Some((gpu, gpu.render.as_ref()?))) else {
        return missing(host, "dri", "/dev/dri/renderD*", why);
    };
    let mut finding = missing(host, "dri", path, &format!("{why} of its own, and that is the one of {gpu}"));
    if host.container.is_none() {
        finding.mend =
            Some("the driver has it, and /dev does not: sudo udevadm trigger --subsystem-match=drm".to_owned());
    }
    finding
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
    let names = host.gpus.iter().map(|gpu| gpu.name.as_str()).collect::<Vec<_>>().join(", ");
    if host.hidden_gpus > 0 && host.gpus.iter().all(|gpu| gpu.name != STRIX_HALO) {
        let seen = if names.is_empty() { String::new() } else { format!("{names}; ") };
        let found = format!("{seen}GPUs that the driver may not tell of: {}", host.hidden_gpus);
        let mend = if host.container.is_some() {
            "make the container anew with all of them: --device /dev/dri".to_owned()
        } else {
            "allow this process's control group the nodes in /dev/dri".to_owned()
        };
        let why = format!("device rules forbid their render nodes, and one may be the {STRIX_HALO}");
        return Some(Finding::new("gpu", Level::Advice, found).why(why).mend(mend));
    }
    (!names.is_empty()).then(|| Finding::good("gpu", names))
}
