//! Options that podman and docker have in common.

use super::{Container, Mount};

/// Returns the options of `create` and `run` for devices, groups, mounts and variables.
pub(super) fn flags(container: &Container) -> Vec<String> {
    let mut all = Vec::new();
    if container.privileged {
        all.push("--privileged".to_owned());
    }
    for device in &container.devices {
        all.push(format!("--device={device}"));
    }
    for group in &container.groups {
        all.push(format!("--group-add={group}"));
    }
    all.extend(container.user.iter().map(|user| format!("--user={user}")));
    // SELinux stops containers from opening /dev/kfd, and from reading mounts without a container label.
    all.push("--security-opt=label=disable".to_owned());
    all.extend(container.mounts.iter().map(mount));
    all.extend(container.env.iter().map(|(name, value)| format!("--env={name}={value}")));
    all
}

/// Returns a `--mount` option. It is parsed as a CSV record (RFC 4180), so paths may contain commas, colons and quotes.
fn mount(mount: &Mount) -> String {
    let field = |name: &str, value: &str| {
        let text = format!("{name}={value}");
        if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    };
    let mut fields = vec!["type=bind".to_owned(), field("source", &mount.from), field("target", &mount.to)];
    if mount.read_only {
        fields.push("readonly".to_owned());
    }
    format!("--mount={}", fields.join(","))
}
