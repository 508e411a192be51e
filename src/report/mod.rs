//! REPRODUCIBLE.md: what a lock pins, and how a stranger checks each of it without strixlock.
//!
//! A pure function of the lock: the same lock gives the same page on every machine.

mod image;

use std::fmt::Write as _;

use crate::error::Result;
use crate::lock::{Lock, LockedOutput};
use crate::page::{cell, commands, fact};
use crate::recipe::{LlamaRecipe, Recipe};

/// The text of REPRODUCIBLE.md.
pub fn reproducible(lock: &Lock) -> Result<String> {
    let digest = crate::digest::Sha256Digest::of(lock.to_text()?.as_bytes());
    let mut page = String::from(INTRODUCTION);
    // Writing to a String cannot fail.
    let _ = writeln!(page, "{TREE_DIGEST}```sh\n{TREE_DIGEST_SCRIPT}\n```");
    let _ = writeln!(page, "\nLock: `{digest}` (`sha256sum lock/strix.lock`, `strixlock lock digest`)\n\n## Inputs\n");
    let _ = writeln!(page, "| input | kind | version |\n| --- | --- | --- |");
    for (name, input) in &lock.inputs {
        let _ = writeln!(page, "| {} | {} | {} |", cell(name), input.kind().name(), cell(&input.version()));
    }
    for (name, input) in &lock.inputs {
        let _ = writeln!(page, "\n### {}\n", cell(name));
        input.report(&mut page);
    }
    let _ = writeln!(page, "\n## Outputs\n\n| output | derivation | tree |\n| --- | --- | --- |");
    let outputs = || lock.ordered().into_iter().filter_map(|name| lock.outputs.get_key_value(name));
    for (name, output) in outputs() {
        let tree = output.tree.map_or_else(|| "not sealed".to_owned(), |tree| format!("`{tree}`"));
        let _ = writeln!(page, "| {} | `{}` | {tree} |", cell(name), output.derivation);
    }
    for (name, output) in outputs() {
        out(&mut page, lock, name, output);
    }
    Ok(page)
}

const INTRODUCTION: &str = "\
# How to reproduce this

Written by `strixlock audit` from `lock/strix.lock`; `strixlock audit --check` tells whether it is up to date. Every version
and digest below is pinned. The commands for inputs need no strixlock, and what each should print stands behind `#`. They are
for bash, in the directory of this page. `strixlock realize` makes everything again.

Not verified by anybody else: AMD signs no tarball and publishes no digest, so a ROCm digest is that of the first download; the
TheRock commits are the tarball's own words; git commits and models are what their servers had.
";

/// The recipe for a tree digest, also in the README. A test runs exactly this text.
pub const TREE_DIGEST_SCRIPT: &str = r#"tree_digest() (
  set -e; export LC_ALL=C; t=$(mktemp -d); trap 'rm -rf "$t"' EXIT; cd "$1"
  find . -type f -printf '%P\0' | sort -z > "$t/names"
  xargs -0 -r stat --printf '%A %s\0' -- < "$t/names" | sed -zE 's/^-..[xs][^ ]*/x/; s/^-[^ ]*/f/' > "$t/kinds"
  xargs -0 -r sha256sum -z -- < "$t/names" | cut -z -c -64 > "$t/hashes"
  { find . -mindepth 1 -type d -printf 'd - - %P\0'
    find . -type l -printf 'l %s - %P -> %l\0'
    paste -z -d ' ' "$t/kinds" "$t/hashes" "$t/names"
  } | sort -z -t ' ' -k 4 | sed -z 's/\\/\\\\/g; s/\n/\\n/g' | tr '\0' '\n' | { echo strix-tree-1; cat; } | sha256sum | sed 's/^/sha256:/; s/ .*//'
)"#;

const TREE_DIGEST: &str = "\n## Tree digests\n
A tree digest is the SHA-256 of a listing of names, kinds, sizes, contents and link targets (format `strix-tree-1`). This
function computes it with GNU find, sort, sed and coreutils; the commands below use it.\n\n";

fn out(page: &mut String, lock: &Lock, name: &str, output: &LockedOutput) {
    let _ = writeln!(page, "\n### Output {}\n", cell(name));
    match &output.recipe {
        Recipe::Sysroot(recipe) => {
            if let Some(packages) = &recipe.packages {
                let _ = writeln!(
                    page,
                    "The packages of input `{packages}`, unpacked without running anything of them, with a merged `/usr` and dpkg's database.",
                );
            }
            if let Some(image) = &recipe.image {
                let _ = writeln!(page, "The layers of input `{image}`, laid over each other.");
            }
            if !recipe.links.is_empty() {
                let _ = writeln!(page, "\nLinks from the manifest:\n");
                for (path, target) in &recipe.links {
                    fact(page, path, target);
                }
            }
        }
        Recipe::Rocm(recipe) => {
            let _ = writeln!(page, "The tree of input `{}`, to stand at `{}`.", recipe.input, recipe.prefix);
        }
        Recipe::Llama(recipe) => llama(page, lock, recipe),
        Recipe::Image(recipe) => image::image(page, recipe),
        Recipe::Runtime(recipe) => {
            let _ = writeln!(
                page,
                "The files of output `{}` that {} of output `{}` need: shared libraries, kernel data and provenance, where they were.",
                recipe.rocm,
                recipe.roots.iter().map(|root| format!("`{root}`")).collect::<Vec<_>>().join(", "),
                recipe.llama,
            );
            if !recipe.edges.is_empty() {
                let _ = writeln!(page, "\nWhat libraries take at run time, from the manifest:\n");
                for edge in &recipe.edges {
                    fact(page, &edge.from, &format!("{}: {}", edge.to.name(), edge.reason));
                }
            }
        }
        Recipe::Model(recipe) => {
            let _ = writeln!(page, "The files of input `{}`, under their names.", recipe.input);
        }
    }
    if matches!(output.recipe, Recipe::Image(_)) {
        let _ = writeln!(page, "\nThe tree is that of the image's layout, not the digest that podman and skopeo show.");
    }
    let expected = output.tree.map_or_else(
        || "not sealed: `strixlock realize --seal` writes the digest into the lock".to_owned(),
        |tree| tree.to_string(),
    );
    let place = format!("check/{name}");
    commands(page, &[&format!("strixlock realize {name} --to check"), &format!("tree_digest {place}   # {expected}")]);
}

/// Says how a build was made, and in what: its result holds only for that.
fn llama(page: &mut String, lock: &Lock, recipe: &LlamaRecipe) {
    let _ = writeln!(
        page,
        "Input `{}` built with CMake and Ninja for `{}` at `{}`, without network, at fixed paths, with the build number and commit of the pin.\n",
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
                "- built in: **the host's own `/usr`**, which is not pinned: the digest of the result holds for one machine in one state, \
                 and says nothing about others. An output `sysroot` in the manifest makes it the same everywhere."
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
    let _ = writeln!(
        page,
        "\nAll CMake variables, the environment and the versions of the tools: `strixlock log OUTPUT --about`."
    );
    if !recipe.cmake.is_empty() {
        let _ = writeln!(page, "\nCMake variables from the manifest:\n");
        for (name, value) in &recipe.cmake {
            fact(page, name, value);
        }
    }
}
