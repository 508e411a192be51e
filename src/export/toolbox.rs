//! toolbox (<https://containertoolbx.org>): always shares the home directory and `/dev`, passes no groups on, and has
//! no options for more.

use super::container::refused;
use super::engine::words;
use super::{Container, Steps};
use crate::error::Result;

pub(super) fn steps(container: &Container) -> Result<Steps> {
    if let Some(mount) = container.mounts.first() {
        return Err(refused(
            &mount.from,
            "toolbox mounts only the home directory; the host's files are below /run/host",
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
