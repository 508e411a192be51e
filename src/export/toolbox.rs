//! toolbox (<https://containertoolbx.org>): shares home and `/dev` of its own accord, takes no groups along,
//! and can be told nothing else.

use super::container::refused;
use super::engine::words;
use super::{Container, Steps};
use crate::error::Result;

pub(super) fn steps(container: &Container) -> Result<Steps> {
    if let Some(mount) = container.mounts.first() {
        return Err(refused(
            &mount.from,
            "toolbox mounts nothing but the home directory; the host's files are below /run/host",
        ));
    }
    let name = container.name.as_str();
    Ok(Steps {
        exists: vec![words(["podman", "container", "exists", name])],
        remove: Some(words(["toolbox", "rm", "--force", name])),
        create: vec![words(["toolbox", "--assumeyes", "create", "--image", &container.image.without_tag(), name])],
        inside: Some(words(["toolbox", "run", "--container", name])),
        next: vec![words(["toolbox", "enter", name])],
        ..Steps::default()
    })
}
