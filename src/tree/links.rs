//! Whether the relative links of a tree stay in it. One that does not would mean something else on every machine.

use super::listing::{Entry, Listing, Node};

/// Links that one look-up may go through, as Linux has it.
const MOST_LINKS: u32 = 40;
/// Parts of targets that are followed in one tree. More than any tree needs: a handful of targets go up again after a name.
const MOST_PARTS: u32 = 1_000_000;

/// Whether a link at `path` is relative and climbs out of the tree by its own text.
pub(crate) fn climbs_out(path: &[u8], target: &[u8]) -> bool {
    let mut depth = parts(path).count() as i64 - 1;
    !target.starts_with(b"/")
        && parts(target).any(|part| {
            depth += if part == b".." { -1 } else { 1 };
            depth < 0
        })
}

/// The first link that leads out by way of others: with `a/b/up -> ..`, what `a/b/up/../..` climbs is more than its text says.
pub(super) fn first_out(listing: &Listing) -> Option<&Entry> {
    let mut left = MOST_PARTS;
    listing.entries().iter().find(|entry| match &entry.node {
        Node::Link { target } => turns_back(target) && leads_out(listing, &entry.path, target, &mut left),
        _ => false,
    })
}

/// Whether it goes up after a name, which may be a link's.
fn turns_back(target: &[u8]) -> bool {
    !target.starts_with(b"/") && parts(target).skip_while(|part| *part == b"..").any(|part| part == b"..")
}

fn leads_out<'a>(listing: &'a Listing, path: &'a [u8], target: &'a [u8], left: &mut u32) -> bool {
    let mut at: Vec<&[u8]> = parts(path).collect();
    at.pop();
    let mut todo: Vec<&[u8]> = parts(target).rev().collect();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        *left = left.saturating_sub(1);
        if *left == 0 {
            return true;
        }
        if part == b".." {
            if at.pop().is_none() {
                return true;
            }
            continue;
        }
        at.push(part);
        if let Some(Node::Link { target }) = listing.get(&at.join(&b'/')).map(|entry| &entry.node) {
            links += 1;
            // An absolute one leads out by itself, and is told; a circle leads nowhere.
            if target.starts_with(b"/") || links > MOST_LINKS {
                return false;
            }
            at.pop();
            todo.extend(parts(target).rev());
        }
    }
    false
}

fn parts(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The links of a tree in which everything else that is named is a directory.
    fn tree(links: &[(&str, &str)]) -> Listing {
        let links = links.iter().map(|(path, target)| Entry {
            path: path.as_bytes().to_vec(),
            node: Node::Link { target: target.as_bytes().to_vec() },
        });
        Listing::new(links.collect())
    }

    #[test]
    fn what_climbs_by_way_of_other_links_is_found() {
        for inside in [
            &[("a/b/up", ".."), ("way", "a/b/up/../c")] as &[_],
            &[("a/way", "b/../c")],
            &[("a/way", "../a/../b")],
            &[("a/way", "absolute/../../../x"), ("a/absolute", "/usr")],
            &[("one", "two/../x"), ("two", "one/../x")],
        ] {
            assert!(first_out(&tree(inside)).is_none(), "{inside:?}");
        }
        for out in [
            &[("way", "a/b/up/../../x"), ("a/b/up", "..")] as &[_],
            &[("x/up", ".."), ("way", "x/up/../etc")],
            &[("x/one", "two"), ("x/two", "../."), ("way", "./x/one/../etc")],
        ] {
            assert_eq!(first_out(&tree(out)).unwrap().path, b"way", "{out:?}");
        }
    }

    #[test]
    fn a_bomb_of_links_ends() {
        let long = "a/../".repeat(800);
        let names: Vec<String> = (0..5000).map(|number| number.to_string()).collect();
        let links: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), long.as_str())).collect();
        assert!(first_out(&tree(&links)).is_some());
    }
}
