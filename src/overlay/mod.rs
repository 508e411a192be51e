//! Trees laid over a tree: which file of which layer counts.
//!
//! Owns the rules, on listings; reads ELF files and writes nothing.
//!
//! * Of two files or links with one path, that of the later layer counts. Each that is replaced is listed.
//! * Of two libraries with one soname in one directory, that of the later layer counts, whatever their file names are:
//!   links of lower layers that lead to the earlier library then lead to the later one ([`sonames`]). The earlier file
//!   stays under its own name, where only a look-up by that name finds it.
//! * A layer that would replace a directory with something else or something else with a directory, that leads out of
//!   the prefix, or that would hide the dynamic loader (`loader.toml`), is refused.

mod record;
mod sonames;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::error::{Error, Kind, Result};
use crate::tree::path::{above, file_name, join};
use crate::tree::{Entry, Listing, Node, climbs_out, first_out, show};

#[cfg(test)]
pub use record::Collision;
use record::Replaced;
pub use record::{Hidden, Record, Repointed};

/// One tree of an overlay.
pub struct Layer<'a> {
    /// Its name in messages and in the record.
    pub name: &'a str,
    /// The tree on disk.
    pub directory: &'a Path,
    /// The tree's listing.
    pub listing: &'a Listing,
    /// The directory below the prefix that it is laid at; empty for the prefix itself.
    pub at: &'a str,
}

/// The names of files that no layer may bring.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoaderFiles {
    names: Vec<String>,
}

/// The table, compiled into the program. A test parses it, so the fallback is never used.
static LOADER: LazyLock<LoaderFiles> =
    LazyLock::new(|| toml::from_str(include_str!("loader.toml")).unwrap_or_default());

/// An entry of the overlay.
struct Placed {
    node: Node,
    /// Number of the layer that it is from.
    layer: usize,
    /// Its path in that layer.
    inner: Vec<u8>,
}

/// Entries of all layers, by path below the prefix.
struct Overlay<'a> {
    layers: &'a [Layer<'a>],
    prefix: &'a str,
    placed: BTreeMap<Vec<u8>, Placed>,
    record: Record,
}

/// Lays trees over each other: the first is the lowest. `prefix` is the directory at which the result is used. Returns
/// its listing, and the record of what was decided.
pub fn lay(prefix: &str, layers: &[Layer]) -> Result<(Listing, Record)> {
    let mut overlay = Overlay { layers, prefix, placed: BTreeMap::new(), record: Record::default() };
    for number in 0..layers.len() {
        overlay.place(number)?;
    }
    sonames::decide(&mut overlay)?;
    let Overlay { placed, mut record, .. } = overlay;
    record.layers = layers.iter().map(|layer| layer.name.to_owned()).collect();
    let of_layers = placed.iter().filter(|(_, one)| one.layer > 0 && one.node != Node::Directory);
    record.files = of_layers.map(|(path, one)| (show(path), layers[one.layer].name.to_owned())).collect();
    let listing = Listing::new(placed.into_iter().map(|(path, one)| Entry { path, node: one.node }).collect());
    match first_out(&listing) {
        Some((link, why)) => Err(refused("an overlay would have a link that leads out of its prefix")
            .fact("link", link.display())
            .fact("why", why)),
        None => Ok((listing, record)),
    }
}

impl Overlay<'_> {
    /// Lays a tree over those before it.
    fn place(&mut self, number: usize) -> Result<()> {
        let layer = &self.layers[number];
        let at = layer.at.as_bytes();
        let mut parents: Vec<&[u8]> = std::iter::successors(Some(at), |path| above(path)).collect();
        parents.reverse();
        for path in parents.into_iter().filter(|path| !path.is_empty()) {
            self.put(number, path.to_vec(), Entry { path: Vec::new(), node: Node::Directory })?;
        }
        for entry in layer.listing.entries() {
            self.put(number, join(at, &entry.path), entry.clone())?;
        }
        Ok(())
    }

    fn put(&mut self, layer: usize, path: Vec<u8>, entry: Entry) -> Result<()> {
        if layer > 0 {
            self.demand_harmless(layer, &path, &entry.node)?;
        }
        if let Some(lower) = self.placed.get(&path) {
            match (&lower.node, &entry.node) {
                (Node::Directory, Node::Directory) => return Ok(()),
                (one, other) if one == other => return Ok(()),
                (Node::Directory, _) => {
                    return Err(self.collision(layer, &path, "a layer would replace a directory with a file"));
                }
                (Node::Link { target }, Node::Directory) => {
                    let target = show(target);
                    let error = self.collision(layer, &path, "a layer would replace a link with a directory");
                    return Err(error.fact("the link leads to", target).hint(
                        "install the layer's files into the directory that the link leads to, or lay it there with `at`",
                    ));
                }
                (_, Node::Directory) => {
                    return Err(self.collision(layer, &path, "a layer would replace a file with a directory"));
                }
                _ => {
                    let (from, by) = (self.name(lower.layer), self.name(layer));
                    self.record.replaced.push(Replaced { path: show(&path), from, by });
                }
            }
        }
        self.placed.insert(path, Placed { node: entry.node, layer, inner: entry.path });
        Ok(())
    }

    /// Fails for an entry that would hide the dynamic loader or that leads out of the prefix.
    fn demand_harmless(&self, layer: usize, path: &[u8], node: &Node) -> Result<()> {
        if *node != Node::Directory && is_loader(file_name(path)) {
            return Err(self.hides(layer, path, file_name(path)));
        }
        let Node::Link { target } = node else { return Ok(()) };
        let inside = format!("{}/", self.prefix);
        let leaves = if target.starts_with(b"/") {
            !target.starts_with(inside.as_bytes()) || target.split(|byte| *byte == b'/').any(|part| part == b"..")
        } else {
            climbs_out(path, target)
        };
        if leaves {
            return Err(refused("a layer has a link that leads out of the prefix")
                .fact("layer", self.name(layer))
                .fact("link", show(path))
                .fact("leads to", show(target))
                .fact("prefix", self.prefix));
        }
        Ok(())
    }

    fn hides(&self, layer: usize, path: &[u8], name: &[u8]) -> Error {
        refused("a layer would hide the dynamic loader, or a library that is one with it")
            .fact("layer", self.name(layer))
            .fact("file", show(path))
            .fact("hides", show(name))
            .hint("leave it out of the layer: the base system has its own")
    }

    fn collision(&self, layer: usize, path: &[u8], what: &str) -> Error {
        let lower = self.placed.get(path).map(|lower| self.name(lower.layer));
        let error = refused(what).fact("layer", self.name(layer)).fact("path", show(path));
        lower.into_iter().fold(error, |error, lower| error.fact("over", lower))
    }

    fn name(&self, layer: usize) -> String {
        self.layers[layer].name.to_owned()
    }

    /// Returns the file of an entry on disk.
    fn on_disk(&self, one: &Placed) -> PathBuf {
        use std::os::unix::ffi::OsStrExt as _;
        self.layers[one.layer].directory.join(std::ffi::OsStr::from_bytes(&one.inner))
    }
}

fn refused(what: &str) -> Error {
    Error::new(Kind::Invalid, what)
}

/// Returns true for the name of the dynamic loader or of a library that is one with it.
fn is_loader(name: &[u8]) -> bool {
    LOADER.names.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start.as_bytes()),
        None => name == known.as_bytes(),
    })
}

#[cfg(test)]
mod tests;
