//! Proves the libraries that programs open while they answer, as ld.so reports them (`LD_DEBUG=files`): each is kept by
//! a rule, and none is missing.

use std::collections::{BTreeMap, BTreeSet};

use super::Claim;
use super::questions::{Answer, Answers, Question};
use crate::error::{Error, Result};
use crate::manifest::rules::{is_library, is_taker};
use crate::tree::show;
use crate::trim::{Resolver, Rule};

/// Returns for each program the number of files that it initialised while it answered, without those that it maps when
/// it starts. They were opened with dlopen: fails if one is not kept by a chain in which something is opened, or if one
/// is missing.
pub(super) fn judge(claim: &Claim, answers: &Answers) -> Result<BTreeMap<String, usize>> {
    let resolver = Resolver::new(&claim.request);
    let (mut all, mut lost) = (BTreeMap::new(), BTreeSet::new());
    for (question, answer) in answers {
        let Question::Trace(program, _, environment) = question else { continue };
        let trace = Trace::read(answer);
        let seen: BTreeSet<Vec<u8>> =
            trace.initialised.iter().filter_map(|path| resolver.real(path.as_bytes())).collect();
        lost.extend(trace.unmet().filter_map(|(asker, name)| claim.lost(&resolver, program, asker, name, &seen)));
        // With `LD_LIBRARY_PATH`, another file of the same name may be opened.
        if *environment != claim.own_environment(program) {
            continue;
        }
        let kinds = claim.trimmed.linked.get(program);
        let mapped: BTreeSet<Vec<u8>> = kinds.into_iter().flat_map(BTreeMap::values).flatten().cloned().collect();
        for path in seen.difference(&mapped) {
            let chain = claim.trimmed.why(path).unwrap_or_default();
            let opens = |rule: &Rule| matches!(rule, Rule::Backend | Rule::Opened | Rule::Edge(_) | Rule::Data(_));
            if !chain.iter().any(|(_, rule)| opens(rule)) {
                return Err(Error::failure("a program opens a library that no rule covers")
                    .fact("program", show(program))
                    .fact("opens", show(path))
                    .hint("add an edge to the runtime in the manifest, and report this to the authors of strixlock"));
            }
        }
        all.insert(show(program), seen.difference(&mapped).count());
    }
    if lost.is_empty() { Ok(all) } else { Err(claim.missing(&lost)) }
}

/// The events that ld.so reported for a process.
#[derive(Default)]
pub(super) struct Trace<'l> {
    /// Requested names, each after the file that requested it.
    asked: BTreeSet<(&'l str, &'l str)>,
    /// Names under which a file was loaded.
    loaded: BTreeSet<&'l str>,
    /// Files that were initialised.
    pub initialised: BTreeSet<&'l str>,
}

impl<'l> Trace<'l> {
    /// Parses the lines: `file=NAME [0];  dynamically loaded by ASKER [0]`, then `file=NAME [0];  generating link map`
    /// if the file was found and is new, then `calling init: FILE` if it has initialisers.
    pub fn read(answer: &'l Answer) -> Self {
        let mut trace = Self::default();
        for line in &answer.lines {
            if let Some((_, path)) = line.split_once("calling init: ") {
                trace.initialised.insert(path.trim());
            }
            let Some((name, said)) = line.split_once("file=").and_then(|(_, rest)| rest.split_once(" [0];")) else {
                continue;
            };
            if said.trim() == "generating link map" {
                trace.loaded.insert(name);
            }
            let asker = ["dynamically loaded by ", "needed by "].iter().find_map(|word| said.trim().strip_prefix(word));
            if let Some(asker) = asker {
                trace.asked.insert((asker.trim_end_matches(" [0]"), name));
            }
        }
        trace
    }

    /// Returns the requested names that were not loaded.
    pub fn unmet(&self) -> impl Iterator<Item = (&'l str, &'l str)> {
        self.asked.iter().copied().filter(|(_, name)| !self.loaded.contains(name))
    }
}

/// A library that a program requests, and that only the whole tree has.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Lost {
    asker: String,
    name: String,
    /// Path of the library in the system with the whole tree.
    path: String,
    /// Start of an edge that would keep the library.
    from: String,
    /// Target of that edge.
    library: String,
}

