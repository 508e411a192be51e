//! Merges layers by name.
//!
//! A layer may name an entry behind a symbolic link of a lower layer, as tools write it that build without unpacking:
//! `lib/x` where `lib` leads to `usr/lib`. Engines that unpack one layer over the other put it where the link leads,
//! below the image's root. So does this module, by name alone, before anything is moved. Cases about which engines
//! disagree are refused: a name that two ways lead to, an opaque directory that is a link, links of the same layer on
//! the way.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::receiver::{Aside, UnpackedLayer, twice};
use crate::error::{Error, Kind, Result};
use crate::tree::MOST_LINKS;
use crate::tree::path::{above, file_name, join};
use crate::tree::{Entry, Listing, Node, climbs_out, named};

/// Most parts of link targets that are followed in one image. More than any image needs: its layers share a handful
/// of such links.
const MOST_PARTS: u32 = 100_000;

/// The entries visible so far, by path. Every parent of an entry is a directory in the map.
#[derive(Default)]
pub(super) struct Merged {
    seen: BTreeMap<Vec<u8>, MergedEntry>,
    /// Files that have a second name in a layer above their own.
    shared: HashSet<FileAt>,
    /// Parts of link targets followed so far.
    followed: u32,
}

/// An entry in its place.
pub(super) struct MergedEntry {
    /// The index of the layer that placed it.
    layer: usize,
    /// The place of its file, if the file has another name or layer.
    at: Option<FileAt>,
    pub node: Node,
}

/// A file in an unpacked layer.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct FileAt {
    /// The index of the layer.
    pub layer: usize,
    /// The name in that layer.
    pub path: Vec<u8>,
}

impl MergedEntry {
    /// Returns the place of the file that is visible at `path`.
    pub fn file(&self, path: &[u8]) -> FileAt {
        self.at.clone().unwrap_or_else(|| FileAt { layer: self.layer, path: path.to_vec() })
    }
}

impl Merged {
    /// Returns all visible entries in order, and the files that are visible under several names.
    pub fn finish(self) -> (impl Iterator<Item = (Vec<u8>, MergedEntry)>, HashSet<FileAt>) {
        (self.seen.into_iter(), self.shared)
    }

    /// Lays a layer over the entries so far. Its whiteouts affect lower layers only, wherever they stand in it.
    pub fn add(&mut self, layer: usize, unpacked: UnpackedLayer) -> Result<()> {
        let UnpackedLayer { listing, aside, .. } = unpacked;
        let lower = self.lower(&aside)?;
        self.hide(&listing, &aside)?;
        // Directories that the layer names by way of links, and their real places.
        let mut elsewhere: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
        for Entry { path, node } in listing.into_entries() {
            if aside.nodes.contains_key(&path) {
                return Err(twice(&path));
            }
            let is_directory = node == Node::Directory;
            let directory = above(&path).and_then(|directory| elsewhere.get(directory));
            let mut place = directory.map_or_else(|| path.clone(), |directory| join(directory, file_name(&path)));
            let below = self.seen.get(&place).map(|placed| &placed.node);
            // A directory with an entry of its own replaces a link.
            if is_directory && matches!(below, Some(Node::Link { .. })) && !aside.named.contains(&path) {
                let there = self.follow(&place, layer)?;
                place = there.ok_or_else(|| {
                    behind_link("entries", &path, "of a lower layer that does not lead to a directory")
                })?;
            }
            let moved = place != path;
            if moved && is_directory {
                elsewhere.insert(path.clone(), place.clone());
            }
            let at = (moved && !is_directory).then_some(FileAt { layer, path });
            self.put(place, MergedEntry { layer, at, node })?;
        }
        for (path, at, node) in lower {
            let directory = above(&path).and_then(|directory| elsewhere.get(directory));
            let place = directory.map_or_else(|| path.clone(), |directory| join(directory, file_name(&path)));
            self.put(place, MergedEntry { layer, at: Some(at), node })?;
        }
        Ok(())
    }

    /// Places an entry, and removes the entries that it hides.
    fn put(&mut self, place: Vec<u8>, placed: MergedEntry) -> Result<()> {
        let is_directory = placed.node == Node::Directory;
        match self.seen.get(&place) {
            // The root is a directory, too.
            _ if place.is_empty() => return Ok(()),
            Some(there) if is_directory && there.node == Node::Directory => return Ok(()),
            Some(there) if there.layer == placed.layer => return Err(twice(&place)),
            _ => {}
        }
        if !is_directory {
            self.hide_below(&place, Some(placed.layer))?;
        }
        // The link may have come by way of another link, or as another name of one.
        if placed.at.is_some()
            && let Node::Link { target } = &placed.node
        {
            demand_inside(&place, target)?;
        }
        self.seen.insert(place, placed);
        Ok(())
    }

