//! Unpacks one layer: its tree, and separately the entries that only have a meaning for lower layers.
//!
//! Everything that an archive can make grow is counted before it is kept: whiteouts and devices are held to the rules
//! for names and to the limits that all layers share, as every entry is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::oci::LayerFile;
use crate::tree::path::{above, join};
use crate::tree::unpack::{SpecialBits, untar};
use crate::tree::{Entry, Limits, Listing, Node, Notes, Receiver, TreeWriter, demand_name, is_path, named};

/// Prefix of the names of whiteouts.
pub(in crate::oci) const WHITEOUT: &[u8] = b".wh.";
/// Rest of the name of a whiteout that concerns its whole directory.
const OPAQUE: &[u8] = b".wh..opq";

/// The limits left for the remaining layers.
pub(super) struct Budget {
    /// Entries, including whiteouts and devices, and bytes of files.
    pub tree: Limits,
    /// Memory for all names and link targets, in bytes.
    pub names: u64,
}

/// Memory that an entry takes besides its name, in bytes.
const ENTRY: usize = 128;

impl Budget {
    /// Takes the memory for a name of this length; `None` if not enough is left.
    fn take(&mut self, length: usize) -> Option<()> {
        self.names = self.names.checked_sub((length + ENTRY) as u64)?;
        Some(())
    }
}

/// An unpacked layer.
pub(super) struct UnpackedLayer {
    pub listing: Listing,
    pub aside: Aside,
    /// Files that were setuid or setgid.
    pub special: Notes,
}

/// The entries of a layer that are not part of its own tree.
#[derive(Default)]
pub(super) struct Aside {
    /// Names that it removes from lower layers.
    pub hidden: Vec<Vec<u8>>,
    /// Directories from which it removes all entries of lower layers.
    pub opaque: Vec<Vec<u8>>,
    /// Directories that have an entry of their own.
    pub named: BTreeSet<Vec<u8>>,
    /// Devices and named pipes, with their kinds.
    pub nodes: BTreeMap<Vec<u8>, &'static str>,
    /// Hard links to names of lower layers.
    pub lower: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Unpacks a layer into the empty directory `place`, and subtracts its use from the limits that are left.
pub(super) fn unpack(layer: &LayerFile, place: &Path, left: &mut Budget) -> Result<UnpackedLayer> {
    let writer = TreeWriter::new(place, left.tree)?;
    let mut receiver = LayerReceiver { writer, aside: Aside::default(), entries: 0, left };
    let remarks = layer.read(|archive| untar(archive, &mut receiver, SpecialBits::Drop))?;
    let LayerReceiver { writer, aside, .. } = receiver;
    let listing = writer.finish()?;
    for Entry { path, node } in listing.entries() {
        let target = if let Node::Link { target } = node { target.len() } else { 0 };
        left.take(path.len() + target).ok_or_else(|| too_long(path))?;
    }
    let beside = aside.hidden.len() + aside.opaque.len() + aside.nodes.len() + aside.lower.len();
    let entries = listing.entries().len() + beside;
    left.tree.entries = left.tree.entries.saturating_sub(entries as u64);
    left.tree.bytes = left.tree.bytes.saturating_sub(listing.total_size());
    Ok(UnpackedLayer { listing, aside, special: remarks.special })
}

/// A receiver that passes entries to the tree, except whiteouts and devices, which it keeps separately.
struct LayerReceiver<'a> {
    writer: TreeWriter,
    aside: Aside,
    /// Entries of every kind so far.
    entries: u64,
    left: &'a mut Budget,
}

