//! Merges the layers of an image into a tree, as a container would see it.
//!
//! Format: OCI Image Format Specification 1.1, `layer.md`. Each layer is unpacked by itself, by the same rules as
//! every archive here, and its diff id is verified ([`receiver`]). Then the layers are merged by name ([`merged`]):
//! `.wh.NAME` removes the entry of that name in lower layers, `.wh..wh..opq` all of their entries in its directory;
//! anything but a directory hides the entry below it. A whiteout of a missing entry is no error, since many tools
//! write them. Devices and named pipes, which a tree cannot hold, are left out and reported. Files are moved, never
//! copied.

mod merged;
mod receiver;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;

use self::merged::{FileAt, Merged};
pub(super) use self::receiver::WHITEOUT;
use self::receiver::{Budget, unpack};
use super::LayerFile;
use crate::error::{About as _, Error, Result};
use crate::progress::Task;
use crate::tree::confined::Root;
use crate::tree::{Limits, Listing, Node, Notes, Receiver as _, TreeWriter, named};

/// Limits of all layers of an image together: several times what the largest base images hold.
const LIMITS: Limits = Limits { entries: 1_000_000, bytes: 128 << 30, colliding_names: true };
/// Memory for the names and link targets of all layers together, in bytes.
const MOST_NAMES: u64 = 40 << 20;

/// The result of [`apply`].
#[derive(Debug)]
pub struct Applied {
    /// The listing of the tree.
    pub listing: Listing,
    /// Files that were setuid or setgid, and are plain in the tree.
    pub special: Vec<String>,
    /// Devices and named pipes that were left out: kind and name.
    pub left_out: Notes,
}

/// Unpacks layers into `tree/` of an empty `directory`, and reports to `task` how many are done. Fails if a layer
/// is damaged, or if engines would disagree about the result.
pub fn apply(layers: &[LayerFile], directory: &Path, task: &dyn Task) -> Result<Applied> {
    let (mut special, mut left_out) = (Vec::new(), Notes::default());
    let mut merged = Merged::default();
    let mut left = Budget { tree: LIMITS, names: MOST_NAMES };
    let mut roots = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        let place = directory.join(format!("layer-{number}"));
        fs_err::create_dir(&place)?;
        let called = || layer.called(number);
        let unpacked = unpack(layer, &place, &mut left).about(called())?;
        special.extend(unpacked.special.lines());
        for (path, what) in &unpacked.aside.nodes {
            left_out.push(|| format!("{what}, `{}`", named(path)));
        }
        merged.add(number, unpacked).about(called())?;
        roots.push(Root::open(&place)?);
        task.set_position(number as u64 + 1);
    }
    let tree = directory.join("tree");
    fs_err::create_dir(&tree)?;
    let mut writer = TreeWriter::new(&tree, LIMITS)?;
    let (seen, shared) = merged.finish();
    // The first name of each file that has several.
    let mut names: HashMap<FileAt, Vec<u8>> = HashMap::new();
    for (path, placed) in seen {
        match &placed.node {
            Node::Directory => writer.directory(&path)?,
            Node::Link { target } => writer.link(&path, target)?,
            node @ Node::File { .. } => {
                let file = placed.file(&path);
                if let Some(earlier) = names.get(&file) {
                    writer.hard_link(&path, earlier)?;
                    continue;
                }
                let root = roots.get(file.layer).ok_or_else(|| Error::failure("a layer was lost"))?;
                writer.adopt(&path, root, &file.path, node)?;
                if shared.contains(&file) {
                    names.insert(file, path);
                }
            }
        }
    }
    Ok(Applied { listing: writer.finish()?, special, left_out })
}
