//! What the tools say of themselves.

use super::place::{Place, Ran};
use super::subject::Subject;
use super::{Check, Device};
use crate::error::Result;

/// Tools of the ROCm tree: place below it, what to ask, and the beginning of the line that tells.
const TOOLS: [(&str, &str, &[&str], &str); 3] = [
    ("rocminfo", "bin/rocminfo", &[], "Runtime Version"),
    ("hipcc", "bin/hipcc", &["--version"], "HIP version"),
    ("clang", "lib/llvm/bin/clang", &["--version"], ""),
];

pub(super) fn check(place: &Place, subject: &Subject, device: Device) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    if let Some(rocm) = &subject.rocm {
        for (name, path, arguments, begin) in TOOLS {
            let whole = match &subject.whole {
                Some(whole) if whole.path.join(path).exists() => whole,
                there => {
                    let why =
                        if there.is_some() { "the ROCm tree does not have it" } else { "the ROCm tree is not here" };
                    checks.push(Check::not_run(name, why));
                    continue;
                }
            };
            let mut command = vec![format!("{}/{path}", rocm.prefix)];
            command.extend(arguments.iter().map(|word| (*word).to_owned()));
            let ran = place.run_with(&rocm.prefix, whole, name, &command)?;
            // Compilers take no part in running, and without a GPU in the sandbox rocminfo has nothing to tell of.
            let excused = name != "rocminfo" || device == Device::Cpu;
            checks.push(match ran.success {
                true => Check::passed(name, line(&ran, begin)),
                false if excused => Check::not_run(name, format!("it does not run here: {}", ran.last_line())),
                false => Check::failed(name, ran.last_line()),
            });
        }
    }
    for (name, argument) in [("llama-cli", "--version"), ("llama-cli", "--list-devices")] {
        let Some(program) = subject.program(name) else {
            checks.push(Check::not_run(name, "the build does not have it"));
            continue;
        };
        let ran = place.run(&format!("{name}{argument}"), &[program, argument.to_owned()])?;
        let name = format!("{name} {argument}");
        let found = if argument == "--version" { line(&ran, "version") } else { list(&ran) };
        checks.push(if ran.success { Check::passed(&name, found) } else { Check::failed(&name, ran.last_line()) });
    }
    Ok(checks)
}

/// The first line that begins so, of what a tool said; else the first of all.
fn line(ran: &Ran, begin: &str) -> String {
    let mut lines = ran.stdout.lines().chain(ran.stderr.lines()).map(str::trim).filter(|line| !line.is_empty());
    let first = lines.clone().next().unwrap_or("it said nothing");
    lines.find(|line| line.starts_with(begin)).unwrap_or(first).to_owned()
}

/// The devices that llama.cpp lists, in a line.
fn list(ran: &Ran) -> String {
    let devices: Vec<&str> = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with("  "))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if devices.is_empty() { "none besides the CPU".to_owned() } else { devices.join("; ") }
}
