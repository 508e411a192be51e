//! The few links that maintainer scripts would have made.

use std::collections::BTreeMap;

use super::layout::{Layout, Placed, demand_inside};
use crate::error::{Error, Kind, Result};
use crate::tree::path::parent;
use crate::tree::{is_path, named};

/// The links to make besides those in the packages.
#[derive(Clone, Copy, Debug)]
pub struct Links<'a> {
    /// Links that the manifest asks for: target by path. They replace a package's link, never a file.
    pub wanted: &'a BTreeMap<String, String>,
    /// Path and target of usual links. One is made if nothing stands at its path, its target exists, and no earlier
    /// one was made at that path.
    pub usual: &'a [(&'a str, &'a str)],
}

/// Makes the links. Returns those that were made.
pub(super) fn make(links: &Links, layout: &mut Layout) -> Result<BTreeMap<String, String>> {
    let mut made = BTreeMap::new();
    for (path, target) in links.wanted {
        let wrong = |why: &str| {
            Error::new(Kind::Invalid, format!("the link `{path}` cannot be made: {why}")).fact("target", target)
        };
        if !is_path(path.as_bytes()) || target.is_empty() || target.contains('\0') {
            return Err(wrong("its path must be relative to the root, and its target must not be empty"));
        }
        let place = layout.place(path.as_bytes())?;
        if !matches!(layout.places.get(&place), None | Some(Placed::Link(_))) {
            return Err(wrong("a package has another entry there").fact("at", named(&place)));
        }
        demand_inside(&place, target.as_bytes())?;
        if lead(layout, &place, target)?.is_none() {
            return Err(wrong("no package has its target").hint("name a package that has it, or another target"));
        }
        layout.places.remove(&place);
        layout.put(&place, Placed::Link(target.clone().into_bytes()))?;
        made.insert(path.clone(), target.clone());
    }
    for (path, target) in links.usual {
        let place = layout.place(path.as_bytes())?;
        if !layout.places.contains_key(&place) && lead(layout, &place, target)?.is_some() {
            layout.put(&place, Placed::Link(target.as_bytes().to_vec()))?;
            made.insert((*path).to_owned(), (*target).to_owned());
        }
    }
    Ok(made)
}

/// Returns the object that a link at `place` with this target would lead to.
fn lead<'l>(layout: &'l Layout, place: &[u8], target: &str) -> Result<Option<&'l Placed>> {
    let start = if target.starts_with('/') { b"" } else { parent(place) };
    let end = layout.follow(&[start, b"/", target.as_bytes()].concat())?;
    Ok(layout.places.get(&end))
}
