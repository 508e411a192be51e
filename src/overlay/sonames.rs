//! Libraries with one soname under different names: that of the later layer counts, because the loader asks for the
//! soname and finds it by a link of that name.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Collision, Hidden, Repointed};
use super::{Overlay, Placed, is_loader, refused};
use crate::elf::{Elf, ElfKind};
use crate::error::{About as _, Error, Result};
use crate::tree::path::{file_name, join, parent};
use crate::tree::{Node, show};

/// Libraries by directory and soname.
type Groups = BTreeMap<(Vec<u8>, Vec<u8>), Vec<Vec<u8>>>;

/// Decides for each soname of which directory which library counts, and lets links lead to it.
pub(super) fn decide(overlay: &mut Overlay) -> Result<()> {
    let groups = groups(overlay)?;
    let mut places: BTreeMap<&[u8], BTreeSet<&[u8]>> = BTreeMap::new();
    for ((_, soname), libraries) in &groups {
        places.entry(soname).or_default().extend(libraries.iter().map(Vec::as_slice));
    }
    for ((directory, soname), libraries) in &groups {
        let layer_of = |path: &[u8]| overlay.placed.get(path).map_or(0, |one| one.layer);
        let top = libraries.iter().map(|path| layer_of(path)).max().unwrap_or_default();
        if top == 0 {
            continue;
        }
        let (ours, lower): (Vec<&Vec<u8>>, Vec<&Vec<u8>>) = libraries.iter().partition(|path| layer_of(path) == top);
        let name = join(directory, soname);
        let is_lower = overlay.placed.get(&name).is_some_and(|one| one.layer < top);
        let elsewhere: Vec<&[u8]> =
            places[soname.as_slice()].iter().copied().filter(|path| parent(path) != directory).collect();
        if lower.is_empty() && !is_lower && elsewhere.is_empty() {
            continue;
        }
        let winner = winner(overlay, top, &name, &ours)?.clone();
        let hidden = |overlay: &Overlay, path: &[u8]| Hidden {
            path: show(path),
            from: overlay.placed.get(path).map(|one| overlay.name(one.layer)).unwrap_or_default(),
        };
        let mut collision = Collision {
            soname: show(soname),
            path: show(&winner),
            by: overlay.name(top),
            over: lower.iter().map(|path| hidden(overlay, path)).collect(),
            links: Vec::new(),
            elsewhere: elsewhere.iter().map(|path| hidden(overlay, path)).collect(),
        };
        repoint(overlay, top, &name, &winner, &lower, &mut collision);
        overlay.record.sonames.push(collision);
    }
    Ok(())
}

/// Returns the libraries of all layers by directory and soname. Fails for one of a layer that is damaged, or that would
/// hide the dynamic loader.
fn groups(overlay: &Overlay) -> Result<Groups> {
    let mut groups = Groups::new();
    let is_named = |path: &[u8]| file_name(path).windows(3).any(|part| part == b".so");
    let files = overlay.placed.iter().filter(|(_, one)| matches!(one.node, Node::File { .. }));
    for (path, one) in files.filter(|(path, one)| one.layer > 0 || is_named(path)) {
        let read = match Elf::open(&overlay.on_disk(one)) {
            // The lowest tree is used as it was published, with its flaws.
            Err(_) if one.layer == 0 => continue,
            other => other.about(format!("{} of {}", show(path), overlay.name(one.layer)))?,
        };
        let Some(Elf::Native(file)) = read else { continue };
        let Some(soname) = file.soname.filter(|_| file.kind == ElfKind::Shared) else { continue };
        if one.layer > 0 && is_loader(&soname) {
            return Err(overlay.hides(one.layer, path, &soname));
        }
        // A soname with a slash is no name that a directory is searched for.
        if !soname.is_empty() && !soname.contains(&b'/') {
            groups.entry((parent(path).to_vec(), soname)).or_default().push(path.clone());
        }
    }
    Ok(groups)
}

