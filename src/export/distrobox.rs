//! distrobox: a file for `distrobox assemble`, which creates the container.
//!
//! distrobox passes each value through a shell twice (it sources the lines of the file, and evaluates the command that
//! it builds from them) and strips comments first, so no quoting survives: only paths without shell characters are
//! allowed.

use super::container::refused;
use super::engine::words;
use super::{Container, NewFile, Steps};
use crate::error::Result;

const FILE: &str = "distrobox.ini";

pub(super) fn steps(container: &Container) -> Result<Steps> {
    let name = container.name.as_str();
    Ok(Steps {
        file: Some(NewFile { name: FILE.into(), text: ini(container)? }),
        // distrobox uses podman if it is installed, docker otherwise.
        exists: vec![words(["podman", "container", "exists", name]), words(["docker", "container", "inspect", name])],
        remove: Some(words(["distrobox", "rm", "--force", name])),
        create: vec![words(["distrobox", "assemble", "create", "--file", FILE])],
        inside: Some(words(["distrobox", "enter", "--no-tty", name, "--"])),
        next: vec![words(["distrobox", "enter", name])],
    })
}

fn ini(container: &Container) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+@=,".contains(c);
    let mut lines = vec![format!("[{}]", container.name), format!("image={}", container.image.without_tag())];
    let mut flags: Vec<String> = Vec::new();
    if container.privileged {
        flags.push("--privileged".to_owned());
    }
    flags.extend(container.devices.iter().map(|device| format!("--device {device}")));
    flags.extend(container.env.iter().map(|(name, value)| format!("--env {name}={value}")));
    lines.extend(flags.iter().map(|flag| format!("additional_flags=\"{flag}\"")));
    for mount in &container.mounts {
        if let Some(path) = [&mount.from, &mount.to].into_iter().find(|path| !path.chars().all(plain)) {
            return Err(refused(path, "distrobox passes paths to a shell: only a-z, A-Z, 0-9 and -_./+@=, are safe"));
        }
        let kind = if mount.read_only { ":ro" } else { "" };
        lines.push(format!("volume=\"{}:{}{kind}\"", mount.from, mount.to));
    }
    Ok(lines.join("\n") + "\n")
}
