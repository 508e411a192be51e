//! Distribution packages: from a set of verified `.deb` files to the tree of a root file system.
//!
//! Nothing in a package is run. The effects of its maintainer scripts are left out, except a few links that are
//! listed ([`Links`]). `ldconfig` is not run either, since the loader searches the usual directories without its
//! cache.
//!
//! * Each package is unpacked into a directory of its own, several at a time, in one pass ([`package`]); names, sizes
//!   and kinds of entries are validated there as for every archive.
//! * The layout of the one tree is then computed from the listings alone ([`layout`]), and the files are moved to
//!   their places. So the tree depends on the set of packages and not on their order.
//! * Owners, times and all mode bits but the owner's execute bit are dropped, as in every tree: it comes out the same
//!   for every user. Setuid and setgid files are reported. Devices are refused.
//!
//! Memory is bounded by the names in the packages; no file is held whole.

mod ar;
mod changelog;
mod control;
mod database;
mod layout;
mod links;
mod name;
mod owners;
mod package;
pub mod relation;
#[cfg(test)]
mod tests;
mod version;
mod walk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::error::{About as _, Error, Kind, Result};
use crate::progress::{Doing, Progress, Unit};
use crate::threads::{cores, on_threads};
use crate::tree::confined::Root;
use crate::tree::unpack::Remarks;
use crate::tree::{Limits, Listing, Notes, Receiver as _, TreeWriter};
use layout::{Layout, Placed};
use package::Package;

pub use changelog::{ChangelogEntry, changelog_since};
pub use control::Control;
pub use links::Links;
pub use name::is_package_name;
pub use owners::owners;
pub use version::DebVersion;

/// Most entries of all packages together: some thirty times what a compiler with its libraries needs.
const MOST_ENTRIES: u64 = 2_000_000;
const MOST_BYTES: u64 = 64 << 30;
/// Most memory for the names in all packages together, in bytes. A compiler's take 6 MB; several copies of them are
/// made.
const MOST_NAMES: usize = 36 << 20;
/// Most packages that are unpacked at a time: decompressors may need 128 MiB each.
const MOST_THREADS: usize = 4;

/// One verified `.deb`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deb {
    /// The expected name.
    pub name: String,
    /// The expected version.
    pub version: DebVersion,
    /// The path of the file.
    pub path: PathBuf,
}

/// A tree that was made of packages.
#[derive(Debug)]
pub struct Unpacked {
    /// Its listing.
    pub listing: Listing,
    /// The control data of the packages, sorted by name and architecture.
    pub packages: Vec<Control>,
    /// The links that were made besides those in the packages: target by path.
    pub links: BTreeMap<String, String>,
    /// Files that were setuid or setgid in their package and are plain in the tree: `mount: usr/bin/mount`.
    pub special: Vec<String>,
    /// Entries that had absolute names in their package. They stand below the root like all others.
    pub absolute: Vec<String>,
    /// The packages whose maintainer scripts divert files, which is not done.
    pub diverting: Vec<String>,
}

/// Unpacks packages to `tree/` below `directory`, which must be empty and not visible to other processes. Other
/// entries of `directory` are of no use afterwards. Fails if a file is not the expected package, or if packages
/// conflict.
pub fn unpack(debs: &[Deb], links: &Links, directory: &Path, progress: &dyn Progress) -> Result<Unpacked> {
    let (parts, tree) = (directory.join("packages"), directory.join("tree"));
    fs_err::create_dir(&parts)?;
    fs_err::create_dir(&tree)?;
    let packages = in_order(unpack_all(debs, &parts, progress)?)?;
    let (places, packages): (Vec<_>, Vec<_>) = packages.into_iter().unzip();

    let mut layout = Layout::new(&packages)?;
    let made = links::make(links, &mut layout)?;
    database::add(&packages, &mut layout)?;
    let listing = assemble(&layout, &Root::open(&parts)?, &places, &tree)?;

    let told = |which: fn(&Remarks) -> &Notes| {
        let of = |package: &Package| {
            let name = package.control.package.clone();
            which(&package.remarks).lines().map(move |line| format!("{name}: {line}")).collect::<Vec<_>>()
        };
        packages.iter().flat_map(of).collect::<Vec<_>>()
    };
    let (special, absolute) = (told(|remarks| &remarks.special), told(|remarks| &remarks.absolute));
    let diverting = packages.iter().filter(|package| package.diverts).map(|package| package.control.display());
    Ok(Unpacked {
        listing,
        special,
        absolute,
        diverting: diverting.collect(),
        links: made,
        packages: packages.into_iter().map(|package| package.control).collect(),
    })
}

