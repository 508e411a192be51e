//! Lays the layers of an image over each other: what a container would see, as a tree.
//!
//! Format: OCI Image Format Specification 1.1, `layer.md`. Each layer is unpacked by itself, by the same rules as every archive
//! here, and its diff id checked. Then the layers are merged by name: `.wh.NAME` takes away what lower layers have under that
//! name, `.wh..wh..opq` all that they have in its directory; whatever is no directory hides what it stands over. A
//! whiteout of what is not there is no fault: many tools write them; one behind a symbolic link is. Files are moved, never copied.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use super::LayerFile;
use crate::error::{About as _, Error, Kind, Result};
use crate::progress::Task;
use crate::tree::beneath::Root;
use crate::tree::unpack::{SpecialBits, untar};
use crate::tree::{Entry, Limits, Listing, Node, Receiver, TreeWriter, show};

/// What the names of whiteouts begin with.
pub(super) const WHITEOUT: &[u8] = b".wh.";
/// The rest of names that concern the directory that they stand in.
const OPAQUE: &[u8] = b".wh..opq";

/// All layers of an image together; ten times what the largest base images hold.
const LIMITS: Limits = Limits { entries: 2_000_000, bytes: 128 << 30, colliding_names: true };

/// What came out.
#[derive(Debug)]
pub struct Applied {
    /// What is in the tree.
    pub listing: Listing,
    /// Files that were setuid or setgid, and are not any more.
    pub special: Vec<String>,
}

/// Unpacks layers into `tree/` of an empty `directory`, and tells `task` how many are done.
pub fn apply(layers: &[LayerFile], directory: &Path, task: &dyn Task) -> Result<Applied> {
    let (mut merged, mut special) = (Merged::default(), Vec::new());
    let mut left = LIMITS;
    let mut roots = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        let place = directory.join(format!("layer-{number}"));
        fs_err::create_dir(&place)?;
        let unpacked = unpack(layer, &place, left).about(layer.called(number))?;
        left.bytes = left.bytes.saturating_sub(unpacked.listing.total_size());
        left.entries = left.entries.saturating_sub(unpacked.listing.entries().len() as u64);
        special.extend(unpacked.special.iter().map(|path| show(path)));
        merged.add(number, &unpacked)?;
        roots.push(Root::open(&place)?);
        task.set_position(number as u64 + 1);
    }
    let tree = directory.join("tree");
    fs_err::create_dir(&tree)?;
    let mut writer = TreeWriter::new(&tree, LIMITS)?;
    for (path, placed) in &merged.0 {
        match &placed.node {
            Node::Directory => writer.directory(path)?,
            Node::Link { target } => writer.link(path, target)?,
            node @ Node::File { .. } => {
                let root = roots.get(placed.layer).ok_or_else(|| Error::failure("a layer was lost"))?;
                writer.adopt(path, root, path, node)?;
            }
        }
    }
    Ok(Applied { listing: writer.finish()?, special })
}

/// One layer by itself.
struct Unpacked {
    listing: Listing,
    whiteouts: Whiteouts,
    special: Vec<Vec<u8>>,
}

fn unpack(layer: &LayerFile, place: &Path, limits: Limits) -> Result<Unpacked> {
    let mut receiver = LayerReceiver { writer: TreeWriter::new(place, limits)?, whiteouts: Whiteouts::default() };
    let remarks = layer.read(|archive| untar(archive, &mut receiver, SpecialBits::Drop))?;
    Ok(Unpacked { listing: receiver.writer.finish()?, whiteouts: receiver.whiteouts, special: remarks.special })
}

/// What a layer takes away from those below it, and the directories that it names itself.
#[derive(Default)]
struct Whiteouts {
    paths: Vec<Vec<u8>>,
    opaque: Vec<Vec<u8>>,
    named: BTreeSet<Vec<u8>>,
}

/// Sends whiteouts aside and everything else to the tree.
struct LayerReceiver {
    writer: TreeWriter,
    whiteouts: Whiteouts,
}

