//! Which files of a ROCm tree a llama.cpp build needs at run time, and why each of them.
//!
//! Owns the answer to "what may be left out": computed from the ELF files on every run, never a list kept by hand, for
//! the lists change with the nightlies. Both trees are seen as they will lie in the system that runs them (say
//! `/opt/llama` and `/opt/rocm`), and looked through as the loader and the ROCm libraries do it. The relative layout
//! stays, since everything in there finds everything else by it. Only reads; never copies, links or runs anything.
//!
//! * `world`: both trees as one file system, with its links
//! * `loader`: one process and what it has loaded, with the search rules of ld.so
//! * `closure`: from the roots over needed and opened libraries
//! * `kpack`, `kernels`, `data`: what is found by path: GPU code, kernels, bitcode, provenance
//! * `ledger`: what is kept, why, and the chain that leads there
//! * `files`, `names`: the ELF files, each read once; whether a library that was not found should have been

mod closure;
mod data;
mod files;
mod kernels;
mod kpack;
mod ledger;
mod loader;
mod names;
#[cfg(test)]
mod tests;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;
use crate::tree::{Entry, Listing, Node, is_path, show};

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
}

/// The rule by which a file is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// A program that was asked for.
    Root,
    /// A backend of llama.cpp, which opens it by its place.
    Backend,
    /// A library that is in the `DT_NEEDED` of the one before.
    Needed,
    /// A library whose name is a constant in the one before, which may open it with `dlopen`.
    Opened,
    /// What a symbolic link, kept for its own reason, leads to.
    LinkTarget,
    /// The archive of GPU code that the library's `.rocm_kpack_ref` names.
    Kpack,
    /// Kernels that the library looks for in a directory beside it.
    Kernels,
    /// Device bitcode, which compiling at run time takes.
    Bitcode,
    /// What says where the tree comes from, and its licences; kept always.
    Provenance,
}

impl Rule {
    /// A word for columns.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Backend => "backend",
            Self::Needed => "needs",
            Self::Opened => "opens",
            Self::LinkTarget => "links to",
            Self::Kpack => "kpack",
            Self::Kernels => "kernels",
            Self::Bitcode => "bitcode",
            Self::Provenance => "provenance",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "was asked for",
            Self::Backend => "is a backend that llama.cpp opens",
            Self::Needed => "is needed by it (DT_NEEDED)",
            Self::Opened => "is named in its constants, so it may open it (dlopen)",
            Self::LinkTarget => "is where the link leads",
            Self::Kpack => "holds its GPU code (.rocm_kpack_ref)",
            Self::Kernels => "is among the kernels that it loads",
            Self::Bitcode => "is device bitcode that it links when it compiles",
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
    let mut closure = closure::Closure::new(&world);
    closure.run(request.roots)?;
    let closure::Closure { mut ledger, host, libraries, .. } = closure;
    for (path, file) in &libraries {
        kpack::keep(&world, &mut ledger, path, file, request.target)?;
    }
    for (path, file) in &libraries {
        kernels::keep(&world, &mut ledger, path, file, request.target)?;
    }
    data::keep_bitcode(&world, &mut ledger);
    data::keep_provenance(&world, &mut ledger);

    let part = |mount: &world::Mount| -> BTreeMap<Vec<u8>, Reason> {
        let reasons = ledger.reasons().iter();
        reasons.filter_map(|(path, reason)| Some((mount.relative(path)?.to_vec(), reason.clone()))).collect()
    };
    let kept = part(&world.rocm);
    let llama = part(&world.llama);
    Ok(Trimmed { listing: subset(&world.rocm, &kept), kept, llama, host, ledger, rocm: world.rocm.prefix.clone() })
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
