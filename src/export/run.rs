//! Execution of an engine's steps on this machine.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::inside::{self, Probe, Wanting};
use super::{ContainerEngine, ImageSource, NewFile, Steps};
use crate::error::{Error, Result};
use crate::host::on_path;
use crate::log::running;
use crate::progress::Progress;
use crate::store::replace_file;
use crate::text::command_line;

/// Maximum output of the checks inside, in bytes.
const MOST: u64 = 64 * 1024;

/// Fails if the file or the container exists, unless forced. Returns true if the container exists.
pub fn refuse(steps: &Steps, directory: &Path, force: bool) -> Result<bool> {
    if let Some(NewFile { name, .. }) = &steps.file
        && directory.join(name).exists()
        && !force
    {
        return Err(Error::failure("the file already exists")
            .fact("path", directory.join(name).display())
            .hint("replace it with --force"));
    }
    let there = steps.exists.iter().any(|command| succeeds(command));
    if there && !force {
        return Err(Error::failure("a container of that name already exists")
            .hint("replace it with --force, or choose another name with --name"));
    }
    Ok(there)
}

/// Fails if a program is missing: the engine's own, or `loader`, which loads the image.
pub fn demand_programs(engine: ContainerEngine, loader: Option<&str>) -> Result<()> {
    if let Some(program) = loader.filter(|program| !is_on_path(program)) {
        return Err(Error::failure(format!("{program} is not installed, but needed to load the image"))
            .hint(format!("`sudo apt-get install {program}`")));
    }
    if engine == ContainerEngine::Distrobox && is_on_path("distrobox") && !is_on_path("distrobox-assemble") {
        return Err(Error::failure("this distrobox lacks `distrobox assemble`, which creates a container from a file")
            .hint("use distrobox 1.5 or newer (Debian 12 has 1.4), or `strixlock provision podman`"));
    }
    if !engine.runs_now() || is_on_path(engine.name()) {
        return Ok(());
    }
    Err(Error::failure(format!("{} is not installed", engine.name())).hint(match engine {
        ContainerEngine::Toolbox => {
            "`sudo apt-get install podman-toolbox`, or on Fedora `sudo dnf install toolbox`".to_owned()
        }
        ContainerEngine::Docker => "see https://docs.docker.com/engine/install/".to_owned(),
        _ => format!("`sudo apt-get install {}`", engine.name()),
    }))
}

/// Returns true if the program is on PATH.
#[must_use]
pub fn is_on_path(program: &str) -> bool {
    on_path(program).next().is_some()
}

/// Loads the image for the engine, unless it is there.
pub fn load_image(source: &ImageSource, progress: &dyn Progress) -> Result<()> {
    if succeeds(&source.exists) {
        return Ok(());
    }
    for command in &source.load {
        progress.note(&format!("$ {}", command_line(command)));
        run(command, Path::new("."))?;
    }
    Ok(())
}

/// Writes the file and creates the container.
pub fn make(steps: &Steps, directory: &Path, there: bool, progress: &dyn Progress) -> Result<()> {
    if let Some(NewFile { name, text }) = &steps.file {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        replace_file(&path, text.as_bytes())?;
    }
    for command in steps.remove.iter().filter(|_| there) {
        progress.note(&format!("$ {}", command_line(command)));
        run(command, directory)?;
    }
    for command in &steps.create {
        progress.note(&format!("$ {}", command_line(command)));
        run(command, directory).map_err(|error| undo(steps, directory, error, progress))?;
    }
    Ok(())
}

/// Removes a container that was created but could not be started, which would be in the way of the next run.
fn undo(steps: &Steps, directory: &Path, error: Error, progress: &dyn Progress) -> Error {
    let Some(remove) = steps.remove.as_ref().filter(|_| steps.exists.iter().any(|command| succeeds(command))) else {
        return error;
    };
    progress.note(&format!("$ {}", command_line(remove)));
    match run(remove, directory) {
        Ok(()) => error.fact("container", "removed again"),
        Err(_) => error.fact("container", format!("left behind: `{}` removes it", command_line(remove))),
    }
}

/// Runs the checks inside. Returns none if the engine creates no container now.
pub fn check_inside(steps: &Steps, directories: &[String], programs: &[Wanting]) -> Result<Vec<Probe>> {
    let Some(inside) = &steps.inside else { return Ok(Vec::new()) };
    let command: Vec<String> = inside.iter().cloned().chain(inside::command(directories, programs)).collect();
    let mut child = start(&command).stdout(Stdio::piped()).spawn().map_err(|error| cannot(&command, &error))?;
    let mut printed = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(MOST).read_to_end(&mut printed)?;
    }
    let status = child.wait()?;
    if !status.success() {
        return Err(failed("the container was created, but a shell in it failed", inside, status));
    }
    Ok(inside::read(&String::from_utf8_lossy(&printed)))
}

fn start(words: &[String]) -> Command {
    let mut command = Command::new(words.first().map_or("", String::as_str));
    running(command.args(words.iter().skip(1))).stdin(Stdio::null());
    command
}

fn succeeds(command: &[String]) -> bool {
    let status = start(command).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs a command with its output on stderr, since stdout is for results.
fn run(command: &[String], directory: &Path) -> Result<()> {
    let status = start(command)
        .current_dir(directory)
        .stdout(std::io::stderr())
        .status()
        .map_err(|error| cannot(command, &error))?;
    if status.success() { Ok(()) } else { Err(failed("the engine failed; see its output above", command, status)) }
}

fn cannot(command: &[String], error: &std::io::Error) -> Error {
    Error::failure("cannot start a program").fact("command", command_line(command)).because(error)
}

fn failed(message: &str, command: &[String], status: std::process::ExitStatus) -> Error {
    Error::failure(message).fact("command", command_line(command)).fact("status", status)
}