    /// Resolves the hard links of a layer to names in lower layers.
    fn lower(&mut self, aside: &Aside) -> Result<Vec<(Vec<u8>, FileAt, Node)>> {
        let mut all = Vec::new();
        for (path, lower) in &aside.lower {
            let directory = above(lower).unwrap_or_default();
            let parts = directory.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).rev().collect();
            let directory = self.walk(Vec::new(), parts, usize::MAX)?;
            let place = directory.map(|directory| join(&directory, file_name(lower)));
            let found = place.and_then(|place| Some((self.seen.get(&place)?, place)));
            let Some((found, place)) = found.filter(|(found, _)| found.node != Node::Directory) else {
                return Err(no_such_entry(path, lower));
            };
            let (at, node) = (found.file(&place), found.node.clone());
            self.shared.insert(at.clone());
            all.push((path.clone(), at, node));
        }
        Ok(all)
    }

    /// Removes the lower entries that a layer hides: by whiteouts, and by devices, which are themselves left out.
    fn hide(&mut self, listing: &Listing, aside: &Aside) -> Result<()> {
        let hidden = aside.hidden.iter().chain(aside.nodes.keys());
        if aside.hidden.is_empty() && aside.opaque.is_empty() && aside.nodes.is_empty() {
            return Ok(());
        }
        let links = listing.entries().iter().filter(|entry| matches!(entry.node, Node::Link { .. }));
        let own: HashSet<&[u8]> = links.map(|entry| entry.path.as_slice()).collect();
        for directory in &aside.opaque {
            if own.contains(directory.as_slice()) {
                return Err(behind_link("whiteouts", directory, "of the same layer"));
            }
            let Some(place) = self.directory(above(directory), &own, aside)? else { continue };
            let place = if directory.is_empty() { Vec::new() } else { join(&place, file_name(directory)) };
            match self.seen.get(&place).map(|placed| &placed.node) {
                _ if place.is_empty() => self.seen.clear(),
                // Some engines follow the link, some do not.
                Some(Node::Link { .. }) if !aside.named.contains(directory) => {
                    return Err(behind_link("whiteouts", directory, "of a lower layer"));
                }
                Some(Node::Directory) => self.hide_below(&place, None)?,
                _ => {}
            }
        }
        let (mut last, mut place) = (None, None);
        for path in hidden {
            let directory = above(path);
            if last != Some(directory) {
                place = self.directory(directory, &own, aside)?;
                last = Some(directory);
            }
            if let Some(place) = &place {
                let place = join(place, file_name(path));
                self.seen.remove(&place);
                self.hide_below(&place, None)?;
            }
        }
        Ok(())
    }

    /// Returns the directory of lower layers that a layer means with `path`; `None` if there is none, so that there
    /// is nothing to hide.
    fn directory(&mut self, path: Option<&[u8]>, own: &HashSet<&[u8]>, aside: &Aside) -> Result<Option<Vec<u8>>> {
        let (mut place, Some(path)) = (Vec::new(), path) else { return Ok(Some(Vec::new())) };
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
        for end in ends.chain([path.len()]) {
            let said = &path[..end];
            if own.contains(said) {
                return Err(behind_link("whiteouts", said, "of the same layer"));
            }
            place = join(&place, file_name(said));
            match self.seen.get(&place).map(|placed| &placed.node) {
                Some(Node::Directory) => {}
                Some(Node::Link { .. }) if !aside.named.contains(said) => {
                    let Some(there) = self.follow(&place, usize::MAX)? else { return Ok(None) };
                    place = there;
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(place))
    }

    /// Returns the directory that a symbolic link leads to, with the image's root as its root, as in a container;
    /// `None` if it leads to none. Fails if a link of `layer`, the one being added, is on the way: the result would
    /// depend on the order in which engines unpack.
    fn follow(&mut self, link: &[u8], layer: usize) -> Result<Option<Vec<u8>>> {
        self.walk(above(link).unwrap_or_default().to_vec(), vec![file_name(link)], layer)
    }

    /// Returns the directory at the end of the path in `todo`, whose next part is last, from the directory `at`.
    fn walk(&mut self, mut at: Vec<u8>, todo: Vec<&[u8]>, layer: usize) -> Result<Option<Vec<u8>>> {
        let mut todo = todo;
        let mut links = 0;
        while let Some(part) = todo.pop() {
            self.followed += 1;
            if self.followed > MOST_PARTS {
                return Err(Error::new(Kind::Invalid, "the layers have too many names behind symbolic links")
                    .fact("at", named(&at)));
            }
            if part == b".." {
                at.truncate(above(&at).map_or(0, <[u8]>::len));
                continue;
            }
            let next = join(&at, part);
            match self.seen.get(&next).map(|placed| (&placed.node, placed.layer)) {
                Some((Node::Directory, _)) => at = next,
                Some((Node::Link { .. }, number)) if number == layer => {
                    return Err(behind_link("entries", &next, "of the same layer"));
                }
                Some((Node::Link { target }, _)) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Ok(None);
                    }
                    if target.starts_with(b"/") {
                        at.clear();
                    }
                    let parts = target.split(|byte| *byte == b'/').rev();
                    todo.extend(parts.filter(|part| !matches!(*part, b"" | b".")));
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// Removes everything in a directory, except the entries of `layer`, the one being added, if there is one.
    fn hide_below(&mut self, path: &[u8], layer: Option<usize>) -> Result<()> {
        // `0` follows `/`: between the two stand the paths that begin with `path/`.
        let (first, end) = ([path, b"/"].concat(), [path, b"0"].concat());
        let mut hidden = Vec::new();
        for (path, placed) in self.seen.range(first..end) {
            if Some(placed.layer) == layer {
                return Err(twice(path));
            }
            hidden.push(path.clone());
        }
        for path in hidden {
            self.seen.remove(&path);
        }
        Ok(())
    }
}

/// Fails for a link that leads out of the tree from the place where another link put it.
fn demand_inside(place: &[u8], target: &[u8]) -> Result<()> {
    if climbs_out(place, target) {
        return Err(Error::new(
            Kind::Invalid,
            format!("the archive is refused at `{}`: its link leads out of the tree", named(place)),
        )
        .fact("target", named(target)));
    }
    Ok(())
}

fn no_such_entry(path: &[u8], target: &[u8]) -> Error {
    let why = "it is a hard link to neither an earlier entry nor a file of a lower layer";
    Error::new(Kind::Invalid, format!("the archive is refused at `{}`: {why}", named(path)))
        .fact("target", named(target))
}

fn behind_link(what: &str, link: &[u8], whose: &str) -> Error {
    Error::new(Kind::Invalid, format!("a layer has {what} behind `{}`, which is a symbolic link {whose}", named(link)))
}