impl LayerReceiver {
    /// Whether an entry is a whiteout, and was taken in.
    fn whiteout(&mut self, path: &[u8]) -> Result<bool> {
        let (above, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&path[..0], path),
        };
        let Some(hidden) = name.strip_prefix(WHITEOUT) else { return Ok(false) };
        let hostile = matches!(hidden, b"" | b"." | b"..") || (!above.is_empty() && !crate::tree::is_path(above));
        if hostile {
            return Err(Error::new(
                Kind::Invalid,
                format!("the archive is refused at `{}`: it hides no name", show(path)),
            ));
        }
        if hidden == OPAQUE {
            self.whiteouts.opaque.push(above.to_vec());
        } else if !hidden.starts_with(WHITEOUT) {
            // Other doubled ones are notes that AUFS left for itself.
            let path = if above.is_empty() { hidden.to_vec() } else { [above, hidden].join(&b'/') };
            self.whiteouts.paths.push(path);
        }
        Ok(true)
    }
}

impl Receiver for LayerReceiver {
    fn directory(&mut self, path: &[u8]) -> Result<()> {
        if self.whiteout(path)? {
            return Ok(());
        }
        self.whiteouts.named.insert(path.to_vec());
        self.writer.directory(path)
    }

    fn file(&mut self, path: &[u8], executable: bool, contents: &mut dyn Read) -> Result<()> {
        if self.whiteout(path)? { Ok(()) } else { self.writer.file(path, executable, contents) }
    }

    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        if self.whiteout(path)? { Ok(()) } else { self.writer.link(path, target) }
    }

    fn hard_link(&mut self, path: &[u8], earlier: &[u8]) -> Result<()> {
        if self.whiteout(path)? { Ok(()) } else { self.writer.hard_link(path, earlier) }
    }
}

/// What is seen so far, by path.
#[derive(Default)]
struct Merged(BTreeMap<Vec<u8>, Placed>);

struct Placed {
    layer: usize,
    node: Node,
}

impl Merged {
    fn add(&mut self, layer: usize, unpacked: &Unpacked) -> Result<()> {
        self.demand_real_directories(unpacked)?;
        for path in &unpacked.whiteouts.opaque {
            self.hide_below(path);
        }
        for path in &unpacked.whiteouts.paths {
            self.0.remove(path);
            self.hide_below(path);
        }
        for Entry { path, node } in unpacked.listing.entries() {
            let below = self.0.get(path).map(|placed| &placed.node);
            match (node, below) {
                (Node::Directory, Some(Node::Directory)) => continue,
                (Node::Directory, Some(Node::Link { .. })) if !unpacked.whiteouts.named.contains(path) => {
                    // Engines disagree about what that means.
                    return Err(Error::new(
                        Kind::Invalid,
                        format!(
                            "a layer has entries behind `{}`, which is a symbolic link of a lower layer",
                            show(path)
                        ),
                    ));
                }
                (Node::Directory, _) => {}
                _ => self.hide_below(path),
            }
            self.0.insert(path.clone(), Placed { layer, node: node.clone() });
        }
        Ok(())
    }

    /// Whiteouts must stand in directories. Behind a symbolic link engines disagree about what they hide, and none may be lost:
    /// what it hides would be there again.
    fn demand_real_directories(&self, unpacked: &Unpacked) -> Result<()> {
        let Whiteouts { paths, opaque, named } = &unpacked.whiteouts;
        let is_link = |path: &[u8]| {
            let own = unpacked.listing.get(path).map(|entry| &entry.node);
            let below = self.0.get(path).map(|placed| &placed.node).filter(|_| !named.contains(path));
            [own, below].iter().any(|node| matches!(node, Some(Node::Link { .. })))
        };
        let directories = paths.iter().filter_map(|path| above(path)).chain(opaque.iter().map(Vec::as_slice));
        for directory in directories {
            if let Some(link) = std::iter::successors(Some(directory), |path| above(path)).find(|path| is_link(path)) {
                return Err(Error::new(
                    Kind::Invalid,
                    format!("a layer has whiteouts behind `{}`, which is a symbolic link", show(link)),
                ));
            }
        }
        Ok(())
    }

    /// Takes away everything in a directory; all of it for the root, whose path is empty.
    fn hide_below(&mut self, path: &[u8]) {
        if path.is_empty() {
            self.0.clear();
            return;
        }
        // `0` follows `/`: between the two stands what begins with `path/`.
        let (first, end) = ([path, b"/"].concat(), [path, b"0"].concat());
        let hidden: Vec<Vec<u8>> = self.0.range(first..end).map(|(path, _)| path.clone()).collect();
        for path in hidden {
            self.0.remove(&path);
        }
    }
}

/// The directory that a path stands in; `None` where that is the root.
fn above(path: &[u8]) -> Option<&[u8]> {
    path.iter().rposition(|byte| *byte == b'/').and_then(|slash| path.get(..slash))
}
