//! Lays the files of a web UI into a copy of llama.cpp's sources, where its build looks for them.

use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::AtFlags;

use crate::error::{Error, Kind, Result};
use crate::llama_source::{CMakeFiles, UiPlace};
use crate::store::{StoredTree, link_tree};
use crate::tree::Node;
use crate::tree::confined::Root;

/// Makes the directory `to` of hard links to the source, and to the files of a bundle at their locked place in it. Fails if
/// the bundle lacks a file that the source needs.
pub(super) fn lay_ui(source: &StoredTree, ui: &StoredTree, directory: &str, to: &Path) -> Result<()> {
    let place =
        UiPlace::of(&CMakeFiles::read(source)?).filter(|place| place.directory == directory).ok_or_else(|| {
            Error::new(Kind::Invalid, "these sources have no such place for a web UI").fact("locked", directory)
        })?;
    let bundle = ui.listing()?;
    place.demand(&bundle)?;
    link_tree(source, to)?;
    let (root, from) = (Root::open(to)?, Root::open(&ui.path)?);
    for (at, _) in place.directory.match_indices('/') {
        enter(&root, &place.directory.as_bytes()[..at])?;
    }
    enter(&root, place.directory.as_bytes())?;
    let top = match UiPlace::top(&bundle) {
        top if top.is_empty() => top,
        top => top + "/",
    };
    for entry in bundle.entries() {
        let Some(path) = entry.path.strip_prefix(top.as_bytes()) else { continue };
        let inside = [place.directory.as_bytes(), path].join(&b'/');
        match entry.node {
            Node::Directory => enter(&root, &inside)?,
            Node::File { .. } => {
                // The source may have some of the files itself, such as `loading.html`.
                match root.remove_file(&inside) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
                from.in_parent(&entry.path, |old_parent, name| {
                    Ok(root.in_parent(&inside, |new_parent, new_name| {
                        rustix::fs::linkat(old_parent, name, new_parent, new_name, AtFlags::empty())
                    }))
                })
                .and_then(|made| made)?;
            }
            // Refused above.
            Node::Link { .. } => {}
        }
    }
    Ok(())
}

/// Creates a directory unless it is there. Fails for anything else in its place, such as a link.
fn enter(root: &Root, path: &[u8]) -> Result<()> {
    match root.create_directory(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => root.directory(path).map(drop).map_err(|error| {
            Error::new(Kind::Invalid, "the sources have something else in the place of the web UI")
                .fact("path", crate::tree::show(path))
                .because(&error)
        }),
        other => Ok(other?),
    }
}
