//! The places of an archive's files in an output: programs in `bin`, and all else where it finds the same neighbours.
//!
//! Archives have a directory around everything, or none; their programs lie there, in `bin`, or in `build/bin`, with or
//! without the libraries. Libraries find each other by paths relative to their own (`$ORIGIN`), so directories are only
//! moved whole.

use std::collections::BTreeMap;

use crate::error::{Error, Kind, Result};
use crate::tree::path::{file_name, join, parent};
use crate::tree::{Entry, Listing, Node, show};

/// The directory of programs in an output.
const BIN: &[u8] = b"bin";
/// Number of files that an error lists.
const LISTED: usize = 10;

/// Returns the listing of an output with the files of an archive.
///
/// A single directory around everything is removed. The directory with the most programs becomes `bin`: one that is
/// called so keeps its neighbours, and any other is renamed. Links are adjusted where the two ends moved apart. Fails if
/// the archive has no program, if two files would get one place, or if a link leads out of the archive.
pub fn layout(archive: &Listing) -> Result<Listing> {
    let wrapping = wrapping(archive);
    let places = Places { wrapping, programs: programs(archive, wrapping)? };
    let mut all: BTreeMap<Vec<u8>, Node> = BTreeMap::new();
    for entry in archive.entries() {
        let Some(place) = places.of(&entry.path).filter(|place| !place.is_empty()) else { continue };
        let node = match &entry.node {
            Node::Link { target } => Node::Link { target: places.target(archive, entry, target)? },
            other => other.clone(),
        };
        add(&mut all, place, node)?;
    }
    for path in all.keys().cloned().collect::<Vec<_>>() {
        let mut above = parent(&path);
        while !above.is_empty() {
            add(&mut all, above.to_vec(), Node::Directory)?;
            above = parent(above);
        }
    }
    Ok(Listing::new(all.into_iter().map(|(path, node)| Entry { path, node }).collect()))
}

/// Returns the files and links of an archive that [`layout`] puts elsewhere, with their places.
pub fn moves(archive: &Listing) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let wrapping = wrapping(archive);
    let places = Places { wrapping, programs: programs(archive, wrapping)? };
    let files = archive.entries().iter().filter(|entry| entry.node != Node::Directory);
    let moved = files.filter_map(|entry| Some((entry.path.clone(), places.of(&entry.path)?)));
    Ok(moved.filter(|(from, to)| from != to).collect())
}

/// The directories that [`layout`] moves, and the links that it changes.
#[derive(Debug, PartialEq, Eq)]
pub struct Moved {
    /// The directory around everything, which is removed; empty if there is none.
    pub wrapping: Vec<u8>,
    /// The directory below it whose entries are moved; empty for all.
    pub from: Vec<u8>,
    /// The directory of the output that they are moved to; empty for its top.
    pub to: Vec<u8>,
    /// The links that lead elsewhere than in the archive, by their places, with their targets.
    pub links: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Returns all that [`layout`] does, for whoever does it by hand.
pub fn moved(archive: &Listing) -> Result<Moved> {
    let wrapping = wrapping(archive);
    let places = Places { wrapping, programs: programs(archive, wrapping)? };
    let mut links = Vec::new();
    for entry in archive.entries() {
        let Node::Link { target } = &entry.node else { continue };
        let new = places.target(archive, entry, target)?;
        if let Some(place) = places.of(&entry.path).filter(|_| new != *target) {
            links.push((place, new));
        }
    }
    let (from, to) = places.moved();
    Ok(Moved { wrapping: wrapping.to_vec(), from: from.to_vec(), to: to.to_vec(), links })
}

/// Adds an entry. Directories may be added again.
fn add(all: &mut BTreeMap<Vec<u8>, Node>, place: Vec<u8>, node: Node) -> Result<()> {
    match all.get(&place) {
        None => drop(all.insert(place, node)),
        Some(Node::Directory) if node == Node::Directory => {}
        Some(_) => {
            return Err(Error::new(Kind::Invalid, "two files of the archive would get one place")
                .fact("place", show(&place))
                .hint("programs are put into `bin`, and the archive has another file or directory of that name"));
        }
    }
    Ok(())
}

/// Returns the name of the only entry at the top, if it is a directory around the rest.
fn wrapping(archive: &Listing) -> &[u8] {
    let mut top = archive.entries().iter().filter(|entry| parent(&entry.path).is_empty());
    match (top.next(), top.next()) {
        (Some(Entry { path, node: Node::Directory }), None) if path != BIN => path,
        _ => b"",
    }
}

/// Returns the path below a directory; the empty directory is the root. `None` for paths elsewhere.
fn below<'p>(path: &'p [u8], directory: &[u8]) -> Option<&'p [u8]> {
    if directory.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(directory)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"/") }
}

