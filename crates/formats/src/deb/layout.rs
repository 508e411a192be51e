//! Lays out the entries of several packages in the one tree that they make.
//!
//! Works on listings alone, so the result depends only on the contents of the packages. The order in which they are
//! given decides one thing: between two packages that each declare to replace the other.
//!
//! * The links of the merged `/usr` exist first, so an entry below `bin` is placed in `usr/bin`.
//! * If one package has a link and another a directory, the link stands and the directory's entries are placed where
//!   it leads, as dpkg does it whichever comes first.
//! * Equal entries of several packages become one. Different ones are refused, unless one of the packages replaces
//!   all the others there.

use std::collections::BTreeMap;

use super::package::{DATA, Package};
use super::walk::{Last, walk};
use crate::error::{Error, Kind, Result};
use crate::tree::path::{above, parent};
use crate::tree::{Entry, Node, named};

/// The links of the merged `/usr` that always exist.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];
/// The links of the merged `/usr` that exist if a package has an entry below them.
const MERGED_IF_USED: [&str; 2] = ["lib32", "libx32"];

/// The object at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Placed {
    /// A directory.
    Directory,
    /// A symbolic link to this target.
    Link(Vec<u8>),
    /// A file of the package with this number, at this path below the directory that the package was unpacked to.
    File { package: usize, path: Vec<u8>, node: Node },
    /// A file with this text.
    Text(Vec<u8>),
}

/// The objects of the tree, by path.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub places: BTreeMap<Vec<u8>, Placed>,
    /// The links that lead to directories.
    links: DirectoryLinks,
}

type DirectoryLinks = BTreeMap<Vec<u8>, Vec<u8>>;

/// An entry that one package places at a path. Without a package, the entry belongs to the merged `/usr`.
#[derive(Clone, Copy)]
struct Claim<'a> {
    package: Option<usize>,
    entry: &'a Entry,
}

impl Claim<'_> {
    fn link(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        match &self.entry.node {
            Node::Link { target } => Some((self.entry.path.clone(), target.clone())),
            _ => None,
        }
    }
}

type Claims<'a> = BTreeMap<Vec<u8>, Vec<Claim<'a>>>;

impl Layout {
    pub fn new(packages: &[Package]) -> Result<Self> {
        let merged = merged_usr(packages);
        let mut links: DirectoryLinks =
            merged.iter().filter_map(|entry| Claim { package: None, entry }.link()).collect();
        // A link that is found to lead to a directory moves the entries behind it, which may meet another link.
        let claims = loop {
            let claims = claims(packages, &merged, &links)?;
            let known = links.len();
            for (path, claims) in &claims {
                let is_link = |claim: &&Claim| matches!(claim.entry.node, Node::Link { .. });
                let of_links: Vec<Claim> = claims.iter().filter(is_link).copied().collect();
                if !of_links.is_empty() && claims.iter().any(|claim| claim.entry.node == Node::Directory) {
                    let (_, target) = winner(path, &of_links, packages)?.link().unwrap_or_default();
                    links.insert(path.clone(), target);
                }
            }
            if links.len() == known {
                break claims;
            }
        };
        let mut places = BTreeMap::new();
        for (path, claims) in claims {
            let Claim { package, entry } = winner(&path, &claims, packages)?;
            let placed = match (&entry.node, package) {
                (Node::Directory, _) => Placed::Directory,
                (Node::Link { target }, _) => {
                    demand_inside(&path, target)?;
                    Placed::Link(target.clone())
                }
                (Node::File { .. }, Some(package)) => {
                    let path = [DATA.as_bytes(), b"/", &entry.path].concat();
                    Placed::File { package, path, node: entry.node.clone() }
                }
                (Node::File { .. }, None) => continue,
            };
            places.insert(path, placed);
        }
        let mut layout = Self { places, links };
        for path in layout.places.keys().cloned().collect::<Vec<_>>() {
            layout.make_parents(&path)?;
        }
        Ok(layout)
    }

    /// Returns the place of a path: the path without links to directories on its way.
    pub fn place(&self, path: &[u8]) -> Result<Vec<u8>> {
        place(path, Last::Keep, &self.links)
    }

    /// Returns the place that a path leads to when every link on its way is followed, the last one too.
    pub fn follow(&self, path: &[u8]) -> Result<Vec<u8>> {
        walk(path, Last::Follow, |path| match self.places.get(path) {
            Some(Placed::Link(target)) => Some(target.as_slice()),
            _ => None,
        })
    }

    /// Places an object. Fails if another one stands there already.
    pub fn put(&mut self, path: &[u8], placed: Placed) -> Result<()> {
        let path = self.place(path)?;
        if self.places.contains_key(&path) {
            return Err(Error::new(Kind::Invalid, format!("a package has an entry at `{}`", named(&path)))
                .fact("reserved for", "dpkg's database"));
        }
        self.make_parents(&path)?;
        self.places.insert(path, placed);
        Ok(())
    }

