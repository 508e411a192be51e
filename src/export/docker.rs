//! docker: like podman, with docker's commands.

use super::engine::words;
use super::podman::create;
use super::{Container, Steps};

pub(super) fn steps(container: &Container) -> Steps {
    let name = container.name.as_str();
    Steps {
        exists: vec![words(["docker", "container", "inspect", name])],
        remove: Some(words(["docker", "rm", "--force", name])),
        create: vec![create("docker", container), words(["docker", "start", name])],
        inside: Some(words(["docker", "exec", name])),
        next: vec![words(["docker", "exec", "-it", name, "bash"])],
        ..Steps::default()
    }
}
