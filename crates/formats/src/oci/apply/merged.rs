//! The tree that is seen of several layers, by name.
//!
//! A layer may name what stands behind a symbolic link of a lower layer, as tools write it that build without unpacking:
//! `lib/x` where `lib` leads to `usr/lib`. Engines that unpack one layer over the other put it where the link leads, below the
//! image's root; so is it done here, by name alone, before anything is moved. What they disagree about is refused: a name that
//! two ways lead to, an opaque directory that is a link, links of the same layer on the way.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::receiver::{Aside, Unpacked, twice};
use crate::error::{Error, Kind, Result};
use crate::tree::MOST_LINKS;
use crate::tree::path::{above, file_name, join};
use crate::tree::{Entry, Listing, Node, climbs_out, named};

/// Parts of targets that are followed in one image. More than any image needs: its layers share a handful of such links.
const MOST_PARTS: u32 = 100_000;

/// Everything that is seen so far, by path. Every parent of an entry is a directory in it.
#[derive(Default)]
pub(super) struct Merged {
    seen: BTreeMap<Vec<u8>, Placed>,
    /// Files that have a second name in a layer above their own.
    shared: HashSet<FileAt>,
    /// Parts that were followed.
    followed: u32,
}

/// An entry in its place.
pub(super) struct Placed {
    /// The index of the layer that put it there.
    layer: usize,
    /// Place of its file, if that is not under this name in that layer.
    at: Option<FileAt>,
    pub node: Node,
}

/// A file as its layer was unpacked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct FileAt {
    /// The index of the layer.
    pub layer: usize,
    /// The name in that layer.
    pub path: Vec<u8>,
}

impl Placed {
    /// Returns where the file lies that is seen at `path`.
    pub fn file(&self, path: &[u8]) -> FileAt {
        self.at.clone().unwrap_or_else(|| FileAt { layer: self.layer, path: path.to_vec() })
    }
}

impl Merged {
    /// All that is seen, in order; and the files that are seen under several names.
    pub fn finish(self) -> (impl Iterator<Item = (Vec<u8>, Placed)>, HashSet<FileAt>) {
        (self.seen.into_iter(), self.shared)
    }

    /// Lays a layer over what is seen. Its whiteouts reach lower layers only, wherever they stand in it.
    pub fn add(&mut self, layer: usize, unpacked: Unpacked) -> Result<()> {
        let Unpacked { listing, aside, .. } = unpacked;
        let lower = self.lower(&aside)?;
        self.hide(&listing, &aside)?;
        // Where the directories are that the layer names by way of links.
        let mut elsewhere: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
        for Entry { path, node } in listing.into_entries() {
            if aside.nodes.contains_key(&path) {
                return Err(twice(&path));
            }
            let is_directory = node == Node::Directory;
            let directory = above(&path).and_then(|directory| elsewhere.get(directory));
            let mut place = directory.map_or_else(|| path.clone(), |directory| join(directory, file_name(&path)));
            let below = self.seen.get(&place).map(|placed| &placed.node);
            // Named by itself, a directory takes the place of a link.
            if is_directory && matches!(below, Some(Node::Link { .. })) && !aside.named.contains(&path) {
                let there = self.follow(&place, layer)?;
                place = there
                    .ok_or_else(|| behind_link("entries", &path, "of a lower layer that leads to no directory"))?;
            }
            let moved = place != path;
            if moved && is_directory {
                elsewhere.insert(path.clone(), place.clone());
            }
            let at = (moved && !is_directory).then_some(FileAt { layer, path });
            self.put(place, Placed { layer, at, node })?;
        }
        for (path, at, node) in lower {
            let directory = above(&path).and_then(|directory| elsewhere.get(directory));
            let place = directory.map_or_else(|| path.clone(), |directory| join(directory, file_name(&path)));
            self.put(place, Placed { layer, at: Some(at), node })?;
        }
        Ok(())
    }

    /// Puts an entry into its place, and takes away what it hides.
    fn put(&mut self, place: Vec<u8>, placed: Placed) -> Result<()> {
        let is_directory = placed.node == Node::Directory;
        match self.seen.get(&place) {
            // The root is one, too.
            _ if place.is_empty() => return Ok(()),
            Some(there) if is_directory && there.node == Node::Directory => return Ok(()),
            Some(there) if there.layer == placed.layer => return Err(twice(&place)),
            _ => {}
        }
        if !is_directory {
            self.hide_below(&place, Some(placed.layer))?;
        }
        // It may have come by way of a link, or as another name of one.
        if placed.at.is_some()
            && let Node::Link { target } = &placed.node
        {
            demand_inside(&place, target)?;
        }
        self.seen.insert(place, placed);
        Ok(())
    }

    /// Returns what the hard links of a layer to names of lower ones mean.
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

    /// Takes away what a layer hides of lower ones: by whiteouts, and by devices, which are left out themselves.
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
                // Some engines look behind the link, some do not.
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

    /// The directory of lower layers that a layer means with `path`; `None` where they have none: there is nothing to hide.
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

    /// The directory that a symbolic link leads to, below the image's root as for a program in a container; `None` where it leads
    /// to none. Nothing on the way may be a link of `layer`, the one that is being laid: engines would depend on its order.
    fn follow(&mut self, link: &[u8], layer: usize) -> Result<Option<Vec<u8>>> {
        self.walk(above(link).unwrap_or_default().to_vec(), vec![file_name(link)], layer)
    }

    /// The directory at the end of a way through `todo`, the next part last, from the directory `at`.
    fn walk(&mut self, mut at: Vec<u8>, todo: Vec<&[u8]>, layer: usize) -> Result<Option<Vec<u8>>> {
        let mut todo = todo;
        let mut links = 0;
        while let Some(part) = todo.pop() {
            self.followed += 1;
            if self.followed > MOST_PARTS {
                return Err(
                    Error::new(Kind::Invalid, "the layers name too much behind symbolic links").fact("at", named(&at))
                );
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

    /// Takes away everything in a directory that `layer`, if one is being laid, did not put there itself.
    fn hide_below(&mut self, path: &[u8], layer: Option<usize>) -> Result<()> {
        // `0` follows `/`: between the two stands what begins with `path/`.
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

/// Fails for a link that leads out of the tree from the place that it came to by way of another link.
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
    let why = "it is a hard link to a name that is no earlier entry, nor a file of a lower layer";
    Error::new(Kind::Invalid, format!("the archive is refused at `{}`: {why}", named(path)))
        .fact("target", named(target))
}

fn behind_link(what: &str, link: &[u8], whose: &str) -> Error {
    Error::new(Kind::Invalid, format!("a layer has {what} behind `{}`, which is a symbolic link {whose}", named(link)))
}
