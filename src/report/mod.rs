//! REPRODUCIBLE.md: everything that a lock pins, and how to check each of it without strixlock; and rebuild.sh, which
//! makes what can be made with plain tools.
//!
//! Both are pure functions of the lock, but for facts that only realized outputs have (see `known`). Those are taken
//! from the store's records, and from a page that states more than this store knows.

mod evidence;
mod known;
mod licences;
mod rebuild;

use std::fmt::Write as _;

use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::lock::{Lock, LockedOutput};
use crate::page::script::Script;
use crate::page::{cell, commands};
use crate::recipe::{OutputKind, OutputRole, each_output};

use known::is_of_one_machine;

pub use evidence::evidence;
pub use known::Known;
pub(crate) use known::{Fact, Found};
pub(crate) use rebuild::Rebuilding;
pub use rebuild::{is_rebuild_script, rebuild_script};

/// The description of each kind of output on the page, and its part of rebuild.sh.
pub(crate) trait Describe: OutputKind {
    /// The labels of [`Self::facts`].
    const LABELS: &'static [&'static str] = &[];

    /// Writes how the output is made, below its heading: from what, with which commands, variables and environment.
    fn describe(&self, page: &mut String, lock: &Lock);

    /// Writes long lists for the end of the page, each below a heading of level three. `name` is that of the output.
    fn lists(&self, _name: &str, _page: &mut String) {}

    /// Returns the facts that only a realized output has, in the order of [`Self::LABELS`]. They go into a table. A
    /// fact must be the same wherever the output is made, unless it is made with the host's own root.
    fn facts(&self, _found: &Found) -> Vec<Fact> {
        Vec::new()
    }

    /// Returns sentences about what nobody verifies of the output, for the page.
    fn unverified(&self, _lock: &Lock) -> Vec<String> {
        Vec::new()
    }

    /// Returns further commands that check the output at the path `place`, a word for the shell. `fact` returns the
    /// values of a fact, if the output is realized.
    fn checks(&self, _place: &str, _fact: &dyn Fn(&str) -> Option<Vec<String>>) -> Vec<String> {
        Vec::new()
    }

    /// Adds commands to rebuild.sh that make `outputs/NAME` from `inputs/` and from other `outputs/`, all of which are
    /// there. The comparison of the tree follows from elsewhere. Fails with a reason if plain tools cannot make it.
    fn rebuild(&self, _script: &mut Script, _rebuilding: &Rebuilding) -> Result<(), String> {
        Err("plain tools cannot make an output of this kind".to_owned())
    }
}

/// Returns the text of REPRODUCIBLE.md.
pub fn reproducible(lock: &Lock, known: &Known) -> Result<String> {
    let digest = Sha256Digest::of(lock.to_text()?.as_bytes());
    // Writing to a String cannot fail.
    let mut page = format!("# How to reproduce this\n\n{}{INTRODUCTION}", known.written_by());
    let _ = writeln!(page, "Lock: `{digest}` (`sha256sum lock/strix.lock`, `strixlock lock digest`).");
    summary(&mut page, lock, known);
    let _ = writeln!(page, "\n## What is not verified\n");
    for (name, sentence) in unverified(lock) {
        let _ = writeln!(page, "* {}: {sentence}", cell(&name));
    }
    let _ = writeln!(page, "\n## How to check\n");
    rebuild::describe(&mut page, lock, known);
    let _ = writeln!(page, "\n## Inputs");
    for (name, input) in &lock.inputs {
        let _ = writeln!(page, "\n### {}", cell(name));
        input.report(&mut page);
    }
    let _ = writeln!(page, "\n## Outputs");
    checks(&mut page, lock, known);
    for (name, output) in outputs(lock) {
        describe(&mut page, lock, name, output, known);
    }
    let _ = writeln!(page, "\n## Lists\n\n### Tree digests\n\n{TREE_DIGEST}```sh\n{TREE_DIGEST_SCRIPT}\n```");
    for (name, input) in &lock.inputs {
        input.lists(name, &mut page);
    }
    for (name, output) in outputs(lock) {
        each_output!(&output.recipe, recipe => recipe.lists(name, &mut page));
        if let Some(realized) = known.of(name) {
            realized.write_lists(&mut page, name);
        }
    }
    Ok(page)
}

/// Returns whether a page is that of the lock. What only realized outputs have may be as it is known here, or as stated
/// by whoever had them.
pub fn fits(page: &str, lock: &Lock, known: &Known) -> Result<bool> {
    let stated = Known::stated(page, lock);
    Ok(known.agrees(&stated, lock) && reproducible(lock, &stated)? == page)
}

/// Returns whether a page states all that is known here of realized outputs.
#[must_use]
pub fn states_all(page: &str, lock: &Lock, known: &Known) -> bool {
    known.is_in(&Known::stated(page, lock))
}

/// Adds what a page of this lock states of outputs that are not realized here.
#[must_use]
pub fn with_stated(known: Known, page: &str, lock: &Lock) -> Known {
    known.with(Known::stated(page, lock))
}

const INTRODUCTION: &str = " (`strixlock audit`) from `lock/strix.lock`; `strixlock audit --check` fails if it is not up
to date. Every version and digest below is pinned. Commands are for bash, in the directory of this page; what they must
print stands behind `#`. Those for inputs do not need strixlock. Define the function `tree_digest` first: it is at the end.
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

const TREE_DIGEST: &str = "\
A tree digest is the SHA-256 of a listing of names, kinds, sizes, contents and link targets (format
`strix-tree-1`). This function computes it with GNU find, sort, sed and coreutils.\n\n";