impl LayerReceiver<'_> {
    /// Counts an entry. Returns whether it belongs to the tree; keeps it here if it is a whiteout.
    fn admit(&mut self, path: &[u8]) -> Result<bool> {
        self.entries += 1;
        if self.entries > self.left.tree.entries {
            return Err(refused(path, "there are too many entries").fact("limit", self.left.tree.entries));
        }
        Ok(!self.whiteout(path)?)
    }

    /// Counts a name that is kept outside of the tree. Fails if the limits are exceeded.
    fn keep(&mut self, path: &[u8]) -> Result<()> {
        demand_name(path)?;
        self.left.take(path.len()).ok_or_else(|| too_long(path))
    }

    /// Keeps an entry if it is a whiteout, of whatever type, since engines go by the name.
    fn whiteout(&mut self, path: &[u8]) -> Result<bool> {
        let directory = above(path).unwrap_or_default();
        let name = path.strip_prefix(directory).unwrap_or(path);
        let name = name.strip_prefix(b"/").unwrap_or(name);
        let Some(hidden) = name.strip_prefix(WHITEOUT) else { return Ok(false) };
        if matches!(hidden, b"" | b"." | b"..") || (!directory.is_empty() && !is_path(directory)) {
            return Err(refused(path, "a whiteout without a name"));
        }
        if hidden == OPAQUE {
            self.keep(path)?;
            self.aside.opaque.push(directory.to_vec());
        } else if !hidden.starts_with(WHITEOUT) {
            // Other names with a doubled prefix are AUFS's own notes.
            self.keep(path)?;
            self.aside.hidden.push(join(directory, hidden));
        }
        Ok(true)
    }
}

impl Receiver for LayerReceiver<'_> {
    fn directory(&mut self, path: &[u8]) -> Result<()> {
        if self.admit(path)? {
            self.writer.directory(path)?;
            self.aside.named.insert(path.to_vec());
        }
        Ok(())
    }

    fn file(&mut self, path: &[u8], executable: bool, contents: &mut dyn Read) -> Result<()> {
        if self.admit(path)? { self.writer.file(path, executable, contents) } else { Ok(()) }
    }

    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        if self.admit(path)? { self.writer.link(path, target) } else { Ok(()) }
    }

    fn hard_link(&mut self, path: &[u8], earlier: &[u8]) -> Result<()> {
        if !self.admit(path)? {
            return Ok(());
        }
        if let Some(what) = self.aside.nodes.get(earlier).copied() {
            return self.leave_out(path, what);
        }
        match self.aside.lower.get(earlier).cloned() {
            Some(lower) => self.link_lower(path, lower),
            None if self.writer.has(earlier)? => self.writer.hard_link(path, earlier),
            None => self.link_lower(path, earlier.to_vec()),
        }
    }

    fn node(&mut self, path: &[u8], what: &'static str) -> Result<()> {
        if self.admit(path)? { self.leave_out(path, what) } else { Ok(()) }
    }
}

impl LayerReceiver<'_> {
    /// Leaves out an entry that no tree can hold: containers get their devices from the engine. Old official images
    /// have some.
    fn leave_out(&mut self, path: &[u8], what: &'static str) -> Result<()> {
        self.keep(path)?;
        self.make_parent(path)?;
        if self.aside.nodes.insert(path.to_vec(), what).is_some() {
            return Err(twice(path));
        }
        Ok(())
    }

    /// Keeps a hard link to a name that the layer has no entry for, so that it must be a lower layer's.
    fn link_lower(&mut self, path: &[u8], lower: Vec<u8>) -> Result<()> {
        self.keep(path)?;
        self.keep(&lower)?;
        self.make_parent(path)?;
        if self.aside.lower.insert(path.to_vec(), lower).is_some() {
            return Err(twice(path));
        }
        Ok(())
    }

    /// Creates the parent of a name that is kept outside of the tree, as for every entry.
    fn make_parent(&mut self, path: &[u8]) -> Result<()> {
        above(path).map_or(Ok(()), |directory| self.writer.directory(directory))
    }
}

/// Returns the error for a layer in which a name has two meanings: engines disagree about which counts.
pub(super) fn twice(path: &[u8]) -> Error {
    refused(path, "duplicate name")
}

fn too_long(path: &[u8]) -> Error {
    refused(path, "all names and link targets of the layers together take more than 40 MiB")
}

fn refused(path: &[u8], why: &str) -> Error {
    Error::new(Kind::Invalid, format!("the archive is refused at `{}`: {why}", named(path)))
}
