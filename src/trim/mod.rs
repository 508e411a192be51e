//! Which files of a ROCm tree a llama.cpp build needs at run time, and why each of them.
//!
//! Owns the answer to "what may be left out": computed from the ELF files on every run, never a list kept by hand, for
//! the lists change with the nightlies. Both trees are seen as they will lie in the system that runs them (say
//! `/opt/llama` and `/opt/rocm`), and looked through as the loader and the ROCm libraries do it. The relative layout
//! stays, since everything in there finds everything else by it. Only reads; never copies, links or runs anything.
//!
//! * `world`: both trees as one file system, with its links
//! * `base`: what is known of the base system beside them
//! * `processor`, `tokens`: what ld.so's search depends on beside the files: the machine, and its own build
//! * `loader`: one process and what it has loaded, with the search rules of ld.so
//! * `closure`: from the roots over what is needed (`need`), in the right version (`versions`), and opened (`open`, `edges`)
//! * `alone`: each library by itself
//! * `targets`: names that GPU code for the target goes by
//! * `kpack`, `kernels`, `data`: what is found by path: GPU code, kernels, bitcode, provenance
//! * `ledger`: what is kept, why, and the chain that leads there
//! * `left_out`, `sums`: what the rest is; sizes by reason
//! * `files`, `names`: the ELF files, each read once; whether a library that was not found should have been

mod alone;
mod base;
mod closure;
mod data;
mod edges;
mod files;
mod kernels;
mod kpack;
mod ledger;
mod left_out;
mod loader;
mod names;
mod need;
mod open;
mod processor;
mod sums;
mod targets;
#[cfg(test)]
mod tests;
mod tokens;
mod versions;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use crate::elf::ElfKind;
use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;
use crate::recipe::{Edge, Target};
use crate::tree::{Entry, Listing, Node, is_path, show};

pub use alone::Alone;
pub use kernels::demand_tables;
pub use left_out::LeftOut;
pub use processor::Processor;
pub use sums::Sum;

/// A tree on disk and where it will lie in the system that runs it.
#[derive(Clone, Copy)]
pub struct Mounted<'a> {
    /// Where the tree is now.
    pub dir: &'a Path,
    /// What is in it.
    pub listing: &'a Listing,
    /// Where it will be, such as `/opt/rocm`: absolute.
    pub prefix: &'a str,
}

/// What is to be trimmed, and for what.
pub struct Request<'a> {
    /// The ROCm tree.
    pub rocm: Mounted<'a>,
    /// The llama.cpp build.
    pub llama: Mounted<'a>,
    /// The programs that must run: names in the build's `bin`, such as `llama-server`.
    pub roots: &'a [String],
    /// The GPU that they run on.
    pub target: &'a GfxTarget,
    /// What libraries take at run time and no file shows.
    pub edges: &'a [Edge],
    /// The base system, where it is a tree: its prefix is empty.
    pub base: Option<Mounted<'a>>,
}

/// The rule by which a file is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// A program that was asked for.
    Root,
    /// A program of ROCm's by which a person sees what the runtime finds.
    Tool,
    /// A backend of llama.cpp, which opens it by its place.
    Backend,
    /// A library that is in the `DT_NEEDED` of the one before.
    Needed,
    /// A library that answers for the symbols of the one before (`DT_FILTER`, `DT_AUXILIARY`).
    Filter,
    /// A library whose name is a constant in the one before, which may open it with `dlopen`.
    Opened,
    /// A library that the one before opens by an edge; its number in the request.
    Edge(usize),
    /// What a symbolic link, kept for its own reason, leads to.
    LinkTarget,
    /// The archive of GPU code that the library's `.rocm_kpack_ref` names.
    Kpack,
    /// Kernels that the library looks for in a directory beside it.
    Kernels,
    /// A file that the library or program before reads by an edge; its number in the request.
    Data(usize),
    /// What says where the tree comes from, and its licences; kept always.
    Provenance,
}