/// Returns true for a file that looks like a program: it may be executed, and is not called as a library is.
fn is_program(entry: &Entry) -> bool {
    let is_library = file_name(&entry.path).windows(3).any(|part| part == b".so");
    matches!(entry.node, Node::File { executable: true, .. }) && !is_library
}

/// Returns the directory with the most programs, below the wrapping one. Of several it is the shortest path.
fn programs<'l>(archive: &'l Listing, wrapping: &[u8]) -> Result<&'l [u8]> {
    let mut counts: BTreeMap<&[u8], usize> = BTreeMap::new();
    for entry in archive.entries().iter().filter(|entry| is_program(entry)) {
        if let Some(path) = below(&entry.path, wrapping) {
            *counts.entry(parent(path)).or_default() += 1;
        }
    }
    let best = counts.iter().max_by_key(|(path, count)| (**count, std::cmp::Reverse((path.len(), **path))));
    best.map(|(path, _)| *path).ok_or_else(|| {
        let files = archive.entries().iter().filter(|entry| entry.node != Node::Directory);
        let names: Vec<String> = files.take(LISTED).map(|entry| show(&entry.path)).collect();
        Error::new(Kind::Invalid, "the archive has no programs")
            .fact("it has", if names.is_empty() { "no files".to_owned() } else { names.join(", ") })
            .hint("`asset` of the input must name an archive of programs for Linux")
    })
}

/// The places of an archive's files.
struct Places<'l> {
    /// The directory that is removed.
    wrapping: &'l [u8],
    /// The directory that becomes `bin`, below the wrapping one.
    programs: &'l [u8],
}

impl Places<'_> {
    /// Returns the directory whose entries are moved, and the directory that they are moved to.
    fn moved(&self) -> (&[u8], &'static [u8]) {
        // `build/bin` becomes `bin`, and `build/lib` stays beside it.
        match self.programs {
            programs if file_name(programs) == BIN => (parent(programs), &b""[..]),
            programs => (programs, BIN),
        }
    }

    /// Returns the place of a path of the archive. `None` for what has none: directories that are removed.
    fn of(&self, path: &[u8]) -> Option<Vec<u8>> {
        let path = below(path, self.wrapping)?;
        let (moved, to) = self.moved();
        Some(match below(path, moved) {
            Some(b"") => to.to_vec(),
            Some(rest) if to.is_empty() => rest.to_vec(),
            Some(rest) => join(to, rest),
            None => path.to_vec(),
        })
    }

    /// Returns the target of a link at its new place.
    fn target(&self, archive: &Listing, link: &Entry, target: &[u8]) -> Result<Vec<u8>> {
        let leads_out = || {
            Error::new(Kind::Invalid, "a link leads out of the archive")
                .fact("link", format!("{} -> {}", show(&link.path), show(target)))
                .hint("name another file of the release, and tell its publisher")
        };
        let old = resolve(parent(&link.path), target).ok_or_else(leads_out)?;
        if below(&old, self.wrapping).is_none() {
            return Err(leads_out());
        }
        let (Some(from), Some(to)) = (self.of(&link.path), self.of(&old)) else { return Err(leads_out()) };
        if archive.get(&old).is_none() || resolve(parent(&from), target).as_ref() == Some(&to) {
            return Ok(target.to_vec());
        }
        Ok(relative(parent(&from), &to))
    }
}

/// Returns the path that a relative target means from a directory. `None` if it leads out, or is absolute.
fn resolve(directory: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    if target.starts_with(b"/") {
        return None;
    }
    let mut parts: Vec<&[u8]> = directory.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join(&b'/'))
}

