//! A configuration for llama-swap (<https://github.com/mostlygeek/llama-swap>).
//!
//! llama-swap starts the server of a model on demand, on a port of its choice, and splits commands into words like a
//! shell.

use super::container::PORT;
use super::engine::words;
use super::flags::flags;
use super::{Container, NewFile, Steps};
use crate::error::Result;
use crate::text::command_line;

pub(super) fn steps(container: &Container) -> Result<Steps> {
    let server = container.demand_server()?;
    container.refuse_in_mounts(&["${"], "llama-swap expands ${...}, such as ${PORT}, and cannot escape it")?;
    let mut run = words(["podman", "run", "--rm", "--init"]);
    run.push(format!("--name={}", container.name));
    run.extend(flags(container));
    let command = server.command();
    run.extend(command.iter().take(1).map(|program| format!("--entrypoint={program}")));
    let mut arguments = vec![container.image.without_tag()];
    arguments.extend(command.into_iter().skip(1));
    // The macro must not be quoted: it is replaced before the words are split.
    let cmd = format!("{} --publish=127.0.0.1:${{PORT}}:{PORT} {}", command_line(&run), command_line(&arguments));
    let scalar = |text: &str| serde_json::Value::from(text).to_string();
    let stop = words(["podman", "stop", "--time=10", &container.name]);
    let needs = container.needs.map(|needs| format!("# {needs}\n")).unwrap_or_default();
    let text = format!(
        "{needs}models:\n  {}:\n    cmd: {}\n    cmdStop: {}\n    proxy: \"http://127.0.0.1:${{PORT}}\"\n    \
         checkEndpoint: \"/health\"\n",
        scalar(&container.name),
        scalar(&cmd),
        scalar(&command_line(&stop)),
    );
    Ok(Steps {
        // Starting the server replaces any container of that name.
        exists: vec![words(["podman", "container", "exists", &container.name])],
        file: Some(NewFile { name: "llama-swap.yaml".into(), text }),
        next: vec![words(["llama-swap", "--config", "llama-swap.yaml"])],
        ..Steps::default()
    })
}