/// Returns the library of the top layer that counts: the only one, or the one that the layer's own link leads to.
fn winner<'g>(overlay: &Overlay, top: usize, name: &[u8], ours: &[&'g Vec<u8>]) -> Result<&'g Vec<u8>> {
    if let [only] = ours {
        return Ok(only);
    }
    let own = overlay.placed.get(name).filter(|one| one.layer == top);
    let led = match own.map(|one| &one.node) {
        Some(Node::Link { target }) => target_of(name, target),
        Some(Node::File { .. }) => Some(name.to_vec()),
        _ => None,
    };
    ours.iter().find(|path| led.as_ref() == Some(**path)).copied().ok_or_else(|| {
        let error = refused("a layer has several libraries of one soname, and no link says which of them counts");
        let error = error.fact("layer", overlay.name(top)).fact("soname", show(file_name(name)));
        let error: Error = ours.iter().fold(error, |error, path| error.fact("library", show(path)));
        error.hint(format!("a link `{}` in the layer says it", show(name)))
    })
}

/// Lets the soname's own name and all links to lower libraries of that soname lead to the winner.
fn repoint(
    overlay: &mut Overlay,
    top: usize,
    name: &[u8],
    winner: &[u8],
    lower: &[&Vec<u8>],
    collision: &mut Collision,
) {
    let mut changes = Vec::new();
    for (path, one) in overlay.placed.iter().filter(|(_, one)| one.layer < top) {
        let Node::Link { target } = &one.node else { continue };
        let leads = target_of(path, target).is_some_and(|led| lower.contains(&&led));
        if leads || path == name {
            changes.push((path.clone(), Some(show(target))));
        }
    }
    let at_name = overlay.placed.get(name).map(|one| (one.layer, matches!(one.node, Node::File { .. })));
    match at_name {
        // The library of a lower layer under the soname itself.
        Some((layer, true)) if layer < top => changes.push((name.to_vec(), None)),
        None if !lower.is_empty() => changes.push((name.to_vec(), None)),
        _ => {}
    }
    for (path, before) in changes {
        if path == winner {
            continue;
        }
        let target = relative(parent(&path), winner);
        let replaces =
            overlay.placed.get(&path).filter(|one| matches!(one.node, Node::File { .. })).map(|one| one.layer);
        if let Some(layer) = replaces {
            let (from, by) = (overlay.name(layer), overlay.name(top));
            overlay.record.replaced.push(super::Replaced { path: show(&path), from, by });
            collision.over.retain(|hidden| hidden.path != show(&path));
        }
        collision.links.push(Repointed { path: show(&path), before, after: show(&target) });
        overlay.placed.insert(path, Placed { node: Node::Link { target }, layer: top, inner: Vec::new() });
    }
}

/// Returns the path below the prefix that a relative link leads to by its own text.
fn target_of(link: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    let mut at: Vec<&[u8]> = parent(link).split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    if target.starts_with(b"/") {
        return None;
    }
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(at.pop()?),
            name => at.push(name),
        }
    }
    Some(at.join(&b'/'))
}

/// Returns the way from a directory to a file.
fn relative(directory: &[u8], file: &[u8]) -> Vec<u8> {
    let parts = |path: &'_ [u8]| -> Vec<Vec<u8>> {
        path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
    };
    let (from, to) = (parts(directory), parts(file));
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let mut way = vec![b"..".to_vec(); from.len() - common];
    way.extend(to[common..].iter().cloned());
    way.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_a_file_leads_up_as_far_as_it_must() {
        for (from, to, way) in [
            ("lib", "lib/libx.so.2", "libx.so.2"),
            ("lib/llvm/lib", "lib/libx.so.2", "../../libx.so.2"),
            ("", "lib/libx.so.2", "lib/libx.so.2"),
            ("bin", "lib/libx.so.2", "../lib/libx.so.2"),
        ] {
            assert_eq!(show(&relative(from.as_bytes(), to.as_bytes())), way);
            let link = join(from.as_bytes(), b"link");
            assert_eq!(target_of(&link, way.as_bytes()).map(|path| show(&path)), Some(to.to_owned()));
        }
        assert_eq!(target_of(b"lib/a", b"../../x"), None);
        assert_eq!(target_of(b"lib/a", b"/opt/rocm/lib/x"), None);
    }
}
