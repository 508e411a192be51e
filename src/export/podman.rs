//! podman: a container that stays, with a shell to enter.

use super::engine::words;
use super::flags::flags;
use super::{Container, Steps};

pub(super) fn steps(container: &Container) -> Steps {
    let name = container.name.as_str();
    Steps {
        exists: vec![words(["podman", "container", "exists", name])],
        remove: Some(words(["podman", "rm", "--force", name])),
        create: vec![create("podman", container), words(["podman", "start", name])],
        inside: Some(words(["podman", "exec", name])),
        next: vec![words(["podman", "exec", "-it", name, "bash"])],
        ..Steps::default()
    }
}

/// A container that waits. Its first process obeys no signal but the last, so nobody waits for it to end.
pub(super) fn create(program: &str, container: &Container) -> Vec<String> {
    let mut all = words([program, "create", "--stop-timeout=1"]);
    all.push(format!("--name={}", container.name));
    all.extend(flags(container));
    all.extend(container.directory.iter().map(|directory| format!("--workdir={directory}")));
    all.extend(words(["--entrypoint=sleep", &container.image.without_tag(), "infinity"]));
    all
}