    /// Returns whether the entry in the tree is this package's, or equal to it.
    pub fn holds(&self, package: usize, entry: &Entry) -> Result<bool> {
        let last = if entry.node == Node::Directory { Last::Follow } else { Last::Keep };
        Ok(match (self.places.get(&place(&entry.path, last, &self.links)?), &entry.node) {
            (Some(Placed::File { package: winner, node, .. }), own) => *winner == package || node == own,
            (Some(Placed::Link(target)), Node::Link { target: own }) => target == own,
            (Some(Placed::Directory), Node::Directory) => true,
            _ => false,
        })
    }

    /// Creates the directories above a path: a link may lead to one that no package has.
    fn make_parents(&mut self, path: &[u8]) -> Result<()> {
        let mut rest = path;
        while let Some(directory) = above(rest) {
            rest = directory;
            match self.places.get(rest) {
                Some(Placed::Directory) => return Ok(()),
                None => drop(self.places.insert(rest.to_vec(), Placed::Directory)),
                Some(_) => {
                    let message =
                        format!("the packages are refused at `{}`: it lies below a file or link", named(path));
                    return Err(Error::new(Kind::Invalid, message).fact("not a directory", named(rest)));
                }
            }
        }
        Ok(())
    }
}

/// Returns the links of the merged `/usr`, and the directories that they lead to.
fn merged_usr(packages: &[Package]) -> Vec<Entry> {
    let used = |top: &str| {
        let usr = format!("usr/{top}");
        packages.iter().any(|package| [top, &usr].iter().any(|path| package.listing.get(path.as_bytes()).is_some()))
    };
    let tops = MERGED.into_iter().chain(MERGED_IF_USED.into_iter().filter(|top| used(top)));
    let mut entries = vec![Entry { path: b"usr".to_vec(), node: Node::Directory }];
    for top in tops {
        let target = format!("usr/{top}").into_bytes();
        entries.push(Entry { path: target.clone(), node: Node::Directory });
        entries.push(Entry { path: top.as_bytes().to_vec(), node: Node::Link { target } });
    }
    entries
}

/// Fails if a link climbs above the root: the kernel would stop at the root, but programs that read the tree
/// elsewhere would not.
pub(super) fn demand_inside(path: &[u8], target: &[u8]) -> Result<()> {
    let start = if target.starts_with(b"/") { b"" } else { parent(path) };
    walk(&[start, b"/", target].concat(), Last::Keep, |_| None).map(drop).map_err(|_| {
        let message = format!("the packages are refused at `{}`: its link leads out of the root", named(path));
        Error::new(Kind::Invalid, message).fact("target", named(target))
    })
}

fn place(path: &[u8], last: Last, links: &DirectoryLinks) -> Result<Vec<u8>> {
    walk(path, last, |path| links.get(path).map(Vec::as_slice))
}

/// Collects the entries of all packages by place.
fn claims<'a>(packages: &'a [Package], merged: &'a [Entry], links: &DirectoryLinks) -> Result<Claims<'a>> {
    let mut claims = Claims::new();
    let own = merged.iter().map(|entry| Claim { package: None, entry });
    let others = packages.iter().enumerate().flat_map(|(number, package)| {
        package.listing.entries().iter().map(move |entry| Claim { package: Some(number), entry })
    });
    for claim in own.chain(others) {
        let last = if claim.entry.node == Node::Directory { Last::Follow } else { Last::Keep };
        let place = place(&claim.entry.path, last, links).map_err(|error| match claim.package {
            Some(number) => error.fact("package", packages[number].control.display()),
            None => error,
        })?;
        // A package may name the root itself through a link.
        if !place.is_empty() {
            claims.entry(place).or_default().push(claim);
        }
    }
    Ok(claims)
}

/// Returns the claim that stands: among different ones, that of the package that replaces all the others.
fn winner<'a>(path: &[u8], claims: &[Claim<'a>], packages: &[Package]) -> Result<Claim<'a>> {
    let replaces = |one: &Claim, other: &Claim| match (one.package, other.package) {
        (Some(one_package), Some(other_package)) => {
            let same_kind = (one.entry.node == Node::Directory) == (other.entry.node == Node::Directory);
            same_kind && packages[one_package].control.may_replace(&packages[other_package].control)
        }
        _ => false,
    };
    let beats = |one: &Claim, other: &Claim| one.entry.node == other.entry.node || replaces(one, other);
    let found = claims.iter().rev().find(|one| claims.iter().all(|other| beats(one, other)));
    // The first of equal ones, so that it does not matter which others are there.
    let found = found.and_then(|found| claims.iter().find(|one| one.entry.node == found.entry.node));
    if let Some(found) = found {
        return Ok(*found);
    }
    let pairs = claims.iter().enumerate().flat_map(|(at, one)| claims[..at].iter().map(move |other| (other, one)));
    let clash = pairs.into_iter().find(|(one, other)| !beats(one, other) && !beats(other, one));
    Err(match clash {
        Some((one, other)) => conflict(path, one, other, packages),
        None => Error::new(Kind::Invalid, format!("several packages replace each other at `{}`", named(path))),
    })
}