impl Claim<'_> {
    /// Returns the requested library if the whole tree has it and the runtime lacks a link on the way to it or the file
    /// itself, unless the file was loaded under another name.
    fn lost(
        &self,
        resolver: &Resolver,
        program: &[u8],
        asker: &str,
        name: &str,
        seen: &BTreeSet<Vec<u8>>,
    ) -> Option<Lost> {
        let prefix = self.request.rocm.prefix;
        let real = resolver.real(asker.as_bytes());
        let searched = real.as_ref().and_then(|real| self.trimmed.searched.get(real));
        let paths: Vec<String> = if name.contains('/') {
            vec![name.to_owned()]
        } else {
            let own = searched.into_iter().flatten().map(|directory| format!("{}/{name}", show(directory)));
            own.chain([format!("{prefix}/lib/{name}")]).collect()
        };
        let (path, steps) =
            paths.iter().map(|path| (path, resolver.steps(path.as_bytes()))).find(|(_, steps)| !steps.is_empty())?;
        let inner = |step: &[u8]| Some(step.strip_prefix(prefix.as_bytes())?.strip_prefix(b"/")?.to_vec());
        let lacks = steps.iter().filter_map(|step| inner(step)).any(|step| !self.trimmed.kept.contains_key(&step));
        if !lacks || steps.last().is_some_and(|file| seen.contains(file)) {
            return None;
        }
        let file_name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let asker = real.map_or_else(|| asker.to_owned(), |real| show(&real));
        let takers = [asker.as_str(), &show(program)].map(|taker| without_version(&file_name(taker)));
        let from = takers.into_iter().find(|taker| is_taker(taker)).unwrap_or_else(|| file_name(&asker));
        // The path in the tree, not the one that a library put together.
        let path = steps.first().map_or_else(|| path.clone(), |first| show(first));
        let in_tree = steps.first().and_then(|first| inner(first)).map(|first| show(&first));
        let (name, library) = match in_tree.filter(|_| name.contains('/')) {
            Some(inner) => (path.clone(), inner),
            None => (name.to_owned(), name.to_owned()),
        };
        Some(Lost { asker, name, path, from, library })
    }

    fn missing(&self, lost: &BTreeSet<Lost>) -> Error {
        let mut error = Error::failure("programs request libraries that the whole tree has and the runtime lacks");
        let mut edges = BTreeSet::new();
        for Lost { asker, name, path, from, library } in lost {
            error = error.fact("asks", asker).fact("for", name).fact("there is", path);
            let kind = if is_library(library) { "library" } else { "path" };
            edges.insert(format!(
                "[[outputs.{}.edges]]\nfrom = {from:?}\n{kind} = {library:?}\nreason = \"is opened under a name \
                 that is put together at run time\"\n",
                self.name
            ));
        }
        error.excerpt(edges.into_iter().collect::<Vec<_>>().join("\n")).hint(
            "no file shows such names: add these edges to the manifest, then run `strixlock update` and `strixlock \
             realize`",
        )
    }
}

/// Returns `librocsolver.so` for `librocsolver.so.0.8.0`.
fn without_version(name: &str) -> String {
    name.find(".so").map_or(name, |at| &name[..at + ".so".len()]).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_in_vain_is_told_apart() {
        let lines = [
            "        12:\tfile=libone.so.1 [0];  needed by /opt/llama/bin/llama-cli [0]",
            "        12:\tfile=libone.so.1 [0];  generating link map",
            "        12:\tfile=libtwo.so [0];  dynamically loaded by /opt/rocm/lib/libone.so.1 [0]",
            "        12:\tfile=/opt/rocm/lib/x/libthree.so [0];  dynamically loaded by /opt/rocm/lib/libone.so.1 [0]",
            "        12:\tfile=libfour.so [0];  dynamically loaded by ./llama-cli [0]",
            "        12:\tfile=libfour.so [0];  generating link map",
            "        12:\tcalling init: /opt/rocm/lib/libone.so.1",
            "profile=libfive.so [0];  a line of the program itself",
        ];
        let answer = Answer { code: 0, lines: lines.map(str::to_owned).to_vec() };
        let trace = Trace::read(&answer);
        let asker = "/opt/rocm/lib/libone.so.1";
        assert_eq!(trace.unmet().collect::<Vec<_>>(), [(asker, "/opt/rocm/lib/x/libthree.so"), (asker, "libtwo.so")]);
        assert_eq!(trace.initialised, BTreeSet::from([asker]));
    }

    #[test]
    fn an_edge_comes_from_a_library_without_its_version() {
        for (name, expected) in
            [("librocsolver.so.0.8.0", "librocsolver.so"), ("libx.so", "libx.so"), ("llama-cli", "llama-cli")]
        {
            assert_eq!(without_version(name), expected);
        }
    }
}