/// Returns all outputs in the order in which they are made.
fn outputs(lock: &Lock) -> impl Iterator<Item = (&String, &LockedOutput)> {
    lock.ordered().into_iter().filter_map(|name| lock.outputs.get_key_value(name))
}

/// Writes a line for each input and output: what it is, and how sure that is.
fn summary(page: &mut String, lock: &Lock, known: &Known) {
    let _ = writeln!(page, "\n## Summary\n\n| input | kind | version | how sure |\n| --- | --- | --- | --- |");
    for (name, input) in &lock.inputs {
        let (kind, version) = (input.kind().name(), cell(&input.version()));
        let _ = writeln!(page, "| {} | {kind} | {version} | {} |", cell(name), cell(&input.trust().words()));
    }
    let _ = writeln!(page, "\n| output | kind | tree | how sure |\n| --- | --- | --- | --- |");
    for (name, output) in outputs(lock) {
        let tree = tree(lock, name, output, known).map_or_else(|| "not known".to_owned(), |tree| format!("`{tree}`"));
        let sure = sure(name, output, known);
        let only = if is_of_one_machine(lock, name) { "; **holds for one machine only**" } else { "" };
        let _ = writeln!(page, "| {} | {} | {tree} | {sure}{only} |", cell(name), output.recipe.kind());
    }
}

/// Returns the tree that an output must have, if one is known.
fn tree(lock: &Lock, name: &str, output: &LockedOutput, known: &Known) -> Option<String> {
    let published = output.recipe.published().and_then(|input| lock.inputs.get(input)?.tree());
    let sealed = output.tree.or(published.map(|tree| tree.digest));
    sealed.or_else(|| known.of(name).map(|realized| realized.tree)).map(|tree| tree.to_string())
}

fn sure(name: &str, output: &LockedOutput, known: &Known) -> &'static str {
    match known.of(name) {
        _ if output.recipe.published().is_some() => "the pinned tree of its input",
        _ if output.tree.is_some() => "sealed",
        Some(realized) if realized.twice => "realized here twice, equal",
        Some(_) => "realized here once",
        None => "not realized",
    }
}

/// Returns what nobody verifies: names of inputs, outputs and subjects, each with a sentence of Markdown.
#[must_use]
pub fn unverified(lock: &Lock) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, input) in &lock.inputs {
        all.extend(input.unverified().into_iter().map(|sentence| (name.clone(), sentence)));
    }
    for (name, output) in outputs(lock) {
        if is_of_one_machine(lock, name) {
            let sentence = "Made with this machine's own `/usr`, or from such an output: the result holds for this machine \
                            only. An output `sysroot` in the manifest makes it the same everywhere.";
            all.push((name.clone(), sentence.to_owned()));
        }
        let sentences = each_output!(&output.recipe, recipe => recipe.unverified(lock));
        all.extend(sentences.into_iter().map(|sentence| (name.clone(), sentence)));
    }
    let mut add = |subject: &str, sentence: &str| all.push((subject.to_owned(), sentence.to_owned()));
    if lock.outputs.values().any(|output| output.recipe.is(OutputRole::Rocm)) {
        add(
            "The GPU",
            "no GPU takes part in any of this. `strixlock validate` shows on one that the programs compute rightly.",
        );
    }
    add("Licences", "files that look like licences are named. Nobody has read them for you.");
    all
}

/// The beginning of the table of an output.
const HEAD: &str = "| derivation, recipe revision ";

/// Returns the heading of an output.
fn heading(name: &str) -> String {
    format!("### Output {}", cell(name))
}

/// Writes the commands that make all outputs and compare their trees.
fn checks(page: &mut String, lock: &Lock, known: &Known) {
    if lock.outputs.is_empty() {
        return;
    }
    let _ = writeln!(
        page,
        "\n`realize` makes them again. The digest of an output that is not sealed is that of the store in which this page was \
         written; `strixlock realize --seal` writes it into the lock."
    );
    let names: Vec<&str> = outputs(lock).map(|(name, _)| name.as_str()).collect();
    let mut lines = vec![format!("strixlock realize {} --to check", names.join(" "))];
    for (name, output) in outputs(lock) {
        let expected = tree(lock, name, output, known);
        let expected =
            expected.unwrap_or_else(|| "not realized: `strixlock realize`, then `strixlock audit`".to_owned());
        let place = format!("check/{name}");
        lines.push(format!("tree_digest {place}   # {expected}"));
        let fact = known_facts(known, name);
        lines.extend(each_output!(&output.recipe, recipe => recipe.checks(&place, &fact)));
    }
    commands(page, &lines.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Returns a function for the facts about a realized output.
fn known_facts<'k>(known: &'k Known, name: &'k str) -> impl Fn(&str) -> Option<Vec<String>> + 'k {
    move |label: &str| known.of(name).and_then(|realized| realized.fact(label)).map(<[String]>::to_vec)
}

fn describe(page: &mut String, lock: &Lock, name: &str, output: &LockedOutput, known: &Known) {
    let _ = writeln!(page, "\n{}", heading(name));
    each_output!(&output.recipe, recipe => recipe.describe(page, lock));
    let (revision, derivation) = (output.recipe.revision(), output.derivation);
    let _ = writeln!(page, "\n{HEAD}{revision} | `{derivation}` |\n| --- | --- |");
    if let Some(realized) = known.of(name) {
        realized.write(page);
    }
}
