//! One layer by itself: its tree, and beside it what only means something over other layers.
//!
//! Whatever an archive can make grow is counted before it is kept: whiteouts and devices are held to the rules for names, and
//! to the limits that all layers share, as every entry is.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use super::{above, join};
use crate::error::{Error, Kind, Result};
use crate::oci::LayerFile;
use crate::tree::unpack::{SpecialBits, untar};
use crate::tree::{Limits, Listing, Receiver, Told, TreeWriter, demand_name, is_path, show};

/// What the names of whiteouts begin with.
pub(in crate::oci) const WHITEOUT: &[u8] = b".wh.";
/// The rest of names that concern the directory that they stand in.
const OPAQUE: &[u8] = b".wh..opq";

/// What the layers that are still to come may hold.
pub(super) struct Budget {
    /// Entries, whiteouts and devices among them, and bytes of files.
    pub tree: Limits,
    /// Bytes of the names of whiteouts and devices.
    pub aside: u64,
}

/// One layer by itself.
pub(super) struct Unpacked {
    pub listing: Listing,
    pub aside: Aside,
    /// Files that were setuid or setgid.
    pub special: Told,
}

/// What a layer says that is no part of its own tree.
#[derive(Default)]
pub(super) struct Aside {
    /// Names that it takes away from lower layers.
    pub hidden: Vec<Vec<u8>>,
    /// Directories of which it takes away all that lower layers have.
    pub opaque: Vec<Vec<u8>>,
    /// Directories that it names itself.
    pub named: BTreeSet<Vec<u8>>,
    /// Devices and named pipes, and what each is.
    pub nodes: BTreeMap<Vec<u8>, &'static str>,
}

/// Unpacks a layer into the empty directory `place`, and takes what it needs from what is left for all layers.
pub(super) fn unpack(layer: &LayerFile, place: &Path, left: &mut Budget) -> Result<Unpacked> {
    let writer = TreeWriter::new(place, left.tree)?;
    let mut receiver = LayerReceiver { writer, aside: Aside::default(), entries: 0, left };
    let remarks = layer.read(|archive| untar(archive, &mut receiver, SpecialBits::Drop))?;
    let LayerReceiver { writer, aside, .. } = receiver;
    let listing = writer.finish()?;
    let entries = listing.entries().len() + aside.hidden.len() + aside.opaque.len() + aside.nodes.len();
    left.tree.entries = left.tree.entries.saturating_sub(entries as u64);
    left.tree.bytes = left.tree.bytes.saturating_sub(listing.total_size());
    Ok(Unpacked { listing, aside, special: remarks.special })
}

/// Sends whiteouts and devices aside and everything else to the tree.
struct LayerReceiver<'a> {
    writer: TreeWriter,
    aside: Aside,
    /// Entries of every kind that came.
    entries: u64,
    left: &'a mut Budget,
}

impl LayerReceiver<'_> {
    /// Counts an entry, and gives its name below the root; `None` for a whiteout, which was taken in.
    fn admit<'p>(&mut self, path: &'p [u8]) -> Result<Option<Cow<'p, [u8]>>> {
        let path = below_root(path);
        self.entries += 1;
        if self.entries > self.left.tree.entries {
            return Err(refused(&path, "there are too many entries").fact("limit", self.left.tree.entries));
        }
        Ok(if self.whiteout(&path)? { None } else { Some(path) })
    }

    /// Counts a name that is kept beside the tree, or refuses it.
    fn keep(&mut self, path: &[u8]) -> Result<()> {
        demand_name(path)?;
        self.left.aside = self.left.aside.checked_sub(path.len() as u64).ok_or_else(|| {
            refused(path, "the names of whiteouts and devices are longer than 32 MiB in all layers together")
        })?;
        Ok(())
    }

    /// Takes an entry in if it is a whiteout, whatever else it is: engines go by the name.
    fn whiteout(&mut self, path: &[u8]) -> Result<bool> {
        let directory = above(path).unwrap_or_default();
        let name = path.strip_prefix(directory).unwrap_or(path);
        let name = name.strip_prefix(b"/").unwrap_or(name);
        let Some(hidden) = name.strip_prefix(WHITEOUT) else { return Ok(false) };
        if matches!(hidden, b"" | b"." | b"..") || (!directory.is_empty() && !is_path(directory)) {
            return Err(refused(path, "it hides no name"));
        }
        if hidden == OPAQUE {
            self.keep(path)?;
            self.aside.opaque.push(directory.to_vec());
        } else if !hidden.starts_with(WHITEOUT) {
            // Other doubled ones are notes that AUFS left for itself.
            self.keep(path)?;
            self.aside.hidden.push(join(directory, hidden));
        }
        Ok(true)
    }
}

/// Engines unpack an image in its root, where an absolute name means what it means without the `/`. What leads upwards is
/// left as it is, and refused.
fn below_root(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.starts_with(b"/") {
        return Cow::Borrowed(path);
    }
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
    Cow::Owned(parts.join(&b'/'))
}

impl Receiver for LayerReceiver<'_> {
    fn directory(&mut self, path: &[u8]) -> Result<()> {
        let Some(path) = self.admit(path)? else { return Ok(()) };
        // The root, which some tools write as `/`.
        if path.is_empty() {
            return Ok(());
        }
        self.writer.directory(&path)?;
        self.aside.named.insert(path.into_owned());
        Ok(())
    }

    fn file(&mut self, path: &[u8], executable: bool, contents: &mut dyn Read) -> Result<()> {
        let Some(path) = self.admit(path)? else { return Ok(()) };
        self.writer.file(&path, executable, contents)
    }

    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        let Some(path) = self.admit(path)? else { return Ok(()) };
        self.writer.link(&path, target)
    }

    fn hard_link(&mut self, path: &[u8], earlier: &[u8]) -> Result<()> {
        let Some(path) = self.admit(path)? else { return Ok(()) };
        let earlier = below_root(earlier);
        match self.aside.nodes.get(&*earlier).copied() {
            Some(what) => self.leave_out(path.into_owned(), what),
            None => self.writer.hard_link(&path, &earlier),
        }
    }

    fn node(&mut self, path: &[u8], what: &'static str) -> Result<()> {
        let Some(path) = self.admit(path)? else { return Ok(()) };
        self.leave_out(path.into_owned(), what)
    }
}

impl LayerReceiver<'_> {
    /// Leaves out what no tree can hold: containers get their devices from the engine. Official images of older days have some.
    fn leave_out(&mut self, path: Vec<u8>, what: &'static str) -> Result<()> {
        self.keep(&path)?;
        if self.aside.nodes.contains_key(&path) {
            return Err(twice(&path));
        }
        self.aside.nodes.insert(path, what);
        Ok(())
    }
}

/// Refuses a layer in which a name has two meanings: engines disagree about which counts.
pub(super) fn twice(path: &[u8]) -> Error {
    refused(path, "the same name stands there twice")
}

fn refused(path: &[u8], why: &str) -> Error {
    Error::new(Kind::Invalid, format!("the archive is refused at `{}`: {why}", show(path)))
}
