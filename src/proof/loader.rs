//! Proves that ld.so loads the kept ELF files as computed.

use std::collections::BTreeSet;

use super::Claim;
use super::programs::ended;
use super::questions::{Answer, Answers, Environment, Question};
use crate::elf::ElfKind;
use crate::error::{Error, Result};
use crate::tree::{Node, show};
use crate::trim::{Processor, Resolver};

/// Returns the kept links to libraries, which may be opened by these names.
pub(super) fn other_names(claim: &Claim) -> Vec<Vec<u8>> {
    let resolver = Resolver::new(&claim.request);
    let trees = [
        (claim.request.rocm.prefix, claim.request.rocm.listing, &claim.trimmed.kept),
        (claim.request.llama.prefix, claim.request.llama.listing, &claim.trimmed.llama),
    ];
    let mut names = Vec::new();
    for (prefix, listing, kept) in trees {
        for path in kept.keys() {
            let path = [prefix.as_bytes(), b"/", path].concat();
            let inner = &path[prefix.len() + 1..];
            let link = listing.get(inner).is_some_and(|entry| matches!(entry.node, Node::Link { .. }));
            let library = |real: Vec<u8>| {
                claim.trimmed.elf.get(&real) == Some(&ElfKind::Shared) && !claim.trimmed.newer.contains(&real)
            };
            if link && resolver.real(&path).is_some_and(library) {
                names.push(path);
            }
        }
    }
    names
}

/// Fails at the first file that ld.so does not resolve or load, or for which it maps other files than were computed.
/// Returns the libraries that ld.so took from the base system.
pub(super) fn judge(claim: &Claim, answers: &Answers, not_run: &mut BTreeSet<String>) -> Result<BTreeSet<String>> {
    let resolver = Resolver::new(&claim.request);
    let mut base = BTreeSet::new();
    for (question, answer) in answers {
        match question {
            Question::List(path, environment) => {
                let mapped = resolved(claim, path, *environment, answer)?;
                let mut own = BTreeSet::from([resolver.real(path).unwrap_or_else(|| path.clone())]);
                for Mapped { name, path: file } in mapped {
                    match resolver.real(file.as_bytes()) {
                        Some(real) if claim.trimmed.elf.contains_key(&real) => drop(own.insert(real)),
                        Some(real) => {
                            let error = Error::failure("ld.so maps a file that was not computed as needed");
                            let error = claim.with_environment(error, *environment);
                            return Err(claim
                                .trimmed
                                .explain(error, &real_of(&resolver, path))
                                .fact("maps", show(&real)));
                        }
                        None => drop(base.insert(name)),
                    }
                }
                // `LD_LIBRARY_PATH` comes before the search paths of the files. If the runtime has two files of a name,
                // it may lead to the other one.
                if *environment == claim.own_environment(path) {
                    compare(claim, path, &own)?;
                }
            }
            Question::Load(path) | Question::LoadWith(path, _)
                if claim.part_needs_processor(answer) && is_llama(claim, path) =>
            {
                not_run.insert(show(path));
            }
            Question::Load(path) | Question::LoadWith(path, _) => loaded(claim, path, answer)?,
            Question::Ask(..) | Question::Trace(..) => {}
        }
    }
    Ok(base)
}

/// Returns true for a file of the build. ROCm's run on every processor.
pub(super) fn is_llama(claim: &Claim, path: &[u8]) -> bool {
    path.starts_with(format!("{}/", claim.request.llama.prefix).as_bytes())
}

/// A line of ld.so's list: the requested name, and the file.
pub(super) struct Mapped {
    pub name: String,
    pub path: String,
}

/// Returns the files that ld.so maps for a file. Lines are `NAME => PATH (0x…)`, `PATH (0x…)` for ld.so itself, and
/// `NAME (0x…)` for the kernel's vDSO.
fn resolved(claim: &Claim, path: &[u8], environment: Environment, answer: &Answer) -> Result<Vec<Mapped>> {
    let real = real_of(&Resolver::new(&claim.request), path);
    let fault = |what: &str, said: &str, about: &[u8]| {
        let error = Error::failure(what.to_owned()).fact("file", show(&real)).fact("ld.so says", said);
        claim.trimmed.explain(claim.with_environment(error, environment), about).hint(HINT)
    };
    if let Some((name, line)) = answer.lines.iter().find_map(|line| Some((lost(line)?, line))) {
        let about = kept_under(claim, name.as_bytes()).unwrap_or_else(|| real.clone());
        return Err(fault(
            "a file of the runtime needs a library or version that ld.so does not find there",
            line.trim(),
            &about,
        ));
    }
    // For a library without needs ld.so prints `statically linked`.
    if answer.code != 0 {
        return Err(claim.with_flaws(fault("ld.so cannot map a file of the runtime", &said(answer), &real)));
    }
    Ok(mapped(answer))
}

