//! What podman's and docker's command lines have in common.

use super::{Container, Mount};

/// The flags of `create` and `run` that give a container its devices, groups, mounts and variables.
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
    // SELinux lets containers neither open /dev/kfd nor read what is mounted without a label of theirs.
    all.push("--security-opt=label=disable".to_owned());
    all.extend(container.mounts.iter().map(mount));
    all.extend(container.env.iter().map(|(name, value)| format!("--env={name}={value}")));
    all
}

/// `--mount` is read as a record of CSV (RFC 4180), so that paths may have commas, colons and quotes in them.
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
