//! The Vulkan loader and drivers of a root, with all libraries that they and an engine need: the files of a `vulkan`
//! output, with a reason for each.
//!
//! Computed from the files of the root, as ld.so and the Vulkan loader find them. All libraries lie side by side in
//! `lib`, under the names by which they are asked for, and `LD_LIBRARY_PATH` leads there. A driver's manifest is
//! written anew, with a path that begins at the manifest, so that the tree works wherever it stands.
//!
//! Everything is kept but the C library, in whose place stands that of the system which runs the programs: one process
//! has one C library, and the program's own `PT_INTERP` decides which. All other libraries come from the root, also
//! those that only the engine needs: a library of the machine beside libraries of the root would get what it was not
//! built with. Symbol versions of the C library that the machine lacks are found before a program starts (`libc`).
//!
//! Only reads; never copies, links or runs anything.
//!
//! * `collect`: from the engine and the drivers over all files that are needed or may be opened
//! * `manifest`: the drivers' manifests
//! * `libc`: the C library: which files are its own, and which of its versions a system lacks

mod collect;
mod libc;
mod manifest;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::trim::Mounted;

pub use collect::collect;
pub use libc::{is_libc, lacking};

/// Name of the Vulkan loader.
pub const LOADER: &str = "libvulkan.so.1";

/// A request for the Vulkan runtime of an engine.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The root. Its prefix is empty.
    pub root: Mounted<'a>,
    /// The engine.
    pub engine: Mounted<'a>,
    /// The drivers, by the names of their manifests.
    pub drivers: &'a [String],
    /// The path of the runtime in the system.
    pub prefix: &'a str,
}

/// The rule by which a file is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// The Vulkan loader, by which the engine finds drivers.
    Loader,
    /// The manifest of a requested driver.
    Manifest,
    /// The driver that a manifest names.
    Driver,
    /// A library in the `DT_NEEDED` of the file before it in the chain.
    Needed,
    /// A library whose name is among the constants of the file before, which may open it with `dlopen`.
    Opened,
    /// Another name of a kept library.
    Name,
    /// A file that the library before it reads: its number in the table.
    Data(usize),
    /// The licence of the package that has the library before.
    Licence,
}

impl Rule {
    /// Returns the rule as one or two words, for columns.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Loader => "loader",
            Self::Manifest => "manifest",
            Self::Driver => "driver",
            Self::Needed => "needs",
            Self::Opened => "opens",
            Self::Name => "name",
            Self::Data(_) => "data",
            Self::Licence => "licence",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = |number: usize| crate::recipe::vulkan::driver_data().get(number).map(|data| data.reason.as_str());
        f.write_str(match *self {
            Self::Loader => "is the Vulkan loader, which finds drivers for the engine",
            Self::Manifest => "is the manifest of a driver that the recipe names",
            Self::Driver => "is the driver that the manifest names",
            Self::Needed => "is needed by it (DT_NEEDED)",
            Self::Opened => "is named in its constants, so that it may open it (dlopen)",
            Self::Name => "is another name of it",
            Self::Data(number) => data(number).unwrap_or("is read by it"),
            Self::Licence => "is the licence of its package",
        })
    }
}

/// The contents of a kept file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Contents {
    /// Those of the root's file at this real path.
    File(Vec<u8>),
    /// A link to this target.
    Link(Vec<u8>),
    /// This text.
    Text(Vec<u8>),
}

/// A kept file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Its contents.
    pub contents: Contents,
    /// The rule that keeps it.
    pub rule: Rule,
    /// The path in the system of the file that demanded it. `None` for the manifests, which the recipe names.
    pub by: Option<Vec<u8>>,
}

/// The files of a Vulkan runtime.
#[derive(Debug, Default)]
pub struct Collected {
    /// The kept files, by path in the tree.
    pub kept: BTreeMap<Vec<u8>, Kept>,
    /// The paths in the tree of the drivers.
    pub drivers: BTreeSet<Vec<u8>>,
    /// The libraries of the C library that must come from the system, each with the paths in the system of the files
    /// that need it.
    pub host: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
    prefix: Vec<u8>,
}

impl Collected {
    /// Returns the paths in the tree of all libraries, links to them included.
    pub fn libraries(&self) -> impl Iterator<Item = &[u8]> {
        self.kept.keys().filter(|path| path.starts_with(b"lib/")).map(Vec::as_slice)
    }

    /// Returns the chain that leads to a kept file, in paths of the system, each with the rule by which the one before
    /// leads to it; the first file may be one of the engine, without a rule. `path` is a path in the tree or in the
    /// system.
    #[must_use]
    pub fn why(&self, path: &[u8]) -> Vec<(Vec<u8>, Option<Rule>)> {
        let mut chain = Vec::new();
        let inner = |path: &[u8]| Some(path.strip_prefix(self.prefix.as_slice())?.strip_prefix(b"/")?.to_vec());
        let mut next = Some(if path.starts_with(b"/") { path.to_vec() } else { self.installed(path) });
        // Each file is demanded by one that was there before.
        while let Some(path) = next.take() {
            let kept = inner(&path).and_then(|inner| self.kept.get(&inner));
            if kept.is_none() && chain.is_empty() {
                return chain;
            }
            chain.push((path, kept.map(|kept| kept.rule)));
            next = kept.and_then(|kept| kept.by.clone());
        }
        chain.reverse();
        chain
    }

    /// Returns the path in the system of a file of the tree.
    #[must_use]
    pub fn installed(&self, path: &[u8]) -> Vec<u8> {
        [self.prefix.as_slice(), b"/", path].concat()
    }
}
