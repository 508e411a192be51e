//! A quadlet: a unit from which podman generates a systemd service (podman-systemd.unit(5)).

use super::container::PORT;
use super::engine::words;
use super::{Container, NewFile, Steps};
use crate::error::Result;

pub(super) fn steps(container: &Container) -> Result<Steps> {
    let server = container.demand_server()?;
    // The path of a mount gets into two places of the service, and only one of them expands `$`.
    container.refuse_in_mounts(&[":", "\\", "\"", "$"], ":, \\, \" and $ have a special meaning in paths of a unit")?;
    let mut unit: Vec<String> = container.needs.iter().map(|needs| format!("# {needs}")).collect();
    unit.extend([
        "[Unit]".to_owned(),
        format!("Description=llama-server of {}", container.name),
        "After=network-online.target".to_owned(),
        String::new(),
        "[Container]".to_owned(),
        format!("ContainerName={}", container.name),
        format!("Image={}", container.image.without_tag()),
        "SecurityLabelDisable=true".to_owned(),
    ]);
    unit.extend(container.devices.iter().map(|device| format!("AddDevice={device}")));
    let mut flags: Vec<String> = container.groups.iter().map(|group| format!("--group-add={group}")).collect();
    flags.extend(container.user.iter().map(|user| format!("--user={user}")));
    if container.privileged {
        flags.push("--privileged".to_owned());
    }
    // Overrides the entry point of the image.
    let command = server.command();
    let (program, arguments) = command.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    flags.push(format!("--entrypoint={program}"));
    unit.push(format!("PodmanArgs={}", flags.join(" ")));
    for mount in &container.mounts {
        let kind = if mount.read_only { ":ro" } else { "" };
        unit.push(format!("Volume={}:{}{kind}", value(&mount.from), value(&mount.to)));
    }
    unit.extend(container.env.iter().map(|(name, text)| format!("Environment={}", word(&format!("{name}={text}")))));
    unit.push(format!("PublishPort=127.0.0.1:{}:{PORT}", server.port));
    unit.push(format!("Exec={}", arguments.iter().map(|text| word(text)).collect::<Vec<_>>().join(" ")));
    for line in
        ["", "[Service]", "Restart=on-failure", "TimeoutStartSec=900", "", "[Install]", "WantedBy=default.target"]
    {
        unit.push(line.to_owned());
    }
    let systemctl =
        if rustix::process::geteuid().is_root() { words(["systemctl"]) } else { words(["systemctl", "--user"]) };
    let call = |arguments: [&str; 2]| [systemctl.clone(), words(arguments)].concat();
    let service = format!("{}.service", container.name);
    Ok(Steps {
        // Starting the service replaces any container of that name.
        exists: vec![words(["podman", "container", "exists", &container.name])],
        file: Some(NewFile { name: format!("{}.container", container.name).into(), text: unit.join("\n") + "\n" }),
        next: vec![[systemctl.clone(), words(["daemon-reload"])].concat(), call(["start", &service])],
        ..Steps::default()
    })
}

/// Escapes a whole value: systemd expands specifiers that begin with `%`.
fn value(text: &str) -> String {
    text.replace('%', "%%")
}

/// Quotes one of several words in a value.
fn word(text: &str) -> String {
    let text = value(text);
    if text.contains([' ', '\'', ';', '#']) { format!("\"{text}\"") } else { text }
}