impl Rule {
    /// A word for columns.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Tool => "tool",
            Self::Backend => "backend",
            Self::Needed => "needs",
            Self::Filter => "filter",
            Self::Opened => "opens",
            Self::Edge(_) => "edge",
            Self::LinkTarget => "links to",
            Self::Kpack => "kpack",
            Self::Kernels => "kernels",
            Self::Data(_) => "data",
            Self::Provenance => "provenance",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "was asked for",
            Self::Tool => "shows what the runtime finds of the machine",
            Self::Backend => "is a backend that llama.cpp opens",
            Self::Needed => "is needed by it (DT_NEEDED)",
            Self::Filter => "answers for its symbols (DT_FILTER, DT_AUXILIARY)",
            Self::Opened => "is named in its constants, so it may open it (dlopen)",
            Self::Edge(_) => "is opened by it, as an edge says",
            Self::LinkTarget => "is where the link leads",
            Self::Kpack => "holds its GPU code (.rocm_kpack_ref)",
            Self::Kernels => "is among the kernels that it loads",
            Self::Data(_) => "is read by it, as an edge says",
            Self::Provenance => "says where the tree comes from",
        })
    }
}

/// Why a file is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// The rule that keeps it.
    pub rule: Rule,
    /// What demanded it, by its path in the system (`/opt/rocm/lib/…`); nothing did for roots and provenance.
    pub by: Option<Vec<u8>>,
}

/// What the run time takes.
#[derive(Debug)]
pub struct Trimmed {
    /// The files and links of the ROCm tree that are kept, by their path in it.
    pub kept: BTreeMap<Vec<u8>, Reason>,
    /// The files and links of the llama.cpp build that take part, by their path in it.
    pub llama: BTreeMap<Vec<u8>, Reason>,
    /// The libraries that must come from the base system, such as `libc.so.6`, and who needs each (paths in the system).
    /// The loader that a program names is among them.
    pub host: BTreeMap<String, BTreeSet<Vec<u8>>>,
    /// The files and links of the ROCm tree that are not kept, by their path in it, and what each is.
    pub left_out: BTreeMap<Vec<u8>, LeftOut>,
    /// Every kept x86-64 ELF file of both trees by its path in the system, and how it is used.
    pub elf: BTreeMap<Vec<u8>, ElfKind>,
    /// Those of `elf` that only newer processors load than the plainest.
    pub newer: BTreeSet<Vec<u8>>,
    /// The programs that are kept, by the path in the system under which each is started, and all files that the loader maps for
    /// it then on each kind of processor: paths in the system, itself among them.
    pub linked: BTreeMap<Vec<u8>, BTreeMap<Processor, BTreeSet<Vec<u8>>>>,
    /// Way in which each library of `elf` is loaded by itself.
    pub alone: BTreeMap<Vec<u8>, Alone>,
    /// The directories in which each file of `elf` looks for what it opens by name.
    pub searched: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
    /// Those of `elf` that can be read and may crash ld.so all the same, and why.
    pub flaws: BTreeMap<Vec<u8>, &'static str>,
    /// The edges to libraries and paths that lead nowhere, by their number in the request, and whether what takes it is kept.
    pub idle: BTreeMap<usize, bool>,
    /// The loader that the first root names.
    pub interpreter: Option<Vec<u8>>,
    edges: Vec<Edge>,
    listing: Listing,
    ledger: ledger::Ledger,
    rocm: Vec<u8>,
}

impl Trimmed {
    /// The kept part of the ROCm tree: files, links and the directories above them, where they were.
    #[must_use]
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// The chain that leads to a kept file, from a root down to it, in paths of the system; each with the rule by which
    /// the one before leads to it. `path` is one in the ROCm tree, or one in the system.
    #[must_use]
    pub fn why(&self, path: &[u8]) -> Option<Vec<(Vec<u8>, Rule)>> {
        let path = if path.starts_with(b"/") { path.to_vec() } else { [&self.rocm, b"/".as_slice(), path].concat() };
        let chain = self.ledger.chain(&path);
        (!chain.is_empty()).then_some(chain)
    }

    /// What a rule says of a file, as the end of a sentence; an edge says its own reason.
    #[must_use]
    pub fn because(&self, rule: Rule) -> String {
        let edge = if let Rule::Edge(number) | Rule::Data(number) = rule { self.edges.get(number) } else { None };
        edge.map_or_else(|| rule.to_string(), |edge| format!("{} (edge of {})", edge.reason, edge.from))
    }

    /// Adds the chain that leads to a kept file, a path in the system, to an error.
    #[must_use]
    pub fn explain(&self, error: Error, path: &[u8]) -> Error {
        self.ledger.explain(error, path)
    }
}

/// Two trees as one file system, for finding where a path really leads.
pub struct Places<'a>(world::World<'a>);

impl<'a> Places<'a> {
    /// The trees of a request.
    #[must_use]
    pub fn new(request: &Request<'a>) -> Self {
        Self(world::World::new(request))
    }

