//! REPRODUCIBLE.md: everything that a lock pins, and how to check each of it without strixlock.
//!
//! A pure function of the lock: the same lock gives the same page on every machine, but for versions of tools that are
//! known only where a tree is realized (see `tools`).

mod left;
mod tools;

use std::fmt::Write as _;

use crate::error::Result;
use crate::lock::{Lock, LockedOutput};
use crate::page::{cell, commands};
use crate::recipe::{OutputKind, each_output};
use crate::store::Store;

use left::LeftOptions;
use tools::KnownTools;

/// Facts that only realized outputs have.
#[derive(Debug, Default)]
pub struct Known {
    tools: KnownTools,
    left: LeftOptions,
}

impl Known {
    /// Reads the facts of all outputs that are realized here.
    #[must_use]
    pub fn read(lock: &Lock, store: &Store) -> Self {
        Self { tools: tools::known(lock, store), left: left::known(lock, store) }
    }

    /// Reads the facts that a page states.
    fn stated(page: &str, lock: &Lock) -> Self {
        Self { tools: tools::stated(page, lock), left: left::stated(page, lock) }
    }
}

/// The description of each kind of output on the page.
pub(crate) trait Describe: OutputKind {
    /// Writes how the output is made, below its heading.
    fn describe(&self, page: &mut String, lock: &Lock);
}

/// Returns the text of REPRODUCIBLE.md.
pub fn reproducible(lock: &Lock, known: &Known) -> Result<String> {
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
        describe(&mut page, lock, name, output, known);
    }
    Ok(page)
}

/// Returns whether a page is that of the lock. What only realized outputs have may be as it is known here, or as stated
/// by whoever had them.
pub fn fits(page: &str, lock: &Lock, known: &Known) -> Result<bool> {
    let stated = Known::stated(page, lock);
    let tools = stated.tools.iter().all(|(name, stated)| known.tools.get(name).is_none_or(|known| known == stated));
    let left = stated.left.iter().all(|(name, stated)| known.left.get(name).is_none_or(|known| known == stated));
    Ok(tools && left && reproducible(lock, &stated)? == page)
}

/// Returns whether a page states all that is known here of realized outputs.
#[must_use]
pub fn states_all(page: &str, lock: &Lock, known: &Known) -> bool {
    let stated = Known::stated(page, lock);
    known.tools.keys().all(|name| stated.tools.contains_key(name))
        && known.left.keys().all(|name| stated.left.contains_key(name))
}

const INTRODUCTION: &str = "\
# How to reproduce this

Written by `strixlock audit` from `lock/strix.lock`; `strixlock audit --check` fails if it is not up to date. Every
version and digest below is pinned. The commands for inputs do not need strixlock; their expected output stands behind
`#`. Run them in bash, in the directory of this page. `strixlock realize` makes everything again.

Not verified by anybody else: AMD signs no tarball and publishes no digest, so a ROCm digest is that of the first
download; the TheRock commits come from the tarball itself; git commits and models are as their servers sent them.
";

/// Shell function that computes a tree digest, also in docs/reference/tree-digest.md. A test runs exactly this text.
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
A tree digest is the SHA-256 of a listing of names, kinds, sizes, contents and link targets (format
`strix-tree-1`). This function computes it with GNU find, sort, sed and coreutils; the commands below use it.\n\n";

/// Returns the heading of an output.
fn heading(name: &str) -> String {
    format!("### Output {}", cell(name))
}

fn describe(page: &mut String, lock: &Lock, name: &str, output: &LockedOutput, known: &Known) {
    let _ = writeln!(page, "\n{}\n", heading(name));
    each_output!(&output.recipe, recipe => recipe.describe(page, lock));
    if tools::has_tools(&output.recipe) {
        page.push('\n');
        tools::write(page, known.tools.get(name));
    }
    left::write(page, &output.recipe, known.left.get(name));
    let expected = output.tree.map_or_else(
        || "not sealed: `strixlock realize --seal` writes the digest into the lock".to_owned(),
        |tree| tree.to_string(),
    );
    let place = format!("check/{name}");
    commands(page, &[&format!("strixlock realize {name} --to check"), &format!("tree_digest {place}   # {expected}")]);
}
