//! Trimming: computes the files of a ROCm tree that a llama.cpp build needs at run time, with a reason for each.
//!
//! Owns the answer to "what may be left out". It is computed from the ELF files on every run and is never a list kept
//! by hand, for such lists change with the nightlies. Both trees are read as they will be installed (say in
//! `/opt/llama` and `/opt/rocm`), and searched as the loader and the ROCm libraries do. The relative layout stays,
//! since libraries find each other by it. Only reads; never copies, links or runs anything.
//!
//! * `mount`, `world`: a tree at its place, and both trees as one file system with links
//! * `base`: the base system beside them, as far as it is known
//! * `processor`, `tokens`: parts of ld.so's search that depend on the machine and on ld.so's own build
//! * `loader`: a process and its loaded files, with the search rules of ld.so
//! * `closure`: from the roots over all files that are needed (`needed`), in the right version (`versions`), or opened
//!   (`dlopen`, `edges`)
//! * `standalone`: each library by itself
//! * `targets`: names of GPU code for the targets
//! * `kpack`, `kernels`, `data`: files found by path: GPU code, kernels, bitcode, provenance
//! * `ledger`: the kept files with their reasons and chains
//! * `left_out`, `sums`: kinds of the other files; sizes by rule and kind
//! * `elf_files`, `library_names`: the ELF files, each read once; errors for libraries that should have been found

mod base;
mod closure;
mod data;
mod dlopen;
mod edges;
mod elf_files;
mod kernels;
mod kpack;
mod ledger;
mod left_out;
mod library_names;
mod loader;
mod mount;
mod needed;
mod processor;
mod standalone;
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
use crate::tree::path::parent;
use crate::tree::{Entry, Listing, Node, is_path, show};

pub use base::{Base, DIRECTORIES};
pub use kernels::demand_tables;
pub use left_out::LeftOut;
pub use processor::Processor;
pub use standalone::Standalone;
pub use sums::Sum;

/// A tree on disk, and its place in the system that will run it.
#[derive(Clone, Copy)]
pub struct Mounted<'a> {
    /// The present path of the tree on disk.
    pub dir: &'a Path,
    /// The tree's listing.
    pub listing: &'a Listing,
    /// The absolute path of the tree in the system, such as `/opt/rocm`.
    pub prefix: &'a str,
}

/// A request to trim a ROCm tree for a build.
pub struct Request<'a> {
    /// The ROCm tree.
    pub rocm: Mounted<'a>,
    /// The llama.cpp build.
    pub llama: Mounted<'a>,
    /// Names of the programs in the build's `bin` that must run, such as `llama-server`.
    pub roots: &'a [String],
    /// The GPUs that they run on.
    pub targets: &'a [GfxTarget],
    /// Needs of libraries that no file shows.
    pub edges: &'a [Edge],
    /// The base system, if it is a tree. Its prefix is empty.
    pub base: Option<Mounted<'a>>,
}

/// The rule by which a file is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// A requested program.
    Root,
    /// A program of ROCm that shows what the runtime detects.
    Tool,
    /// A backend of llama.cpp, which opens it by its path.
    Backend,
    /// A library in the `DT_NEEDED` of the file before it in the chain.
    Needed,
    /// A library that provides the symbols of the one before (`DT_FILTER`, `DT_AUXILIARY`).
    Filter,
    /// A library whose name is among the constants of the file before, which may open it with `dlopen`.
    Opened,
    /// A library that the file before opens by the edge with this number in the request.
    Edge(usize),
    /// The target of a symbolic link that is kept for its own reason.
    LinkTarget,
    /// The archive of GPU code that the library's `.rocm_kpack_ref` names.
    Kpack,
    /// Kernels that the library looks for in a directory beside it.
    Kernels,
    /// A file that the library or program before reads by the edge with this number in the request.
    Data(usize),
    /// A file about the origin of the tree, or a licence. Always kept.
    Provenance,
}

