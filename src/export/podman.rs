//! podman: a container that keeps running, with a shell to enter.

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

/// Returns the command that creates a waiting container. Its first process ignores SIGTERM, so the stop timeout is
/// short.
pub(super) fn create(program: &str, container: &Container) -> Vec<String> {
    let mut all = words([program, "create", "--stop-timeout=1"]);
    all.push(format!("--name={}", container.name));
    all.extend(flags(container));
    all.extend(container.directory.iter().map(|directory| format!("--workdir={directory}")));
    all.extend(words(["--entrypoint=sleep", &container.image.without_tag(), "infinity"]));
    all
}
