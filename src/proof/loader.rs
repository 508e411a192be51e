//! What ld.so says of the kept ELF files.

use std::collections::BTreeSet;

use super::Claim;
use super::programs::ended;
use super::questions::{Answer, Answers, Question, Where};
use crate::elf::ElfKind;
use crate::error::{Error, Result};
use crate::tree::{Node, show};
use crate::trim::{Places, Processor};

/// The links under which libraries are kept, besides their own names: what is opened is opened by one of these.
pub(super) fn other_names(claim: &Claim) -> Vec<Vec<u8>> {
    let places = Places::new(&claim.request);
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
            if link && places.real(&path).is_some_and(library) {
                names.push(path);
            }
        }
    }
    names
}

/// Fails at the first file that ld.so does not resolve or load, or for which it maps others than were computed. Gives the
/// libraries that it took from the base system.
pub(super) fn judge(claim: &Claim, answers: &Answers) -> Result<BTreeSet<String>> {
    let places = Places::new(&claim.request);
    let mut base = BTreeSet::new();
    for (question, answer) in answers {
        match question {
            Question::List(path, place) => {
                let mapped = resolved(claim, path, *place, answer)?;
                let mut own = BTreeSet::from([places.real(path).unwrap_or_else(|| path.clone())]);
                for Mapped { name, path: at } in mapped {
                    match places.real(at.as_bytes()) {
                        Some(real) if claim.trimmed.elf.contains_key(&real) => drop(own.insert(real)),
                        Some(real) => {
                            let error = Error::failure("ld.so maps a file that was not computed to be needed");
                            let error = claim.where_asked(error, *place);
                            return Err(claim
                                .trimmed
                                .explain(error, &real_of(&places, path))
                                .fact("maps", show(&real)));
                        }
                        None => drop(base.insert(name)),
                    }
                }
                // A search path from outside comes before those of the files, so that it may lead to another file of a name that the
                // runtime has twice.
                if *place == Where::Bare {
                    compare(claim, path, &own)?;
                }
            }
            Question::Load(path) | Question::LoadWith(path, _) => loaded(claim, path, answer)?,
            Question::Ask(..) | Question::Trace(..) => {}
        }
    }
    Ok(base)
}

/// A line of ld.so's list: the name that was asked for, and the file.
struct Mapped {
    name: String,
    path: String,
}

/// What ld.so maps for a file. Lines are `NAME => PATH (0x…)`, `PATH (0x…)` for itself, and `NAME (0x…)` for the kernel's part.
fn resolved(claim: &Claim, path: &[u8], place: Where, answer: &Answer) -> Result<Vec<Mapped>> {
    let real = real_of(&Places::new(&claim.request), path);
    let fault = |what: &str, said: &str, about: &[u8]| {
        let error = Error::failure(what.to_owned()).fact("file", show(&real)).fact("ld.so says", said);
        claim.trimmed.explain(claim.where_asked(error, place), about).hint(HINT)
    };
    if let Some((name, line)) = answer.lines.iter().find_map(|line| Some((lost(line)?, line))) {
        let about = kept_under(claim, name.as_bytes()).unwrap_or_else(|| real.clone());
        return Err(fault("a file of the runtime needs something that ld.so does not find there", line.trim(), &about));
    }
    // A library for which ld.so has nothing to map beside itself is `statically linked` to it.
    if answer.code != 0 {
        return Err(claim.with_flaws(fault("ld.so cannot map a file of the runtime", &said(answer), &real)));
    }
    let mapped = answer.lines.iter().filter_map(|line| {
        let (name, rest) = line.trim().split_once(" => ")?;
        let path = rest.rsplit_once(" (0x").map_or(rest, |(path, _)| path);
        Some(Mapped { name: name.to_owned(), path: path.to_owned() })
    });
    Ok(mapped.collect())
}

/// The name that ld.so says it does not find. It goes on with its list after it (`NAME => not found`) or ends
/// (`PROGRAM: error while loading shared libraries: NAME: cannot open …`), and names a symbol version in the first way.
fn lost(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some((_, rest)) = line.split_once("error while loading shared libraries: ") {
        return rest.split_once(": ").map(|(name, _)| name);
    }
    line.contains("not found").then(|| line.split(" => ").next().unwrap_or(line))
}

/// The kept file that should have been found under this name.
fn kept_under(claim: &Claim, name: &[u8]) -> Option<Vec<u8>> {
    let places = Places::new(&claim.request);
    let mut names = claim.trimmed.elf.keys().cloned().chain(other_names(claim));
    let found = names.find(|path| path.rsplit(|byte| *byte == b'/').next() == Some(name))?;
    places.real(&found)
}

/// For a program, ld.so maps exactly what was computed for one of the kinds of processors, of which this machine has one.
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
        .hint("this is a mistake of strixlock, or of a search path that leads into the base system"))
}

fn loaded(claim: &Claim, path: &[u8], answer: &Answer) -> Result<()> {
    // A library that is not there or cannot be mapped is only warned of.
    let ignored = answer.lines.iter().find(|line| line.contains("cannot be preloaded"));
    if answer.code == 0 && ignored.is_none() {
        return Ok(());
    }
    let said = ignored.map_or_else(|| said(answer), |line| line.trim().to_owned());
    // Where the name is a link, all that it leads over may be what is missing.
    let real = Places::new(&claim.request).real(path);
    let passes = |real: &Vec<u8>| {
        claim.trimmed.why(real).is_some_and(|chain| chain.iter().any(|(step, _)| step.as_slice() == path))
    };
    let about = real.filter(passes).unwrap_or_else(|| path.to_vec());
    let error =
        Error::failure("a library of the runtime cannot be loaded").fact("file", show(path)).fact("ld.so says", said);
    let error = claim.trimmed.explain(error, &about).hint(HINT);
    Err(if answer.code > 126 { claim.with_flaws(error) } else { error })
}

/// The end of an answer, or how it ended where there is none.
fn said(answer: &Answer) -> String {
    let end = answer.end();
    match answer.code {
        code if end.is_empty() => format!("nothing, and ended with {}", ended(code)),
        // All that is said then is the shell's word for it.
        code if code > 128 => format!("{end} ({})", ended(code)),
        _ => end,
    }
}

fn real_of(places: &Places, path: &[u8]) -> Vec<u8> {
    places.real(path).unwrap_or_else(|| path.to_vec())
}

const HINT: &str = "what the base system must have is listed by `strixlock runtime --explain`: add its package to the sysroot; \
                    anything else should be in the tree as it was published";

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
