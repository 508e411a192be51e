//! A compose file (<https://github.com/compose-spec/compose-spec>) for llama-server.
//!
//! Scalars are written as JSON strings, which YAML reads as they are; `$` would begin a variable and is doubled.

use super::container::PORT;
use super::engine::words;
use super::{Container, NewFile, Steps};
use crate::error::Result;

pub(super) fn steps(container: &Container) -> Result<Steps> {
    let server = container.demand_server()?;
    let mut lines = vec![
        "services:".to_owned(),
        format!("  {}:", scalar(&container.name)),
        format!("    image: {}", scalar(&container.image.without_tag())),
        format!("    container_name: {}", scalar(&container.name)),
        "    restart: \"unless-stopped\"".to_owned(),
    ];
    if container.privileged {
        lines.push("    privileged: true".to_owned());
    }
    lines.extend(container.user.iter().map(|user| format!("    user: {}", scalar(user))));
    list(&mut lines, "devices", container.devices.iter().map(|device| format!("{device}:{device}")));
    list(&mut lines, "group_add", container.groups.iter().cloned());
    list(&mut lines, "security_opt", ["label=disable".to_owned()]);
    lines.push("    environment:".to_owned());
    lines.extend(container.env.iter().map(|(name, value)| format!("      {}: {}", scalar(name), scalar(value))));
    if !container.mounts.is_empty() {
        lines.push("    volumes:".to_owned());
    }
    for mount in &container.mounts {
        lines.push("      - type: \"bind\"".to_owned());
        lines.push(format!("        source: {}", scalar(&mount.from)));
        lines.push(format!("        target: {}", scalar(&mount.to)));
        lines.push(format!("        read_only: {}", mount.read_only));
    }
    list(&mut lines, "ports", [format!("127.0.0.1:{}:{PORT}", server.port)]);
    let command = server.command();
    list(&mut lines, "entrypoint", command.iter().take(1).cloned());
    list(&mut lines, "command", command.iter().skip(1).cloned());
    Ok(Steps {
        file: Some(NewFile { name: "compose.yaml".into(), text: lines.join("\n") + "\n" }),
        next: vec![words(["docker", "compose", "up", "--detach"])],
        ..Steps::default()
    })
}

fn list(lines: &mut Vec<String>, key: &str, items: impl IntoIterator<Item = String>) {
    let mut items = items.into_iter().peekable();
    if items.peek().is_some() {
        lines.push(format!("    {key}:"));
    }
    lines.extend(items.map(|item| format!("      - {}", scalar(&item))));
}

fn scalar(text: &str) -> String {
    serde_json::Value::from(text.replace('$', "$$")).to_string()
}
