//! Checks that the relative links of a tree stay in it. One that leaves it would mean something else on every
//! machine.

use super::listing::{Entry, Listing, Node};
use super::path::parent;

/// The longest path that Linux follows.
const MOST_PATH: usize = 4096;
/// Symlinks that one look-up may pass through, as in Linux.
pub const MOST_LINKS: usize = 40;
/// Most steps taken in one tree: parts of targets that are followed, and more if paths are long. That is more than
/// any tree needs, since only a handful of targets go up again after a name.
const MOST_STEPS: usize = 1_000_000;
/// Bytes of a path or target that count as one more step.
const STEP: usize = 64;

/// Returns whether the target of a link at `path` is relative and leads out of the tree by its own text.
#[must_use]
pub fn climbs_out(path: &[u8], target: &[u8]) -> bool {
    let mut depth = parts(path).count() as i64 - 1;
    !target.starts_with(b"/")
        && parts(target).any(|part| {
            depth += if part == b".." { -1 } else { 1 };
            depth < 0
        })
}

/// Returns the first link that leads out of the tree by way of other links, and the reason to refuse it: with
/// `a/b/up -> ..`, `a/b/up/../..` climbs higher than its text says.
#[must_use]
pub fn first_out(listing: &Listing) -> Option<(&Entry, &'static str)> {
    let mut left = MOST_STEPS;
    listing.entries().iter().find_map(|entry| match &entry.node {
        Node::Link { target } if turns_back(target) => {
            leads_out(listing, &entry.path, target, &mut left).map(|why| (entry, why))
        }
        _ => None,
    })
}

/// Returns whether a target goes up after a name, which may be a link's.
fn turns_back(target: &[u8]) -> bool {
    !target.starts_with(b"/") && parts(target).skip_while(|part| *part == b"..").any(|part| part == b"..")
}

fn leads_out<'a>(listing: &'a Listing, path: &[u8], target: &'a [u8], left: &mut usize) -> Option<&'static str> {
    let mut at = path.to_vec();
    go_up(&mut at);
    let mut todo: Vec<&[u8]> = parts(target).rev().collect();
    let mut step = target.len();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        *left = left.saturating_sub(1 + (step + at.len()) / STEP);
        step = 0;
        if *left == 0 {
            return Some("the links of the archive take too many steps to follow");
        }
        if part == b".." {
            if at.is_empty() {
                return Some("its link leads out of the tree by way of another link");
            }
            go_up(&mut at);
            continue;
        }
        if !at.is_empty() {
            at.push(b'/');
        }
        at.extend_from_slice(part);
        if let Some(Node::Link { target }) = listing.get(&at).map(|entry| &entry.node) {
            links += 1;
            // An absolute target is reported elsewhere; a circle leads nowhere.
            if target.starts_with(b"/") || links > MOST_LINKS {
                return None;
            }
            go_up(&mut at);
            todo.extend(parts(target).rev());
            step = target.len();
        }
        if at.len() > MOST_PATH {
            // Linux does not follow it either.
            return None;
        }
    }
    None
}

/// Removes the last part of a path.
fn go_up(path: &mut Vec<u8>) {
    path.truncate(parent(path).len());
}

fn parts(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a tree of these links, in which everything else that is named is a directory.
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
            let tree = tree(out);
            let (entry, why) = first_out(&tree).unwrap();
            assert!(entry.path == b"way" && why.contains("by way of another link"), "{out:?}: {why}");
        }
    }

    #[test]
    fn a_bomb_of_links_ends() {
        let long = "a/../".repeat(800);
        let names: Vec<String> = (0..5000).map(|number| number.to_string()).collect();
        let links: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), long.as_str())).collect();
        assert!(first_out(&tree(&links)).unwrap().1.contains("too many steps"));
        // Each of many links leads through forty long ones, so the look-up gives up.
        let chain: Vec<(String, String)> =
            (0..41).map(|at| (format!("c{at}"), format!("c{}/{long}", at + 1))).collect();
        let chain = chain.iter().map(|(path, target)| (path.as_str(), target.as_str()));
        let many = names.iter().map(|name| (name.as_str(), "c0/../x"));
        let links: Vec<(&str, &str)> = chain.chain(many).collect();
        assert!(first_out(&tree(&links)).unwrap().1.contains("too many steps"));
    }

    /// Many names that begin with a link's path and sort before it do not make finding it slower.
    #[test]
    fn a_link_among_many_like_names_is_found_in_few_steps() {
        let like: Vec<String> = (0..5_000).map(|number| format!("a -> {number:06}")).collect();
        let up = "a/../".repeat(30);
        let mut links: Vec<(&str, &str)> = like.iter().map(|name| (name.as_str(), up.as_str())).collect();
        links.push(("a", "z"));
        assert!(first_out(&tree(&links)).is_none());
    }
}
