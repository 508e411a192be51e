//! Versions and devices, as the tools themselves report them.

use super::options::ask;
use super::runner::{Ran, Runner};
use super::subject::Subject;
use super::{Check, Device};
use crate::error::Result;
use crate::llama_source::{Role, Wish};

/// Tools of the ROCm tree: name, path in the tree, arguments, and the beginning of the line with the answer.
const TOOLS: [(&str, &str, &[&str], &str); 3] = [
    ("rocminfo", "bin/rocminfo", &[], "Runtime Version"),
    ("hipcc", "bin/hipcc", &["--version"], "HIP version"),
    ("clang", "lib/llvm/bin/clang", &["--version"], ""),
];

/// Returns true if a check of this name is about a tool of the ROCm tree.
pub(super) fn is_of_rocm(check: &str) -> bool {
    TOOLS.iter().any(|(name, ..)| *name == check)
}

/// Runs the tools of the ROCm tree and llama.cpp, and returns a check for each.
pub(super) fn check(runner: &Runner, subject: &Subject, device: Device) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    if let Some(rocm) = &subject.rocm {
        for (name, path, arguments, begin) in TOOLS {
            let complete = match &subject.complete {
                Some(complete) if complete.path.join(path).exists() => complete,
                other => {
                    let why =
                        if other.is_some() { "missing from the ROCm tree" } else { "the ROCm tree is not realized" };
                    checks.push(Check::not_run(name, why));
                    continue;
                }
            };
            let mut command = vec![format!("{}/{path}", rocm.prefix)];
            command.extend(arguments.iter().map(|word| (*word).to_owned()));
            let ran = runner.run_with(&rocm.prefix, complete, name, &command)?;
            // Running a model needs no compiler, and rocminfo fails without a GPU in the sandbox.
            let excused = name != "rocminfo" || device == Device::Cpu;
            checks.push(match ran.success {
                true => Check::passed(name, line(&ran, begin)),
                false if excused => Check::not_run(name, format!("does not run here: {}", ran.last_line())),
                false => Check::failed(name, ran.last_line()),
            });
        }
    }
    let Some((name, program)) = subject.program_for(Role::Chat) else {
        checks.push(Check::not_run(Role::Chat.name(), "missing from the build"));
        return Ok(checks);
    };
    let options = ask(runner, name, &program)?;
    for wish in [Wish::Version, Wish::ListDevices] {
        let words = options.words(wish, "");
        if words.is_empty() {
            continue;
        }
        let asked = words.join(" ");
        let command: Vec<String> = std::iter::once(program.clone()).chain(words).collect();
        let ran = runner.run(&format!("{name}{asked}"), &command)?;
        let name = format!("{name} {asked}");
        let found = if wish == Wish::Version { line(&ran, "version") } else { list(&ran) };
        checks.push(if ran.success { Check::passed(&name, found) } else { Check::failed(&name, ran.last_line()) });
    }
    Ok(checks)
}

/// Returns the first line of a tool's output that begins with `begin`, else its first line.
fn line(ran: &Ran, begin: &str) -> String {
    let mut lines = ran.stdout.lines().chain(ran.stderr.lines()).map(str::trim).filter(|line| !line.is_empty());
    let first = lines.clone().next().unwrap_or("no output");
    lines.find(|line| line.starts_with(begin)).unwrap_or(first).to_owned()
}

/// Returns the devices that llama.cpp lists, in one line.
fn list(ran: &Ran) -> String {
    let devices: Vec<&str> = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with("  "))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if devices.is_empty() { "CPU only".to_owned() } else { devices.join("; ") }
}