/// Returns the files of ld.so's list.
pub(super) fn mapped(answer: &Answer) -> Vec<Mapped> {
    let mapped = answer.lines.iter().filter_map(|line| {
        let (name, rest) = line.trim().split_once(" => ")?;
        let path = rest.rsplit_once(" (0x").map_or(rest, |(path, _)| path);
        Some(Mapped { name: name.to_owned(), path: path.to_owned() })
    });
    mapped.collect()
}

/// Returns the name that ld.so does not find according to a line of its output. ld.so either continues its list
/// (`NAME => not found`, also for a symbol version) or ends
/// (`PROGRAM: error while loading shared libraries: NAME: cannot open …`).
pub(super) fn lost(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some((_, rest)) = line.split_once("error while loading shared libraries: ") {
        return rest.split_once(": ").map(|(name, _)| name);
    }
    line.contains("not found").then(|| line.split(" => ").next().unwrap_or(line))
}

/// Returns the kept file that should have been found under this name.
fn kept_under(claim: &Claim, name: &[u8]) -> Option<Vec<u8>> {
    let resolver = Resolver::new(&claim.request);
    let mut names = claim.trimmed.elf.keys().cloned().chain(other_names(claim));
    let found = names.find(|path| path.rsplit(|byte| *byte == b'/').next() == Some(name))?;
    resolver.real(&found)
}

/// Fails unless ld.so maps for a program exactly the files computed for one kind of processor: this machine's.
fn compare(claim: &Claim, path: &[u8], seen: &BTreeSet<Vec<u8>>) -> Result<()> {
    let Some(kinds) = claim.trimmed.linked.get(path) else { return Ok(()) };
    if kinds.values().any(|computed| computed == seen) {
        return Ok(());
    }
    let Some(computed) = kinds.get(&Processor::PLAIN) else { return Ok(()) };
    let list = |one: &BTreeSet<Vec<u8>>, other: &BTreeSet<Vec<u8>>| {
        let only: Vec<String> = one.difference(other).map(|path| show(path)).collect();
        if only.is_empty() { "nothing".to_owned() } else { only.join(", ") }
    };
    Err(Error::failure("ld.so maps other files for a program than were computed")
        .fact("program", show(path))
        .fact("ld.so only", list(seen, computed))
        .fact("computed only", list(computed, seen))
        .hint("this is a bug of strixlock, or a search path that leads into the base system"))
}

fn loaded(claim: &Claim, path: &[u8], answer: &Answer) -> Result<()> {
    // ld.so only warns about a library that is missing or cannot be mapped.
    let ignored = answer.lines.iter().find(|line| line.contains("cannot be preloaded"));
    if answer.code == 0 && ignored.is_none() {
        return Ok(());
    }
    let said = ignored.map_or_else(|| said(answer), |line| line.trim().to_owned());
    // If the name is a link, another link on the way may be the missing one.
    let real = Resolver::new(&claim.request).real(path);
    let passes = |real: &Vec<u8>| {
        claim.trimmed.why(real).is_some_and(|chain| chain.iter().any(|(step, _)| step.as_slice() == path))
    };
    let about = real.filter(passes).unwrap_or_else(|| path.to_vec());
    let error =
        Error::failure("a library of the runtime cannot be loaded").fact("file", show(path)).fact("ld.so says", said);
    let error = claim.trimmed.explain(error, &about).hint(HINT);
    Err(if answer.code > 126 { claim.with_flaws(error) } else { error })
}

/// Returns the end of an answer, or the exit status if there was no output.
pub(super) fn said(answer: &Answer) -> String {
    let end = answer.end();
    match answer.code {
        code if end.is_empty() => format!("nothing, and ended with {}", ended(code)),
        // The output is the shell's name for the signal then.
        code if code > 128 => format!("{end} ({})", ended(code)),
        _ => end,
    }
}

fn real_of(resolver: &Resolver, path: &[u8]) -> Vec<u8> {
    resolver.real(path).unwrap_or_else(|| path.to_vec())
}

const HINT: &str = "`strixlock runtime --explain` lists what the base system must have: add its package to the \
                    sysroot; anything else should be in the tree as it was published";

#[cfg(test)]
mod tests {
    use super::lost;

    #[test]
    fn what_ld_so_does_not_find_is_known_by_its_name() {
        for (line, expected) in [
            ("\tlibx.so.1 => not found", Some("libx.so.1")),
            (
                "p: error while loading shared libraries: libx.so.1: cannot open shared object file: No such file",
                Some("libx.so.1"),
            ),
            (
                "p: /lib/libc.so.6: version `GLIBC_2.99' not found (required by p)",
                Some("p: /lib/libc.so.6: version `GLIBC_2.99' not found (required by p)"),
            ),
            ("\tlibx.so.1 => /opt/rocm/lib/libx.so.1 (0x00007f)", None),
        ] {
            assert_eq!(lost(line), expected, "{line}");
        }
    }
}