fn conflict(path: &[u8], one: &Claim, other: &Claim, packages: &[Package]) -> Error {
    let name = |claim: &Claim| match claim.package {
        None => "the merged /usr".to_owned(),
        Some(number) => packages[number].control.display(),
    };
    let tell = |claim: &Claim| format!("{}: {}", name(claim), kind(&claim.entry.node));
    let error = Error::new(Kind::Invalid, format!("two packages have different entries at `{}`", named(path)))
        .fact("one", tell(one))
        .fact("other", tell(other));
    let diverts = |claim: &&&Claim| claim.package.is_some_and(|number| packages[number].diverts);
    match [one, other].iter().find(diverts) {
        Some(claim) => error.hint(format!(
            "{} diverts files with dpkg-divert in its maintainer scripts, which are not run; leave one of the two out",
            name(claim)
        )),
        None => error.hint("neither package declares to replace the other; leave one of them out"),
    }
}

fn kind(node: &Node) -> String {
    match node {
        Node::Directory => "a directory".to_owned(),
        Node::Link { target } => format!("a link to {}", named(target)),
        Node::File { executable, size, digest } => {
            let program = if *executable { "an executable file" } else { "a file" };
            format!("{program}, {size} bytes, {digest}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::deb::Control;
    use crate::digest::Sha256Digest;
    use crate::tree::Listing;
    use crate::tree::unpack::Remarks;

    /// Returns a package of things at paths: directories, files with one of two contents, links. Parents are
    /// directories.
    fn package(number: usize, things: &[(String, u8)]) -> Package {
        let control = format!("Package: p{number}\nVersion: 1\nArchitecture: all\n");
        let (mut entries, mut seen) = (Vec::new(), BTreeSet::new());
        let mut add = |path: &str, node: Node| {
            // The entry of a package at a path must fit its entries behind that path.
            if seen.insert(path.to_owned()) {
                entries.push(Entry { path: path.as_bytes().to_vec(), node });
            }
        };
        let mut closed = Vec::new();
        for (path, kind) in things {
            if closed.iter().any(|end: &String| path.starts_with(&format!("{end}/"))) {
                continue;
            }
            for (at, _) in path.match_indices('/') {
                add(&path[..at], Node::Directory);
            }
            let target = ["a", "../b", "/a/b", "c", "usr"][usize::from(*kind) % 5].as_bytes().to_vec();
            let node = match kind % 4 {
                0 => Node::Directory,
                1 => Node::Link { target },
                kind => Node::File { executable: false, size: 1, digest: Sha256Digest::of(&[kind % 2]) },
            };
            if node != Node::Directory {
                closed.push(path.clone());
            }
            add(path, node);
        }
        Package {
            control: Control::parse(control.as_bytes()).unwrap(),
            listing: Listing::new(entries),
            checksums: None,
            diverts: false,
            remarks: Remarks::default(),
        }
    }

    /// Returns the layout without the packages that its files come from.
    fn shape(layout: &Layout) -> Vec<(Vec<u8>, String)> {
        let placed = layout.places.iter().map(|(path, placed)| {
            let text = match placed {
                Placed::File { node, .. } => kind(node),
                other => format!("{other:?}"),
            };
            (path.clone(), text)
        });
        placed.collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn any_order_gives_the_same_layout(
            things in prop::collection::vec(
                prop::collection::vec(("[abc](/[abc]){0,2}|bin/[ab]|lib", any::<u8>()), 1..4),
                2..4,
            ),
            turn in 0usize..4,
        ) {
            let mut packages: Vec<Package> =
                things.iter().enumerate().map(|(at, things)| package(at, things)).collect();
            let first = Layout::new(&packages);
            let turn = turn % packages.len();
            packages.rotate_left(turn);
            if turn.is_multiple_of(2) {
                packages.reverse();
            }
            let second = Layout::new(&packages);
            match (first, second) {
                (Ok(first), Ok(second)) => {
                    prop_assert_eq!(shape(&first), shape(&second));
                    // Everything stands below directories.
                    for path in first.places.keys() {
                        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
                            prop_assert_eq!(first.places.get(&path[..at]), Some(&Placed::Directory));
                        }
                    }
                }
                (first, second) => prop_assert_eq!(first.is_err(), second.is_err()),
            }
        }
    }
}
