//! The driver, the device nodes, and the groups that own them.

use super::{Finding, Level, STRIX_HALO, on_the_machine};
use crate::host::{DeviceNode, Gpu, Host, NodeState};

pub(super) fn check(host: &Host) -> Vec<Finding> {
    let mut findings = vec![compute(host)];
    findings.extend(topology(host));
    findings.extend(confined(host));
    findings.push(render(host));
    findings.extend(gpus(host));
    findings
}

/// Judges `/dev/kfd`.
fn compute(host: &Host) -> Finding {
    match &host.devices.kfd {
        Some(node) => judge(host, "kfd", node),
        None => {
            missing(host, "kfd", "/dev/kfd", "ROCm computes through /dev/kfd: without it there is no GPU for llama.cpp")
        }
    }
}

/// Judges `/sys/class/kfd`, from which ROCm reads the list of GPUs: the node alone is not enough.
fn topology(host: &Host) -> Option<Finding> {
    if host.topology || host.devices.kfd.is_none() {
        return None;
    }
    let finding = Finding::new("topology", Level::Bad, "/dev/kfd is present, but /sys/class/kfd is missing")
        .why("ROCm reads the list of GPUs there, and finds no device");
    Some(if host.container.is_some() {
        finding.mend(
            "rootless docker hides it from containers with --network host: create the container again without that, \
             and publish its ports",
        )
    } else if host.driver {
        finding.mend("the driver is loaded but offers no GPU for computing: sudo dmesg | grep -iE 'amdgpu|kfd'")
    } else {
        finding
            .mend("the driver is not loaded: sudo modprobe amdgpu; if that fails, `sudo dmesg | grep amdgpu` says why")
    })
}

/// Warns of SELinux inside a container.
fn confined(host: &Host) -> Option<Finding> {
    (host.container.is_some() && host.selinux_confines).then(|| {
        Finding::new("selinux", Level::Advice, "SELinux is enforcing and may deny this container access to /dev/kfd")
            .why(
                "containers may open and map it only if the boolean container_use_devices is on; otherwise ROCm may \
                 report too little memory",
            )
            .mend(on_the_machine(
                host,
                "sudo setsebool -P container_use_devices=true, or create the container with --security-opt \
                 label=disable",
            ))
    })
}

/// Judges the render node of the target GPU. Every GPU has its own, and that of another GPU does not help.
fn render(host: &Host) -> Finding {
    // Without a target GPU, any GPU counts.
    let has_target = host.gpus.iter().any(|gpu| gpu.name == STRIX_HALO);
    let is_wanted = |gpu: &Gpu| !has_target || gpu.name == STRIX_HALO;
    let wanted: Vec<&Gpu> = host.gpus.iter().filter(|gpu| is_wanted(gpu)).collect();
    let nodes = host.devices.render_of(&host.gpus, is_wanted).nodes;
    // One usable node is enough. Otherwise the first one is reported.
    let best = nodes.iter().find(|node| node.state == NodeState::Usable).or(nodes.first());
    if let Some(node) = best {
        let mut finding = judge(host, "dri", node);
        let whose = wanted.iter().find(|gpu| gpu.render.as_ref() == Some(&node.path));
        if let Some(gpu) = whose.filter(|_| host.gpus.len() > 1) {
            finding.found = format!("{}, the render node of {gpu}", finding.found);
        }
        return finding;
    }
    let why = "ROCm gets the GPU's memory through a render node";
    let Some((gpu, path)) = wanted.iter().find_map(|gpu| Some((gpu, gpu.render.as_ref()?))) else {
        return missing(host, "dri", "/dev/dri/renderD*", why);
    };
    let mut finding = missing(host, "dri", path, &format!("{why} of its own, and this is the one of {gpu}"));
    if host.container.is_none() {
        finding.mend =
            Some("the driver has it, but /dev does not: sudo udevadm trigger --subsystem-match=drm".to_owned());
    }
    finding
}

/// Judges a node that is present.
fn judge(host: &Host, check: &'static str, node: &DeviceNode) -> Finding {
    let path = &node.path;
    let group = host.process.group_name(node.group);
    match node.state {
        NodeState::Usable => Finding::good(check, format!("{path} is usable")),
        NodeState::Denied => denied(host, check, node, &group),
        NodeState::Dead => Finding::new(check, Level::Bad, format!("{path} is present, but opening it fails"))
            .why("its driver is not running, or has given up on the GPU")
            .mend(on_the_machine(host, "sudo dmesg | grep -iE 'amdgpu|kfd'")),
        NodeState::NotADevice => Finding::new(check, Level::Bad, format!("{path} is not a device"))
            .why("container engines create a directory if the source of a mount is missing outside")
            .mend(format!("pass it as a device, with --device {}", directory(path))),
    }
}

/// Judges a node that may not be opened.
fn denied(host: &Host, check: &'static str, node: &DeviceNode, group: &str) -> Finding {
    let path = &node.path;
    let member = host.process.groups.contains(&node.group);
    let finding = Finding::new(check, Level::Bad, format!("permission denied: {path}, owned by group {group}"));
    if host.container.is_some() {
        return finding.why("a container has the GPU's device and groups only if it was created with them").mend(format!(
            "create it again with `strixlock provision --force`, or add --device {} --group-add keep-groups (podman \
             with crun) or --group-add {} (docker)",
            directory(path),
            node.group
        ));
    }
    if member || host.process.user == 0 {
        return finding
            .why("the group is right, so something else denies it: a device rule or SELinux")
            .mend(format!("ls -lZ {path}"));
    }
    let command = format!("sudo usermod -aG {group} $USER, and log in again");
    finding.why("only root and that group may open it").mend(command)
}

/// Judges a node that is missing.
fn missing(host: &Host, check: &'static str, path: &str, why: &str) -> Finding {
    let finding = Finding::new(check, Level::Bad, format!("there is no {path}")).why(why);
    if host.container.is_some() {
        return finding.mend(format!(
            "create the container again with `strixlock provision --force`, or add --device {}",
            directory(path)
        ));
    }
    if !host.driver {
        return finding.mend("sudo modprobe amdgpu; if that fails, `sudo dmesg | grep amdgpu` says why");
    }
    finding.mend(
        "the driver is loaded, so the kernel has no CONFIG_HSA_AMD or found no GPU: sudo dmesg | grep -iE 'amdgpu|kfd'",
    )
}

/// Returns the argument of `--device` for a node. Render nodes are passed as a directory.
fn directory(path: &str) -> &str {
    if path.starts_with("/dev/dri") { "/dev/dri" } else { path }
}

/// Judges the GPUs that the driver lists.
fn gpus(host: &Host) -> Option<Finding> {
    let names = host.gpus.iter().map(|gpu| gpu.name.as_str()).collect::<Vec<_>>().join(", ");
    if host.hidden_gpus > 0 && host.gpus.iter().all(|gpu| gpu.name != STRIX_HALO) {
        let seen = if names.is_empty() { String::new() } else { format!("{names}; ") };
        let found = format!("{seen}GPUs hidden by device rules: {}", host.hidden_gpus);
        let mend = if host.container.is_some() {
            "create the container again with all render nodes: --device /dev/dri".to_owned()
        } else {
            "allow the nodes in /dev/dri in the control group of this process".to_owned()
        };
        let why = format!("one of them may be the {STRIX_HALO}, and ROCm cannot use a GPU whose render node is denied");
        return Some(Finding::new("gpu", Level::Advice, found).why(why).mend(mend));
    }
    (!names.is_empty()).then(|| Finding::good("gpu", names))
}