impl Rule {
    /// Returns the rule as one or two words, for columns.
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
            Self::Root => "was requested",
            Self::Tool => "shows what the runtime detects of the machine",
            Self::Backend => "is a backend that llama.cpp opens",
            Self::Needed => "is needed by it (DT_NEEDED)",
            Self::Filter => "provides its symbols (DT_FILTER, DT_AUXILIARY)",
            Self::Opened => "is named in its constants, so that it may open it (dlopen)",
            Self::Edge(_) => "is opened by it, as an edge says",
            Self::LinkTarget => "is the target of the link",
            Self::Kpack => "holds its GPU code (.rocm_kpack_ref)",
            Self::Kernels => "is among the kernels that it loads",
            Self::Data(_) => "is read by it, as an edge says",
            Self::Provenance => "tells the origin of the tree",
        })
    }
}

/// The reason for which a file is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// The rule that keeps the file.
    pub rule: Rule,
    /// The path in the system (`/opt/rocm/lib/…`) of the file that demanded it. `None` for roots and provenance.
    pub by: Option<Vec<u8>>,
}

/// Result of trimming.
#[derive(Debug)]
pub struct Trimmed {
    /// The kept files and links of the ROCm tree, by path in the tree.
    pub kept: BTreeMap<Vec<u8>, Reason>,
    /// The used files and links of the llama.cpp build, by path in the tree.
    pub llama: BTreeMap<Vec<u8>, Reason>,
    /// The libraries that must come from the base system, such as `libc.so.6`, each with the paths in the system of the
    /// files that need it. Includes the loader that a program names.
    pub host: BTreeMap<String, BTreeSet<Vec<u8>>>,
    /// The files and links of the ROCm tree that are not kept, by path in the tree, with their kinds.
    pub left_out: BTreeMap<Vec<u8>, LeftOut>,
    /// Every kept x86-64 ELF file of both trees, by path in the system, with its kind.
    pub elf: BTreeMap<Vec<u8>, ElfKind>,
    /// Files of `elf` that the plainest processor does not load.
    pub newer: BTreeSet<Vec<u8>>,
    /// The kept programs, by the path in the system by which each is started. For each kind of processor: the files
    /// that the loader maps then, the program included, by path in the system.
    pub linked: BTreeMap<Vec<u8>, BTreeMap<Processor, BTreeSet<Vec<u8>>>>,
    /// Each library of `elf`, loaded by itself.
    pub standalone: BTreeMap<Vec<u8>, Standalone>,
    /// The directories in which each file of `elf` looks for libraries that it opens by name.
    pub searched: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
    /// Files of `elf` that can be read but may crash ld.so, with the flaw.
    pub flaws: BTreeMap<Vec<u8>, &'static str>,
    /// The edges to libraries and paths that lead nowhere, by number in the request. `true` if the file that they start
    /// from is kept.
    pub idle: BTreeMap<usize, bool>,
    /// The loader that the first root names.
    pub interpreter: Option<Vec<u8>>,
    edges: Vec<Edge>,
    listing: Listing,
    ledger: ledger::Ledger,
    rocm: Vec<u8>,
}

impl Trimmed {
    /// Returns the listing of the kept part of the ROCm tree: files, links and the directories above them.
    #[must_use]
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Returns the chain from a root down to a kept file, in paths of the system, each with the rule by which the one
    /// before leads to it. `path` is a path in the ROCm tree or in the system.
    #[must_use]
    pub fn why(&self, path: &[u8]) -> Option<Vec<(Vec<u8>, Rule)>> {
        let path = if path.starts_with(b"/") { path.to_vec() } else { [&self.rocm, b"/".as_slice(), path].concat() };
        let chain = self.ledger.chain(&path);
        (!chain.is_empty()).then_some(chain)
    }

    /// Describes a rule as the end of a sentence about a file. For an edge, returns the edge's own reason.
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

/// Resolver of paths in the two trees of a request as one file system.
pub struct Resolver<'a>(world::World<'a>);

impl<'a> Resolver<'a> {
    /// Creates a resolver for the trees of a request.
    #[must_use]
    pub fn new(request: &Request<'a>) -> Self {
        Self(world::World::new(request))
    }

    /// Returns the real path of the file at a path of the system. `None` if neither tree has the file.
    #[must_use]
    pub fn real(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.0.find(path).filter(|found| !found.directory).map(|found| found.real)
    }