    /// The file at a path of the system with all links followed; `None` where there is none, or where it is in neither tree.
    #[must_use]
    pub fn real(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.0.find(path).filter(|found| !found.directory).map(|found| found.real)
    }

    /// The links on the way to a file, and the file; nothing where there is none.
    #[must_use]
    pub fn way(&self, path: &[u8]) -> Vec<Vec<u8>> {
        let found = self.0.find(path).filter(|found| !found.directory);
        found.map(|found| found.links.into_iter().chain([found.real]).collect()).unwrap_or_default()
    }
}

/// Whether a file name is this library's, in whatever version: `libx.so.1.2` is one of `libx.so`.
fn is_version_of(name: &[u8], library: &str) -> bool {
    name.strip_prefix(library.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
}

/// The error for a required edge that leads nowhere.
fn missing_edge(ledger: &ledger::Ledger, by: &[u8], edge: &Edge) -> Error {
    let error = Error::failure("a library takes something at run time that the tree does not have");
    let error =
        ledger.explain(error, by).fact("missing", edge.to.name()).fact("because", format!("it {}", edge.reason));
    error.hint(
        "use the whole tree as it was published; or, if this version does without, an edge of your own in the manifest",
    )
}

/// Computes what the roots need of the ROCm tree.
///
/// Everything that a library needs and that should have been in the trees, but is not where the loader looks, is an
/// error that shows the chain leading there: a flattened or damaged tree does not pass.
pub fn trim(request: &Request) -> Result<Trimmed> {
    for (tree, prefix) in [("ROCm", request.rocm.prefix), ("llama.cpp", request.llama.prefix)] {
        if !prefix.strip_prefix('/').is_some_and(|path| is_path(path.as_bytes())) {
            return Err(Error::new(
                Kind::Invalid,
                format!("the place of the {tree} tree is not a clean absolute path"),
            )
            .fact("prefix", show(prefix.as_bytes())));
        }
    }
    let world = world::World::new(request);
    let mut closure = closure::Closure::new(&world, request.edges);
    closure.run(request.roots)?;
    let closure::Closure {
        mut ledger, mut files, host, libraries, plain, linked, interpreter, alone, searched, ..
    } = closure;
    let idle = |number: &usize| {
        let leads = matches!(request.edges[*number].to, Target::Library(_) | Target::Path(_));
        leads && !closure.met.contains(number)
    };
    let idle = (0..request.edges.len()).filter(idle).map(|number| (number, closure.taken.contains(&number))).collect();
    for (path, file) in &libraries {
        kpack::keep(&world, &mut ledger, path, file, request.target)?;
    }
    for (path, file) in &libraries {
        kernels::keep(&mut files, &world, &mut ledger, path, file, request)?;
    }
    data::keep_paths(&world, &mut ledger, request.edges)?;
    data::keep_provenance(&world, &mut ledger);

    let part = |mount: &world::Mount| -> BTreeMap<Vec<u8>, Reason> {
        let reasons = ledger.reasons().iter();
        reasons.filter_map(|(path, reason)| Some((mount.relative(path)?.to_vec(), reason.clone()))).collect()
    };
    let kept = part(&world.rocm);
    let llama = part(&world.llama);
    Ok(Trimmed {
        listing: subset(&world.rocm, &kept),
        left_out: left_out::left_out(&world.rocm, request.target, |path| kept.contains_key(path)),
        newer: libraries.keys().filter(|path| !plain.contains(*path)).cloned().collect(),
        flaws: libraries.iter().filter_map(|(path, file)| Some((path.clone(), file.flaw?))).collect(),
        elf: libraries.into_iter().map(|(path, file)| (path, file.kind)).collect(),
        edges: request.edges.to_vec(),
        linked,
        alone,
        searched,
        idle,
        interpreter,
        kept,
        llama,
        host,
        ledger,
        rocm: world.rocm.prefix.clone(),
    })
}

/// The kept entries with the directories above them.
fn subset(rocm: &world::Mount, kept: &BTreeMap<Vec<u8>, Reason>) -> Listing {
    let mut entries: BTreeMap<Vec<u8>, Node> = BTreeMap::new();
    for path in kept.keys() {
        let Some(node) = rocm.node(path) else { continue };
        entries.insert(path.clone(), node.clone());
        let mut above = world::parent(path);
        while !above.is_empty() && !entries.contains_key(above) {
            entries.insert(above.to_vec(), Node::Directory);
            above = world::parent(above);
        }
    }
    Listing::new(entries.into_iter().map(|(path, node)| Entry { path, node }).collect())
}
