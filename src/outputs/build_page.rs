//! A build with CMake on the page: everything that all kinds of it share.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use crate::gfx::GfxTarget;
use crate::lock::Lock;
use crate::page::{codes, fact};
use crate::recipe::CMakeBuild;
use crate::recipe::build::{self, Hip, Source, left_field};
use crate::report::{Fact, Found, Rebuilding};
use crate::text::command_line;

/// The labels of the values of CMake variables.
const ON: &str = "CMake variables ON";
const OFF: &str = "CMake variables OFF";
const OTHERS: &str = "other CMake variables";

/// Returns the labels of [`facts`]. `left` is that of options which nobody decided.
pub(super) const fn labels(left: &'static str) -> [&'static str; 6] {
    ["tools", ON, OFF, OTHERS, left, "licences of the source"]
}

/// Writes the root of the build, for which alone the result holds, its ROCm, its compiler and its GPUs.
pub(super) fn environment(page: &mut String, lock: &Lock, recipe: &dyn CMakeBuild) {
    let project = recipe.project();
    match project.sysroot {
        Some(sysroot) => {
            fact(page, "built in", &format!("the root of output {sysroot}, and nothing of the host but its kernel"));
        }
        None => {
            // Writing to a String cannot fail.
            let _ = writeln!(
                page,
                "- built in: **the host's own `/usr`**, which is not pinned: the digest of the result holds for one \
                 machine in one state, and says nothing about others. An output `sysroot` in the manifest makes it \
                 the same everywhere."
            );
        }
    }
    let rocm = project.rocm.and_then(|name| Some((name, lock.prefix_of(name)?)));
    let compiler = match rocm {
        Some((name, prefix)) => {
            fact(page, "ROCm", &format!("output {name}, at {prefix}"));
            format!("clang of that ROCm, {prefix}/lib/llvm/bin/clang")
        }
        None if project.sysroot.is_some() => "cc and c++ of that root".to_owned(),
        None => "cc and c++ of the host".to_owned(),
    };
    fact(page, "compiler", &compiler);
    let targets = hip(lock, recipe).map(|hip| hip.targets).unwrap_or_default();
    if !targets.is_empty() {
        fact(page, "GPUs", &targets.iter().map(GfxTarget::as_str).collect::<Vec<_>>().join(", "));
    }
}

/// Writes the environment and the commands of the build, and the variables of the manifest.
pub(super) fn commands(page: &mut String, lock: &Lock, recipe: &dyn CMakeBuild) {
    let (project, hip) = (recipe.project(), hip(lock, recipe));
    let pairs =
        |all: &BTreeMap<String, String>| all.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    if let Some(source) = source(lock, recipe) {
        let environment = pairs(&build::environment(recipe, &source, hip.as_ref()));
        let _ = writeln!(page, "- environment: {}", codes(&environment));
    }
    let commands = build::commands(recipe, &BTreeMap::new(), 1);
    let commands: Vec<String> = commands.iter().map(|(_, words)| command_line(words)).collect();
    let _ = writeln!(page, "- commands: {}; the first with all CMake variables", codes(&commands));
    if hip.is_some() {
        let _ = writeln!(page, "- compiler launcher: gives each HIP object an id made from its name, in `rebuild.sh`");
    }
    let _ = writeln!(page, "- CMake variables from the manifest: {}", codes(&pairs(project.cmake)));
    if !project.environment.is_empty() {
        let _ = writeln!(page, "- environment from the manifest: {}", codes(&pairs(project.environment)));
    }
}

/// The parts of a build's record that stand on the page.
#[derive(Deserialize)]
struct Record {
    tools: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
}

/// Returns the facts in the record of a build: tools, the CMake variables under the names that the source has, options
/// that are ON although nobody decided them.
pub(super) fn facts(recipe: &dyn CMakeBuild, labels: &[&'static str], found: &Found) -> Vec<Fact> {
    let about = found.about.unwrap_or(&Value::Null);
    let Ok(record) = Record::deserialize(about) else { return Vec::new() };
    let pair = |(name, value): (&String, &String)| format!("{name}: {value}");
    let with = |wanted: &str| {
        let all = record.variables.iter().filter(|(_, value)| value.as_str() == wanted);
        all.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let others = record.variables.iter().filter(|(_, value)| !["ON", "OFF"].contains(&value.as_str()));
    let left = about.get(left_field(recipe)).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let values = [
        record.tools.iter().map(pair).collect(),
        with("ON"),
        with("OFF"),
        others.map(|(name, value)| format!("{name}={value}")).collect(),
        left.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    ];
    // A store that has the build need not have its source any more.
    let values = values.into_iter().chain(found.licences_of(recipe.project().source));
    labels.iter().copied().zip(values).map(|(label, values)| Fact { label, values }).collect()
}

/// Returns the CMake variables of a realized build.
pub(super) fn variables(rebuilding: &Rebuilding) -> Option<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for (label, value) in [(ON, "ON"), (OFF, "OFF")] {
        all.extend(rebuilding.fact(label)?.iter().map(|name| (name.clone(), value.to_owned())));
    }
    for pair in rebuilding.fact(OTHERS)? {
        let (name, value) = pair.split_once('=')?;
        all.insert(name.to_owned(), value.to_owned());
    }
    Some(all)
}

/// Returns the source of a build.
pub(super) fn source<'l>(lock: &'l Lock, recipe: &dyn CMakeBuild) -> Option<Source<'l>> {
    let name = recipe.project().source;
    Source::of(name, lock.inputs.get(name)).ok()
}

/// Returns the GPU side of a build.
pub(super) fn hip(lock: &Lock, recipe: &dyn CMakeBuild) -> Option<Hip> {
    let project = recipe.project();
    let (rocm, block) = lock.published_rocm(project.rocm?)?;
    Some(Hip::new(&rocm.prefix, project.gpus, &block.requested.target))
}
