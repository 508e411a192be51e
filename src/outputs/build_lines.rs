//! The commands of rebuild.sh for a build with CMake in the sandbox.

use super::build_page::{hip, source, variables};
use crate::inputs::LockedInput;
use crate::lock::Lock;
use crate::page::script::{Script, Word};
use crate::recipe::CMakeBuild;
use crate::recipe::build::{self, BUILD, DEST, HIP_LAUNCHER, SOURCE, TOOLS};
use crate::report::Rebuilding;

/// Adds the commands of a build.
pub(super) fn rebuild(recipe: &dyn CMakeBuild, script: &mut Script, rebuilding: &Rebuilding) -> Result<(), String> {
    let (lock, project) = (rebuilding.lock, recipe.project());
    let variables =
        variables(rebuilding).ok_or("the source decides its CMake variables: run `strixlock realize` first")?;
    let source = source(lock, recipe).ok_or("its source is not a tree")?;
    let hip = hip(lock, recipe);
    script.functions(include_str!("build.sh"));
    let build = format!("build/{}", rebuilding.name);
    let [out, dest, tools, launcher] =
        ["out", "dest", "tools", "tools/hip-launcher"].map(|name| format!("{build}/{name}"));
    script.run(&["mkdir", "-p", &out, &dest, &tools]);
    if hip.is_some() {
        script.file(&launcher, HIP_LAUNCHER.as_bytes());
        script.run(&["chmod", "755", &launcher]);
    }
    let text = Word::Text;
    let root = project.sysroot.map(|root| format!("outputs/{root}"));
    let mut words = vec![text("sandbox"), root.as_deref().map_or(Word::Shell("''"), Word::Path)];
    let environment = build::environment(recipe, &source, hip.as_ref());
    for (name, value) in &environment {
        words.extend(["--setenv", name, value].map(text));
    }
    words.extend(["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--dir", "/var"].map(text));
    let (sources, is_writable) = sources(lock, recipe, script, &build);
    let rocm = project.rocm.map(|name| format!("outputs/{name}"));
    let mut mounts = vec![("--bind", DEST, &dest), ("--bind", BUILD, &out)];
    mounts.push((if is_writable { "--bind" } else { "--ro-bind" }, SOURCE, &sources));
    if let Some((hip, rocm)) = hip.as_ref().zip(rocm.as_ref()) {
        mounts.extend([("--ro-bind", TOOLS, &tools), ("--ro-bind", hip.prefix.as_str(), rocm)]);
    }
    for (option, inside, path) in mounts {
        words.extend([text(option), Word::Path(path), text(inside)]);
    }
    words.extend(["--remount-ro", "/", "--chdir", BUILD, "--", "/bin/sh", "-c"].map(text));
    words.extend([Word::Shell("\"$limits\""), text("sh"), Word::Shell("\"$@\"")]);
    script.define("in_sandbox", &words);
    for (_, command) in build::commands(recipe, &variables, 1) {
        script.command(&command_words(&command));
    }
    script.run(&["mv", &format!("{dest}{}", project.prefix), &rebuilding.place()]);
    Ok(())
}

/// Adds the commands that make a copy of the source, if the build needs one. Returns the directory of the source, and
/// true if the build may write to it.
fn sources(lock: &Lock, recipe: &dyn CMakeBuild, script: &mut Script, build: &str) -> (String, bool) {
    let (from, copy) = (format!("inputs/{}", recipe.project().source), format!("{build}/source"));
    let bundle = recipe.web_ui().and_then(|name| match lock.inputs.get(name)? {
        LockedInput::LlamaUi(block) => Some((name, block.locked.bundle.as_ref()?)),
        _ => None,
    });
    if let Some((name, bundle)) = bundle {
        script.run(&["cp", "-a", &from, &copy]);
        script.run(&["lay", &format!("inputs/{name}"), &format!("{copy}/{}", bundle.directory)]);
        return (copy, false);
    }
    if recipe.writes_source() {
        script.run(&["cp", "-a", &from, &copy]);
        return (copy, true);
    }
    (from, false)
}

/// Returns the words of a command in the sandbox. The number of compilers is for the caller of the script to say.
fn command_words(command: &[String]) -> Vec<Word<'_>> {
    let mut words = vec![Word::Text("in_sandbox")];
    for (index, word) in command.iter().enumerate() {
        let is_number = index.checked_sub(1).is_some_and(|before| command[before] == "--parallel");
        words.push(if is_number { Word::Shell("\"$jobs\"") } else { Word::Text(word) });
    }
    words
}
