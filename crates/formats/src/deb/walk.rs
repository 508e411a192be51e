//! Path look-ups in a tree that exists only as a list, as the kernel would do them with the tree as its root.

use crate::error::{Error, Kind, Result};
use crate::tree::MOST_LINKS;
use crate::tree::named;
use crate::tree::path::parent;

/// The treatment of a link in the last part of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Last {
    /// The link is followed.
    Follow,
    /// The link is kept: it is the result.
    Keep,
}

/// Returns the path that `path` leads to, following all links on the way; `link` returns the target of the link at
/// a path. Fails if the way climbs above the root, although the kernel would stop there.
pub(super) fn walk<'a>(path: &'a [u8], last: Last, link: impl Fn(&[u8]) -> Option<&'a [u8]>) -> Result<Vec<u8>> {
    let mut ahead: Vec<&[u8]> = path.rsplit(|byte| *byte == b'/').collect();
    let mut here: Vec<u8> = Vec::with_capacity(path.len());
    let mut followed = 0;
    while let Some(part) = ahead.pop() {
        match part {
            b"" | b"." => continue,
            b".." => {
                if here.is_empty() {
                    return Err(stray(path, "it leads out of the root"));
                }
                here.truncate(parent(&here).len());
                continue;
            }
            _ => {}
        }
        let parent = here.len();
        if parent > 0 {
            here.push(b'/');
        }
        here.extend_from_slice(part);
        if here.len() > 1 << 16 {
            return Err(stray(path, "it leads through a name that is too long"));
        }
        if last == Last::Keep && ahead.is_empty() {
            break;
        }
        if let Some(target) = link(&here) {
            followed += 1;
            if followed > MOST_LINKS {
                return Err(stray(path, "its links lead in a circle"));
            }
            here.truncate(if target.starts_with(b"/") { 0 } else { parent });
            ahead.extend(target.rsplit(|byte| *byte == b'/'));
        }
    }
    Ok(here)
}

fn stray(path: &[u8], why: &str) -> Error {
    Error::new(Kind::Invalid, format!("the packages are refused at `{}`: {why}", named(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(path: &[u8]) -> Option<&'static [u8]> {
        let links: [(&[u8], &[u8]); 6] = [
            (b"bin", b"usr/bin"),
            (b"usr/lib/x", b"/lib/y"),
            (b"lib", b"./usr//lib"),
            (b"round", b"round"),
            (b"up", b"../etc"),
            (b"etc/alt", b"../usr/./alt/"),
        ];
        links.iter().find(|(at, _)| *at == path).map(|(_, target)| *target)
    }

    #[test]
    fn ways_lead_where_the_kernel_would_go() {
        for (path, last, to) in [
            (b"bin/cc".as_slice(), Last::Follow, b"usr/bin/cc".as_slice()),
            (b"bin", Last::Keep, b"bin"),
            (b"bin", Last::Follow, b"usr/bin"),
            (b"lib/x/z", Last::Keep, b"usr/lib/y/z"),
            (b"/etc/alt/a", Last::Follow, b"usr/alt/a"),
            (b"", Last::Follow, b""),
        ] {
            assert_eq!(walk(path, last, link).unwrap(), to, "{}", path.escape_ascii());
        }
        for (path, why) in [(b"round/x".as_slice(), "circle"), (b"up/x", "out of the root"), (b"a/../..", "out of")] {
            let error = walk(path, Last::Keep, link).unwrap_err();
            assert!(error.message().contains(why), "{error}");
        }
    }
}