/// Returns a relative path from a directory to another path.
fn relative(directory: &[u8], to: &[u8]) -> Vec<u8> {
    let split = |path: &[u8]| {
        path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let (from, to) = (split(directory), split(to));
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n(b"..".to_vec(), from.len() - common);
    let parts: Vec<Vec<u8>> = up.chain(to[common..].iter().cloned()).collect();
    if parts.is_empty() { b".".to_vec() } else { parts.join(&b'/') }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;

    /// A listing of these paths: programs end in `*`, directories in `/`, and links have ` -> `.
    fn listing(paths: &[&str]) -> Listing {
        let entry = |text: &&str| {
            let file = |executable| Node::File { executable, size: 0, digest: Sha256Digest::of(b"") };
            let (path, node) = match (text.split_once(" -> "), text.strip_suffix('*'), text.strip_suffix('/')) {
                (Some((path, target)), ..) => (path, Node::Link { target: target.as_bytes().to_vec() }),
                (_, Some(path), _) => (path, file(true)),
                (.., Some(path)) => (path, Node::Directory),
                _ => (*text, file(false)),
            };
            Entry { path: path.as_bytes().to_vec(), node }
        };
        Listing::new(paths.iter().map(entry).collect())
    }

    fn laid_out(paths: &[&str]) -> Vec<String> {
        let entries = layout(&listing(paths)).unwrap();
        let shown = entries.entries().iter().filter(|entry| entry.node != Node::Directory).map(|entry| {
            let target =
                if let Node::Link { target } = &entry.node { format!(" -> {}", show(target)) } else { String::new() };
            format!("{}{target}", show(&entry.path))
        });
        shown.collect()
    }

    #[test]
    fn programs_end_up_in_bin_with_their_neighbours() {
        // llama.cpp's own archives, of now and of before.
        let now = [
            "llama-b1/",
            "llama-b1/LICENSE",
            "llama-b1/libllama.so -> libllama.so.0",
            "llama-b1/libllama.so.0*",
            "llama-b1/llama-cli*",
        ];
        assert_eq!(
            laid_out(&now),
            ["bin/LICENSE", "bin/libllama.so -> libllama.so.0", "bin/libllama.so.0", "bin/llama-cli"]
        );
        let before = ["build/", "build/bin/", "build/bin/LICENSE", "build/bin/libllama.so*", "build/bin/llama-cli*"];
        assert_eq!(laid_out(&before), ["bin/LICENSE", "bin/libllama.so", "bin/llama-cli"]);
        let both = ["README", "build/", "build/bin/", "build/bin/run*", "build/lib/", "build/lib/a.so*"];
        assert_eq!(laid_out(&both), ["README", "bin/run", "lib/a.so"]);
        let installed = ["bin/", "bin/run*", "lib/", "lib/a.so*", "libexec/", "libexec/tool.sh*"];
        assert_eq!(laid_out(&installed), ["bin/run", "lib/a.so", "libexec/tool.sh"]);
        assert_eq!(laid_out(&["a*", "lib/", "lib/b.so"]), ["bin/a", "bin/lib/b.so"]);
        assert_eq!(laid_out(&["bin/", "bin/a*"]), ["bin/a"]);
        assert_eq!(laid_out(&["tools/", "tools/a*", "tools/b*", "x/", "x/c*"]), ["bin/a", "bin/b", "x/c"]);
    }

    #[test]
    fn all_that_is_moved_can_be_told() {
        let told = |paths: &[&str]| {
            let Moved { wrapping, from, to, links } = moved(&listing(paths)).unwrap();
            let links = links.iter().map(|(place, target)| format!("{} -> {}", show(place), show(target)));
            (show(&wrapping), show(&from), show(&to), links.collect::<Vec<_>>())
        };
        let text = str::to_owned;
        assert_eq!(told(&["w/", "w/a*", "w/b -> a"]), (text("w"), text(""), text("bin"), vec![]));
        assert_eq!(told(&["bin/", "bin/a*"]), (text(""), text(""), text(""), vec![]));
        let hoisted = ["w/", "w/n -> build/N", "w/build/", "w/build/N", "w/build/bin/", "w/build/bin/a*"];
        assert_eq!(told(&hoisted), (text("w"), text("build"), text(""), vec![text("n -> N")]));
        let renamed = ["x/", "x/a*", "x/b*", "up -> x/a"];
        assert_eq!(told(&renamed), (text(""), text("x"), text("bin"), vec![text("up -> bin/a")]));
    }

    #[test]
    fn links_lead_to_the_same_files_as_before() {
        let moved = ["out/", "out/a*", "out/b*", "top", "first -> out/a", "out/up -> ../top", "out/lost -> nothing"];
        assert_eq!(
            laid_out(&moved),
            ["bin/a", "bin/b", "bin/lost -> nothing", "bin/up -> ../top", "first -> bin/a", "top"]
        );
        let hoisted = ["NOTES -> build/NOTES", "build/", "build/NOTES", "build/bin/", "build/bin/a*"];
        assert!(layout(&listing(&hoisted)).is_err(), "two files for one place");
        let hoisted =
            ["notes -> build/NOTES", "build/", "build/NOTES", "build/bin/", "build/bin/a*", "build/bin/n -> ../NOTES"];
        assert_eq!(laid_out(&hoisted), ["NOTES", "bin/a", "bin/n -> ../NOTES", "notes -> NOTES"]);
    }

    #[test]
    fn archives_that_are_no_programs_or_lead_out_are_refused() {
        for paths in [
            &[][..],
            &["a", "b.so*"],
            &["w/", "w/a*", "w/out -> ../../etc"],
            &["w/", "w/a*", "w/out -> /etc/passwd"],
            &["w/", "w/a*", "w/out -> ../w2"],
            &["a*", "b*", "bin/", "bin/x", "bin2 -> bin/../../x"],
        ] {
            assert_eq!(layout(&listing(paths)).err().map(|error| error.kind()), Some(Kind::Invalid), "{paths:?}");
        }
    }

    #[test]
    fn a_layout_is_left_as_it_is() {
        let once =
            layout(&listing(&["w/", "w/build/", "w/build/bin/", "w/build/bin/a*", "w/x -> build/bin/a"])).unwrap();
        assert_eq!(layout(&once).unwrap(), once);
    }
}
