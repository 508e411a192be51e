//! A build of llama.cpp in REPRODUCIBLE.md and rebuild.sh.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;

use crate::gfx::GfxTarget;
use crate::inputs::LockedInput;
use crate::lock::Lock;
use crate::outputs::build_lines::BuildLines;
use crate::page::script::Script;
use crate::page::{codes, fact};
use crate::recipe::llama::Hip;
use crate::recipe::{LlamaRecipe, Recipe, llama};
use crate::report::{Fact, Found, Rebuilding};
use crate::text::command_line;

/// Describes the build and its environment, for which alone the result holds.
pub(super) fn llama(page: &mut String, lock: &Lock, recipe: &LlamaRecipe) {
    let _ = writeln!(
        page,
        "Input `{}` built with CMake and Ninja for `{}` at `{}`, without network, at fixed paths, with the build \
         number and commit of the pin.\n",
        recipe.source,
        recipe.backend.name(),
        recipe.prefix
    );
    match &recipe.sysroot {
        Some(sysroot) => {
            fact(page, "built in", &format!("the root of output {sysroot}, and nothing of the host but its kernel"));
        }
        None => {
            let _ = writeln!(
                page,
                "- built in: **the host's own `/usr`**, which is not pinned: the digest of the result holds for one \
                 machine in one state, and says nothing about others. An output `sysroot` in the manifest makes it \
                 the same everywhere."
            );
        }
    }
    let compiler = match recipe.rocm.as_ref().and_then(|name| Some((name, &lock.outputs.get(name)?.recipe))) {
        Some((name, Recipe::Rocm(rocm))) => {
            fact(page, "ROCm", &format!("output {name}, at {}", rocm.prefix));
            format!("clang of that ROCm, {}/lib/llvm/bin/clang", rocm.prefix)
        }
        _ if recipe.sysroot.is_some() => "cc and c++ of that root".to_owned(),
        _ => "cc and c++ of the host".to_owned(),
    };
    fact(page, "compiler", &compiler);
    let gpu = gpu(lock, recipe);
    fact(page, "processor", llama::processor(recipe.cpu.as_deref(), gpu));
    let source = source_id(lock, recipe);
    let hip = hip(lock, recipe);
    if let Some(source) = &source {
        let environment = llama::environment(source, hip.as_ref());
        let environment: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(page, "- environment: {}", codes(&environment));
        let commands = llama::commands(&BTreeMap::new(), 1);
        let commands: Vec<String> = commands.iter().map(|words| command_line(words)).collect();
        let _ = writeln!(page, "- commands: {}; the first with all CMake variables", codes(&commands));
    }
    if hip.is_some() {
        let _ = writeln!(page, "- compiler launcher: gives each HIP object an id made from its name, in `rebuild.sh`");
    }
    if recipe.cmake.is_empty() {
        let _ = writeln!(page, "- CMake variables from the manifest: nothing");
    } else {
        let own: Vec<String> = recipe.cmake.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(page, "- CMake variables from the manifest: {}", codes(&own));
    }
    let _ = writeln!(page, "- options that the recipe decides: in a list at the end, with the reasons");
}

/// Writes the options that the recipe decides.
pub(super) fn lists(name: &str, page: &mut String, recipe: &LlamaRecipe) {
    let _ = writeln!(
        page,
        "\n### Options of {name}\n\nThe recipe decides these, where the source has them and the manifest does not.\n\n\
         | option | value | why |\n| --- | --- | --- |"
    );
    for decision in llama::decisions().iter().filter(|decision| decision.is_for(recipe.backend)) {
        let _ = writeln!(page, "| `{}` | {} | {} |", decision.names(), decision.value(), decision.why);
    }
}

/// Labels of the facts about a realized build.
pub(super) const LABELS: [&str; 6] = [
    "tools",
    "CMake variables ON",
    "CMake variables OFF",
    "other CMake variables",
    "left to llama.cpp",
    "licences of the source",
];

