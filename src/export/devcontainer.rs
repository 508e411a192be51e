//! devcontainer.json (<https://containers.dev/implementors/json_reference/>) for editors.

use super::flags::flags;
use super::{Container, NewFile, Steps, inside};
use crate::error::Result;

pub(super) fn steps(container: &Container) -> Result<Steps> {
    container.refuse_in_mounts(
        &["${"],
        "devcontainer.json expands ${...}, such as ${localEnv:HOME}, and cannot escape it",
    )?;
    // The editor mounts the workspace itself.
    let mounts = container.mounts.iter().filter(|mount| Some(&mount.to) != container.directory.as_ref());
    let own =
        Container { mounts: mounts.cloned().collect(), env: std::collections::BTreeMap::new(), ..container.clone() };
    let mut json = serde_json::json!({
        "name": container.name,
        "image": container.image.without_tag(),
        "runArgs": flags(&own),
        "containerEnv": container.env,
        "postCreateCommand": inside::command(&[], &container.programs),
    });
    if let (Some(directory), Some(map)) = (&container.directory, json.as_object_mut()) {
        map.insert("workspaceFolder".to_owned(), directory.as_str().into());
        map.insert(
            "workspaceMount".to_owned(),
            format!("type=bind,source=${{localWorkspaceFolder}},target={directory}").into(),
        );
    }
    Ok(Steps {
        file: Some(NewFile { name: ".devcontainer/devcontainer.json".into(), text: format!("{json:#}\n") }),
        next: vec![["devcontainer", "up", "--workspace-folder", "."].map(str::to_owned).to_vec()],
        ..Steps::default()
    })
}
