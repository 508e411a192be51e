//! rebuild.sh: makes outputs again from the pinned digests with plain tools, without strixlock.
//!
//! Inputs and outputs write their own commands. This file puts them in order, adds the comparisons, and says what is
//! left out: an output is, if it or anything that it is made from cannot be made.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Describe as _, Known, TREE_DIGEST_SCRIPT, outputs, tree};
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::lock::{Lock, LockedOutput};
use crate::page::cell;
use crate::page::script::{FindFile, Script, one_line};
use crate::recipe::each_output;

/// The second line of the script, by which it is known.
const MARK: &str = "# Written by `strixlock audit --rebuild-script`.";

/// An output that is about to be made.
pub(crate) struct Rebuilding<'a> {
    /// The lock.
    pub lock: &'a Lock,
    /// The name of the output.
    pub name: &'a str,
    known: &'a Known,
}

impl Rebuilding<'_> {
    /// Returns the values of a fact about the realized output.
    pub fn fact(&self, label: &str) -> Option<&[String]> {
        self.known.of(self.name)?.fact(label)
    }

    /// Returns the directory of the output.
    pub fn place(&self) -> String {
        format!("outputs/{}", self.name)
    }
}

/// Outputs that the script makes, and the others with the reasons.
#[derive(Default)]
struct Outcome<'l> {
    made: Vec<&'l str>,
    left: Vec<(&'l str, String)>,
    /// The inputs that are there by now.
    inputs: BTreeSet<&'l str>,
}

/// Returns true for a script of strixlock, which may be replaced.
#[must_use]
pub fn is_rebuild_script(text: &str) -> bool {
    text.lines().nth(1) == Some(MARK)
}

/// Returns the script. `files` finds small files of the project, such as patches.
pub fn rebuild_script(lock: &Lock, known: &Known, files: FindFile) -> Result<String> {
    let mut script = Script::new(Some(files));
    script.functions(COMMON);
    script.functions(TREE_DIGEST_SCRIPT);
    let outcome = write(&mut script, lock, known);
    let digest = Sha256Digest::of(lock.to_text()?.as_bytes());
    let mut head = format!("#!/bin/sh\n{MARK}\n#\n# From the lock {digest}\n");
    let names = |names: &[&str]| names.iter().map(|name| one_line(name)).collect::<Vec<_>>().join(", ");
    // Writing to a String cannot fail.
    let _ = writeln!(head, "# makes in DIRECTORY, and compares with it: {}", names(&outcome.made));
    for (name, reason) in &outcome.left {
        let _ = writeln!(head, "# leaves out {}: {}", one_line(name), one_line(reason));
    }
    head.push_str(USAGE);
    Ok(script.finish(&head, BEGIN, END))
}

/// Writes to the page what the script makes, and what it leaves out.
pub(super) fn describe(page: &mut String, lock: &Lock, known: &Known) {
    let outcome = write(&mut Script::new(None), lock, known);
    let names: Vec<String> = outcome.made.iter().map(|name| cell(name)).collect();
    let made = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    let _ = writeln!(
        page,
        "`strixlock audit --rebuild-script` writes `rebuild.sh`, which makes {made} from the digests on this page without \
         strixlock: with sh, GNU coreutils, findutils, grep and sed, tar, curl, git, dpkg-deb and bubblewrap, as far as \
         they are needed. It compares the tree digests."
    );
    if !outcome.left.is_empty() {
        let _ = writeln!(page, "\nIt leaves out:\n");
    }
    for (name, reason) in &outcome.left {
        let _ = writeln!(page, "* {}: {}", cell(name), one_line(reason));
    }
}

fn write<'l>(script: &mut Script, lock: &'l Lock, known: &Known) -> Outcome<'l> {
    let mut outcome = Outcome::default();
    for (name, output) in outputs(lock) {
        let (before, inputs) = (script.position(), outcome.inputs.clone());
        match commands(script, lock, known, (name, output), &mut outcome) {
            Ok(()) => outcome.made.push(name),
            Err(reason) => {
                script.rewind(before);
                outcome.inputs = inputs;
                outcome.left.push((name, reason));
            }
        }
    }
    outcome
}

/// Adds the commands that make an output, and its inputs unless they are there already.
fn commands<'l>(
    script: &mut Script,
    lock: &'l Lock,
    known: &Known,
    (name, output): (&'l str, &'l LockedOutput),
    outcome: &mut Outcome<'l>,
) -> Result<(), String> {
    if let Some((_, part)) = output.recipe.outputs().iter().find(|(_, part)| !outcome.made.contains(part)) {
        return Err(format!("it is made from {part}, which is left out"));
    }
    for (_, input) in output.recipe.inputs() {
        if outcome.inputs.insert(input) {
            script.gap();
            script.run(&["say", &format!("input {}", one_line(input))]);
            lock.inputs.get(input).map_or_else(|| Err("missing input".to_owned()), |pin| pin.rebuild(input, script))?;
        }
    }
    script.gap();
    script.run(&["say", &format!("output {}", one_line(name))]);
    let rebuilding = Rebuilding { lock, name, known };
    each_output!(&output.recipe, recipe => recipe.rebuild(script, &rebuilding))?;
    script.run(&["compare", name, &tree(lock, name, output, known).unwrap_or_default()]);
    Ok(())
}

const USAGE: &str = "\
#
# Usage: sh rebuild.sh [DIRECTORY]
#
# DIRECTORY (default: ./rebuilt) must be empty, or one of an earlier run, whose downloads are used again. JOBS is the number
# of compilers that run at once (default: one per processor). PROJECT is the directory of the project, for files that only it
# has (default: the directory of this script). Needs GNU coreutils, findutils, grep, sed and tar, and of
# curl, git, dpkg-deb and bubblewrap those that are called below. Ends with 1 if a tree differs.
";

/// Functions of every script.
const COMMON: &str = include_str!("rebuild.sh");

/// Commands before all others.
const BEGIN: &str = "begin \"${1:-rebuilt}\"\n";

/// Commands after all others.
const END: &str = "exit \"$different\"\n";
