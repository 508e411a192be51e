//! Does what an engine's steps say, on this machine.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::inside::{self, Check};
use super::{Engine, NewFile, Source, Steps};
use crate::error::{Error, Result};
use crate::host::on_path;
use crate::log::running;
use crate::progress::Progress;
use crate::store::replace_file;
use crate::text::command_line;

/// What a check inside may print.
const MOST: u64 = 64 * 1024;

/// Refuses what would replace something: a file, or a container of that name. Tells whether the container is there.
pub fn refuse(steps: &Steps, directory: &Path, force: bool) -> Result<bool> {
    if let Some(NewFile { name, .. }) = &steps.file
        && directory.join(name).exists()
        && !force
    {
        return Err(Error::failure("there is such a file already")
            .fact("path", directory.join(name).display())
            .hint("replace it with --force"));
    }
    let there = steps.exists.iter().any(|command| succeeds(command));
    if there && !force {
        return Err(Error::failure("there is a container of that name already")
            .hint("make it anew with --force, or choose another name with --name"));
    }
    Ok(there)
}

/// Fails where a program is not there: the engine's own, or the one that brings its image.
pub fn demand_programs(engine: Engine, brings: Option<&str>) -> Result<()> {
    if let Some(program) = brings.filter(|program| !is_on_path(program)) {
        return Err(Error::failure(format!("{program} is not installed, and it is what brings the image"))
            .hint(format!("`sudo apt-get install {program}`")));
    }
    if engine == Engine::Distrobox && is_on_path("distrobox") && !is_on_path("distrobox-assemble") {
        return Err(Error::failure(
            "this distrobox cannot make a container from a file: it has no `distrobox assemble`",
        )
        .hint("distrobox 1.5 or newer can (Debian 12 has 1.4); or `strixlock provision podman`"));
    }
    if !engine.runs_now() || is_on_path(engine.name()) {
        return Ok(());
    }
    Err(Error::failure(format!("{} is not installed", engine.name())).hint(match engine {
        Engine::Toolbox => "`sudo apt-get install podman-toolbox`, or on Fedora `sudo dnf install toolbox`".to_owned(),
        Engine::Docker => "see https://docs.docker.com/engine/install/".to_owned(),
        _ => format!("`sudo apt-get install {}`", engine.name()),
    }))
}

/// Whether a program can be found.
#[must_use]
pub fn is_on_path(program: &str) -> bool {
    on_path(program).next().is_some()
}

/// Brings the image where the engine looks for it.
pub fn bring(source: &Source, progress: &dyn Progress) -> Result<()> {
    if succeeds(&source.exists) {
        return Ok(());
    }
    for command in &source.bring {
        progress.note(&format!("$ {}", command_line(command)));
        run(command, Path::new("."))?;
    }
    Ok(())
}

/// Writes the file and makes the container.
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

/// Removes a container that was made and could not be started: the next run would find it in its way.
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

/// Runs the checks inside; none where the engine makes no container now.
pub fn check_inside(steps: &Steps, directories: &[String]) -> Result<Vec<Check>> {
    let Some(inside) = &steps.inside else { return Ok(Vec::new()) };
    let command: Vec<String> = inside.iter().cloned().chain(inside::command(directories)).collect();
    let mut child = start(&command).stdout(Stdio::piped()).spawn().map_err(|error| cannot(&command, &error))?;
    let mut printed = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(MOST).read_to_end(&mut printed)?;
    }
    let status = child.wait()?;
    if !status.success() {
        return Err(failed("the container is made, and a shell in it fails", inside, status));
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

/// What the engine prints is no result of ours, so that it goes to stderr.
fn run(command: &[String], directory: &Path) -> Result<()> {
    let status = start(command)
        .current_dir(directory)
        .stdout(std::io::stderr())
        .status()
        .map_err(|error| cannot(command, &error))?;
    if status.success() { Ok(()) } else { Err(failed("the engine failed; what it said is above", command, status)) }
}

fn cannot(command: &[String], error: &std::io::Error) -> Error {
    Error::failure("a program cannot be started").fact("command", command_line(command)).because(error)
}

fn failed(message: &str, command: &[String], status: std::process::ExitStatus) -> Error {
    Error::failure(message).fact("command", command_line(command)).fact("status", status)
}