/// Returns the facts in the record of a build: tools, the CMake variables under the names that the source has, options
/// that are ON although nobody decided them.
pub(super) fn facts(recipe: &LlamaRecipe, found: &Found) -> Vec<Fact> {
    let record = found.about.and_then(|about| serde_json::from_value::<Record>(about.clone()).ok());
    let Some(record) = record else { return Vec::new() };
    let pair = |(name, value): (&String, &String)| format!("{name}: {value}");
    let with = |wanted: &str| {
        let all = record.variables.iter().filter(|(_, value)| value.as_str() == wanted);
        all.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let others = record.variables.iter().filter(|(_, value)| !["ON", "OFF"].contains(&value.as_str()));
    let values = [
        record.tools.iter().map(pair).collect(),
        with("ON"),
        with("OFF"),
        others.map(|(name, value)| format!("{name}={value}")).collect(),
        record.left_to_llama_cpp.iter().cloned().collect(),
    ];
    // A store that has the build need not have its source any more.
    let values = values.into_iter().chain(found.licences_of(&recipe.source));
    LABELS.into_iter().zip(values).map(|(label, values)| Fact { label, values }).collect()
}

/// The parts of a build's record that stand on the page.
#[derive(Deserialize)]
struct Record {
    tools: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
    #[serde(default)]
    left_to_llama_cpp: BTreeSet<String>,
}

/// Returns the CMake variables of a realized build.
fn variables(rebuilding: &Rebuilding) -> Option<BTreeMap<String, String>> {
    let [_, on, off, others, ..] = LABELS;
    let mut all = BTreeMap::new();
    for (label, value) in [(on, "ON"), (off, "OFF")] {
        all.extend(rebuilding.fact(label)?.iter().map(|name| (name.clone(), value.to_owned())));
    }
    for pair in rebuilding.fact(others)? {
        let (name, value) = pair.split_once('=')?;
        all.insert(name.to_owned(), value.to_owned());
    }
    Some(all)
}

/// Returns sentences about what nobody verifies.
pub(super) fn unverified(recipe: &LlamaRecipe) -> Vec<String> {
    let with_subprocess = "llama-server may start programs of the machine, if its options say so (`LLAMA_SUBPROCESS`).";
    let off = ["LLAMA_SUBPROCESS", "LLAMA_BUILD_SERVER"]
        .iter()
        .any(|name| recipe.cmake.get(*name).is_some_and(|value| value == "OFF"));
    if off { Vec::new() } else { vec![with_subprocess.to_owned()] }
}

/// Adds the commands of the build to rebuild.sh.
pub(super) fn rebuild(recipe: &LlamaRecipe, script: &mut Script, rebuilding: &Rebuilding) -> Result<(), String> {
    let variables =
        variables(rebuilding).ok_or("the source decides its CMake variables: run `strixlock realize` first")?;
    let source = source_id(rebuilding.lock, recipe).ok_or("its source is not a git commit")?;
    let hip = hip(rebuilding.lock, recipe);
    BuildLines {
        source: &recipe.source,
        root: recipe.sysroot.as_deref(),
        rocm: recipe.rocm.as_deref().zip(hip.as_ref().map(|hip| hip.prefix.as_str())),
        launcher: hip.as_ref().map(|_| llama::HIP_LAUNCHER),
        environment: &llama::environment(&source, hip.as_ref()),
        commands: &llama::commands(&variables, 1),
        prefix: &recipe.prefix,
    }
    .write(script, rebuilding);
    Ok(())
}

/// Returns the identity of the source of a build.
fn source_id<'l>(lock: &'l Lock, recipe: &LlamaRecipe) -> Option<llama::SourceId<'l>> {
    let LockedInput::Git(block) = lock.inputs.get(&recipe.source)? else { return None };
    Some(llama::SourceId::of(&block.locked))
}

/// Returns the GPU side of a build.
fn hip(lock: &Lock, recipe: &LlamaRecipe) -> Option<Hip> {
    let Recipe::Rocm(rocm) = &lock.outputs.get(recipe.rocm.as_ref()?)?.recipe else { return None };
    Some(Hip { prefix: rocm.prefix.clone(), target: gpu(lock, recipe)?.clone() })
}

/// Returns the GPU of a build.
fn gpu<'l>(lock: &'l Lock, recipe: &LlamaRecipe) -> Option<&'l GfxTarget> {
    let Recipe::Rocm(rocm) = &lock.outputs.get(recipe.rocm.as_ref()?)?.recipe else { return None };
    let LockedInput::Rocm(block) = lock.inputs.get(&rocm.input)? else { return None };
    Some(&block.requested.target)
}