/// Unpacks each package into a directory named after its index in `debs`.
fn unpack_all(debs: &[Deb], directory: &Path, progress: &dyn Progress) -> Result<Vec<(usize, Package)>> {
    let mut queue = Vec::new();
    for (number, deb) in debs.iter().enumerate() {
        queue.push((fs_err::metadata(&deb.path).about(&deb.name)?.len(), number));
    }
    // The largest first, so that at the end no thread is left alone with it.
    queue.sort_unstable();
    let queue = Mutex::new(queue);
    let task = progress.begin(Doing::Unpack, "packages", Some(debs.len() as u64), Unit::Steps);
    let (failed, done, names) = (AtomicBool::new(false), AtomicU64::new(0), AtomicUsize::new(0));
    let work = || {
        let mut all = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let next = queue.lock().ok().and_then(|mut queue| queue.pop());
            let Some((_, number)) = next else { break };
            let (deb, place) = (&debs[number], directory.join(number.to_string()));
            let unpacked = fs_err::create_dir(&place).map_err(Error::from);
            let unpacked =
                unpacked.and_then(|()| package::unpack(deb, &place, &names)).about(format!("package {}", deb.name));
            if unpacked.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            task.set_position(done.fetch_add(1, Ordering::Relaxed) + 1);
            all.push((number, unpacked));
        }
        all
    };
    let threads = cores().clamp(1, MOST_THREADS);
    let all = on_threads(threads, "a thread that unpacks packages", |_| Ok(work()))?;
    let mut all: Vec<_> = all.into_iter().flatten().collect();
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(number, package)| Ok((number, package?))).collect()
}

/// Sorts packages by name and architecture. Fails if one occurs twice.
fn in_order(mut packages: Vec<(usize, Package)>) -> Result<Vec<(usize, Package)>> {
    let key = |package: &Package| (package.control.package.clone(), package.control.architecture.clone());
    packages.sort_by_cached_key(|(_, package)| key(package));
    for pair in packages.windows(2) {
        let (one, other) = (&pair[0].1, &pair[1].1);
        let same_name = one.control.package == other.control.package;
        let apart = key(one) != key(other) && one.control.side_by_side && other.control.side_by_side;
        if same_name && !apart {
            return Err(Error::new(Kind::Invalid, "duplicate package")
                .fact("one", one.control.display())
                .fact("other", other.control.display()));
        }
    }
    Ok(packages)
}

/// Moves all files to their places, and returns the listing of the tree.
fn assemble(layout: &Layout, parts: &Root, places: &[usize], tree: &Path) -> Result<Listing> {
    let limits = Limits { entries: MOST_ENTRIES, bytes: MOST_BYTES, colliding_names: true };
    let mut writer = TreeWriter::new(tree, limits)?;
    for (path, placed) in &layout.places {
        match placed {
            Placed::Directory => writer.directory(path)?,
            Placed::Link(target) => writer.link(path, target)?,
            Placed::Text(text) => writer.file(path, false, &mut text.as_slice())?,
            Placed::File { package, path: there, node } => {
                let there = [format!("{}/", places[*package]).as_bytes(), there].concat();
                writer.adopt(path, parts, &there, node)?;
            }
        }
    }
    writer.finish()
}