    /// Returns the links on the way to a file, then the file. Empty if neither tree has it.
    #[must_use]
    pub fn steps(&self, path: &[u8]) -> Vec<Vec<u8>> {
        let found = self.0.find(path).filter(|found| !found.directory);
        found.map(|found| found.links.into_iter().chain([found.real]).collect()).unwrap_or_default()
    }
}

/// Returns whether a file name is that of this library in any version: `libx.so.1.2` is a version of `libx.so`.
fn is_version_of(name: &[u8], library: &str) -> bool {
    name.strip_prefix(library.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
}

/// Returns the error for a required edge that leads nowhere.
fn missing_edge(ledger: &ledger::Ledger, by: &[u8], edge: &Edge) -> Error {
    let error = Error::failure("a library needs a file at run time that the tree does not have");
    let error =
        ledger.explain(error, by).fact("missing", edge.to.name()).fact("because", format!("it {}", edge.reason));
    error.hint(
        "use the whole tree as it was published; or, if this version does not need it, an edge of your own in the \
         manifest",
    )
}

/// Computes the files of the ROCm tree that the roots need.
///
/// Fails if a needed library should be in the trees but is not where the loader looks, and shows the chain that leads
/// there. So a flattened or damaged tree does not pass.
pub fn trim(request: &Request) -> Result<Trimmed> {
    for (tree, prefix) in [("ROCm", request.rocm.prefix), ("llama.cpp", request.llama.prefix)] {
        if !prefix.strip_prefix('/').is_some_and(|path| is_path(path.as_bytes())) {
            return Err(Error::new(
                Kind::Invalid,
                format!("the prefix of the {tree} tree is not a clean absolute path"),
            )
            .fact("prefix", show(prefix.as_bytes())));
        }
    }
    let world = world::World::new(request);
    let mut closure = closure::Closure::new(&world, request.edges);
    closure.run(request.roots)?;
    let closure::Closure {
        mut ledger,
        mut files,
        host,
        libraries,
        plain,
        linked,
        interpreter,
        standalone,
        searched,
        ..
    } = closure;
    let idle = |number: &usize| {
        let leads = matches!(request.edges[*number].to, Target::Library(_) | Target::Path(_));
        leads && !closure.met.contains(number)
    };
    let idle = (0..request.edges.len()).filter(idle).map(|number| (number, closure.taken.contains(&number))).collect();
    for (path, file) in &libraries {
        for target in request.targets {
            kpack::keep(&world, &mut ledger, path, file, target)?;
        }
    }
    for (path, file) in &libraries {
        kernels::keep(&mut files, &world, &mut ledger, path, file, request)?;
    }
    data::keep_paths(&world, &mut ledger, request.edges)?;
    data::keep_provenance(&world, &mut ledger);

    let part = |mount: &mount::Mount| -> BTreeMap<Vec<u8>, Reason> {
        let reasons = ledger.reasons().iter();
        reasons.filter_map(|(path, reason)| Some((mount.relative(path)?.to_vec(), reason.clone()))).collect()
    };
    let kept = part(&world.rocm);
    let llama = part(&world.llama);
    Ok(Trimmed {
        listing: subset(&world.rocm, &kept),
        left_out: left_out::left_out(&world.rocm, request.targets, |path| kept.contains_key(path)),
        newer: libraries.keys().filter(|path| !plain.contains(*path)).cloned().collect(),
        flaws: libraries.iter().filter_map(|(path, file)| Some((path.clone(), file.flaw?))).collect(),
        elf: libraries.into_iter().map(|(path, file)| (path, file.kind)).collect(),
        edges: request.edges.to_vec(),
        linked,
        standalone,
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

/// Returns the kept entries with the directories above them.
fn subset(rocm: &mount::Mount, kept: &BTreeMap<Vec<u8>, Reason>) -> Listing {
    let mut entries: BTreeMap<Vec<u8>, Node> = BTreeMap::new();
    for path in kept.keys() {
        let Some(node) = rocm.node(path) else { continue };
        entries.insert(path.clone(), node.clone());
        let mut above = parent(path);
        while !above.is_empty() && !entries.contains_key(above) {
            entries.insert(above.to_vec(), Node::Directory);
            above = parent(above);
        }
    }
    Listing::new(entries.into_iter().map(|(path, node)| Entry { path, node }).collect())
}
