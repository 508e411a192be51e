//! The listing of a tree, format `strix-tree-1`: one line an entry, and the tree digest is its SHA-256.
//!
//! ```text
//! strix-tree-1
//! d - - lib
//! f 4096 <64 hex> lib/libhsa.so.1.0
//! l 13 - lib/libhsa.so.1 -> libhsa.so.1.0
//! x 81920 <64 hex> bin/rocminfo
//! ```
//!
//! * Columns: kind (`d` directory, `f` file, `x` executable file, `l` symbolic link), size in bytes (of a link: the
//!   length of its target), SHA-256 of the contents, name. `-` stands for "has none".
//! * The name is the path relative to the root, without `./`; a link's is followed by ` -> ` and its target. Since
//!   the size says how long the target is, any bytes can stand in both.
//! * Lines are sorted by the bytes of the name column before escaping; lines with equal ones, as of a file `a -> b/c`
//!   and a link `a` to `b/c`, by the whole line. Then `\` is written `\\`, and a line feed `\n`.
//! * The first line names the format; every line ends in one line feed. The root itself has no line.
//!
//! Times, owners and all mode bits but the owner's execute bit are not part of a tree. This module does no IO.

use std::cmp::Ordering;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::sync::OnceLock;

use super::path;
use crate::digest::{Sha256, Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::text::shortened;

/// The format, which a listing begins with.
pub const FORMAT: &str = "strix-tree-1";
const HEADER: &[u8] = FORMAT.as_bytes();

/// The object at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Node {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// True if the owner may execute it.
        executable: bool,
        /// Its size in bytes.
        size: u64,
        /// The SHA-256 of its contents.
        digest: Sha256Digest,
    },
    /// A symbolic link.
    Link {
        /// Its target, byte for byte.
        target: Vec<u8>,
    },
}

/// One entry of a tree: a path relative to the root, in raw bytes, and the object at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Relative, `/`-separated, without `.`, `..` or empty parts.
    pub path: Vec<u8>,
    /// The object at the path.
    pub node: Node,
}

impl Entry {
    /// Returns the path for messages.
    #[must_use]
    pub fn display(&self) -> String {
        show(&self.path)
    }

    /// Fails unless a file's contents, of which `read` bytes with the digest `found` were read, are those of the
    /// entry.
    pub fn demand_contents(&self, found: Sha256Digest, read: u64) -> Result<()> {
        match self.node {
            Node::File { size, digest, .. } if (size, digest) != (read, found) => Err(Error::new(
                Kind::Damaged,
                format!("`{}` is damaged: it differs from its listing", named(&self.path)),
            )
            .fact("expected", format!("{digest}  {size} bytes"))
            .fact("found", format!("{found}  {read} bytes"))
            .hint("`strixlock verify --repair` restores damaged files of the store")),
            _ => Ok(()),
        }
    }

    /// Returns the bytes of the name column, before escaping.
    fn name(&self) -> impl Iterator<Item = u8> + '_ {
        let target: &[u8] = if let Node::Link { target } = &self.node { target } else { b"" };
        let arrow: &[u8] = if matches!(self.node, Node::Link { .. }) { b" -> " } else { b"" };
        self.path.iter().chain(arrow).chain(target).copied()
    }

    fn line(&self, out: &mut Vec<u8>) {
        match &self.node {
            Node::Directory => out.extend_from_slice(b"d - - "),
            Node::File { executable, size, digest } => {
                let kind = if *executable { 'x' } else { 'f' };
                out.extend_from_slice(format!("{kind} {size} {} ", digest.hex()).as_bytes());
            }
            Node::Link { target } => out.extend_from_slice(format!("l {} - ", target.len()).as_bytes()),
        }
        for byte in self.name() {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                other => out.push(other),
            }
        }
        out.push(b'\n');
    }
}

/// Formats a path for messages: printable, with everything else escaped.
#[must_use]
pub fn show(path: &[u8]) -> String {
    match std::str::from_utf8(path) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => format!("\"{}\"", path.escape_ascii()),
    }
}

/// Formats a path for a message that only names it: like [`show`], without the middle of a path longer than a line.
#[must_use]
pub fn named(path: &[u8]) -> String {
    shortened(&show(path))
}

/// All entries of a tree, in the order of the format.
#[derive(Clone, Default)]
pub struct Listing {
    entries: Vec<Entry>,
    /// The indices of the entries, sorted by path; made when first needed. In the order of the format any number of
    /// other names can stand between a link and its neighbours, so a binary search needs this second order.
    by_path: OnceLock<Box<[u32]>>,
}

impl PartialEq for Listing {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Eq for Listing {}

impl Listing {
    /// Sorts entries into a listing. The caller must ensure that each path occurs once and that each parent is a
    /// directory in the list.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable_by(order);
        Self { entries, by_path: OnceLock::new() }
    }

    /// Returns the entries, in the order of the format.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the entries, in the order of the format, without copying.
    #[must_use]
    pub(crate) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Returns the entry at `path`, if there is one.
    #[must_use]
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        let by_path = self.by_path();
        let found = by_path.binary_search_by(|number| self.entries[*number as usize].path.as_slice().cmp(path)).ok()?;
        Some(&self.entries[by_path[found] as usize])
    }

    fn by_path(&self) -> &[u32] {
        self.by_path.get_or_init(|| {
            let mut numbers: Box<[u32]> = (0..self.entries.len() as u32).collect();
            // The paths are almost sorted, which this sort exploits.
            numbers.sort_by(|one, other| self.entries[*one as usize].path.cmp(&self.entries[*other as usize].path));
            numbers
        })
    }

    /// Returns the text of the listing.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = Vec::new();
        self.each_line(|line| text.extend_from_slice(line));
        text
    }

    /// Returns the tree digest: the SHA-256 of the text.
    #[must_use]
    pub fn digest(&self) -> TreeDigest {
        let mut hash = Sha256::default();
        self.each_line(|line| hash.update(line));
        TreeDigest(hash.finish())
    }

    /// Writes the text of the listing line by line, without holding it in memory.
    pub fn write_to(&self, writer: impl Write) -> io::Result<()> {
        let mut writer = BufWriter::new(writer);
        let mut written = Ok(());
        self.each_line(|line| {
            if written.is_ok() {
                written = writer.write_all(line);
            }
        });
        written?;
        writer.flush()
    }

    fn each_line(&self, mut take: impl FnMut(&[u8])) {
        take(HEADER);
        take(b"\n");
        let mut line = Vec::new();
        for entry in &self.entries {
            line.clear();
            entry.line(&mut line);
            take(&line);
        }
    }

    /// Parses the text of a listing. Accepts exactly the texts that [`Self::to_bytes`] writes.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let mut lines =
            text.strip_suffix(b"\n").ok_or_else(|| wrong(1, "does not end in a line feed"))?.split(|b| *b == b'\n');
        if lines.next() != Some(HEADER) {
            return Err(wrong(1, "does not begin with `strix-tree-1`"));
        }
        let mut entries: Vec<Entry> = Vec::new();
        for (index, line) in lines.enumerate() {
            let entry = parse_line(line).ok_or_else(|| wrong(index + 2, "is not an entry"))?;
            if entries.last().is_some_and(|last| order(last, &entry) != Ordering::Less) {
                return Err(wrong(index + 2, "is out of order"));
            }
            entries.push(entry);
        }
        let listing = Self { entries, by_path: OnceLock::new() };
        listing.demand_tree()?;
        Ok(listing)
    }

    /// Fails unless each path occurs once and below a directory.
    fn demand_tree(&self) -> Result<()> {
        let mut last: Option<&[u8]> = None;
        let mut parent: &[u8] = b"";
        for number in self.by_path() {
            let path = self.entries[*number as usize].path.as_slice();
            if last == Some(path) {
                return Err(wrong(*number as usize + 2, "repeats the path of another line"));
            }
            last = Some(path);
            let above = path::parent(path);
            if above != parent && !above.is_empty() {
                if self.get(above).is_none_or(|entry| entry.node != Node::Directory) {
                    return Err(wrong(*number as usize + 2, "is not below a directory"));
                }
                parent = above;
            }
        }
        Ok(())
    }

    /// Returns the sum of the sizes of all files, in bytes.
    #[must_use]
    pub fn total_size(&self) -> u64 {
        self.entries.iter().map(|entry| if let Node::File { size, .. } = entry.node { size } else { 0 }).sum()
    }
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

fn order(a: &Entry, b: &Entry) -> Ordering {
    if matches!(a.node, Node::Link { .. }) || matches!(b.node, Node::Link { .. }) {
        a.name().cmp(b.name()).then_with(|| {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            a.line(&mut one);
            b.line(&mut other);
            one.cmp(&other)
        })
    } else {
        a.path.cmp(&b.path)
    }
}

fn wrong(line: usize, what: &str) -> Error {
    Error::new(Kind::Damaged, format!("the listing is damaged: line {line} {what}"))
}

fn parse_line(line: &[u8]) -> Option<Entry> {
    let mut columns = line.splitn(4, |byte| *byte == b' ');
    let (kind, size, digest) = (columns.next()?, columns.next()?, columns.next()?);
    let name = unescape(columns.next()?)?;
    let number = || std::str::from_utf8(size).ok()?.parse::<u64>().ok().filter(|n| n.to_string().as_bytes() == size);
    let node = match kind {
        b"d" if size == b"-" && digest == b"-" => Node::Directory,
        b"f" | b"x" => Node::File {
            executable: kind == b"x",
            size: number()?,
            digest: Sha256Digest::from_hex(std::str::from_utf8(digest).ok()?)?,
        },
        b"l" if digest == b"-" => {
            let split = name.len().checked_sub(usize::try_from(number()?).ok()?)?;
            let (path, target) = name.split_at(split);
            let path = path.strip_suffix(b" -> ")?;
            return is_path(path).then(|| Entry { path: path.to_vec(), node: Node::Link { target: target.to_vec() } });
        }
        _ => return None,
    };
    is_path(&name).then_some(Entry { path: name, node })
}

/// Returns whether these bytes are a clean relative path: no empty, `.` or `..` part, no NUL.
#[must_use]
pub fn is_path(path: &[u8]) -> bool {
    !path.contains(&0) && path.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
}

fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                _ => return None,
            },
            other => *other,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(path: &[u8], node: Node) -> Entry {
        Entry { path: path.to_vec(), node }
    }

    fn file(path: &[u8]) -> Entry {
        entry(path, Node::File { executable: false, size: 1, digest: Sha256Digest::of(path) })
    }

    fn link(path: &[u8], target: &[u8]) -> Entry {
        entry(path, Node::Link { target: target.to_vec() })
    }

    #[test]
    fn the_format_is_the_documented_one() {
        let listing = Listing::new(vec![
            entry(b"lib", Node::Directory),
            link(b"lib/a.so", b"a.so.1"),
            file(b"lib/new\nline\\"),
            entry(b"bin", Node::Directory),
        ]);
        let text = String::from_utf8(listing.to_bytes()).unwrap();
        let hash = Sha256Digest::of(b"lib/new\nline\\").hex();
        assert_eq!(
            text,
            format!("strix-tree-1\nd - - bin\nd - - lib\nl 6 - lib/a.so -> a.so.1\nf 1 {hash} lib/new\\nline\\\\\n")
        );
        assert_eq!(listing.digest().0, Sha256Digest::of(text.as_bytes()));
    }

    #[test]
    fn an_entry_is_found_even_where_a_link_sorts_behind_its_neighbours() {
        let listing = Listing::new(vec![link(b"a", b"x"), file(b"a !"), file(b"a/b"), file(b"ab")]);
        for path in [b"a".as_slice(), b"a !", b"a/b", b"ab"] {
            assert_eq!(listing.get(path).unwrap().path, path);
        }
        assert!(listing.get(b"a ").is_none());
        // Here the path that sorts before is the shorter one.
        let listing = Listing::new(vec![link(b"a", b" -> \n"), link(b"a ->", b"x")]);
        for path in [b"a".as_slice(), b"a ->"] {
            assert_eq!(listing.get(path).unwrap().path, path);
        }
    }

    #[test]
    fn damaged_listings_are_refused() {
        for text in [
            "",
            "strix-tree-1",
            "strix-tree-2\n",
            "strix-tree-1\nd - - ..\n",
            "strix-tree-1\nd - - b\nd - - a\n",
            "strix-tree-1\nd - - a\nd - - a\n",
            "strix-tree-1\nl 9 - a -> b\n",
            "strix-tree-1\nf 1 00 a\n",
            "strix-tree-1\nl 01 - a -> b\n",
            "strix-tree-1\nd - - a\\x\n",
            "strix-tree-1\nl 1 - a -> b\nl 1 - a -> c\n",
            "strix-tree-1\nl 1 - a -> b\nd - - a\n",
            "strix-tree-1\nd - - a\nl 1 - a -> b\n",
            "strix-tree-1\nd - - a/b\n",
            "strix-tree-1\nl 1 - a -> b\nd - - a/b\n",
        ] {
            assert_eq!(Listing::parse(text.as_bytes()).unwrap_err().kind(), Kind::Damaged, "{text:?}");
        }
    }

    #[test]
    fn equal_names_have_an_order() {
        let entries = || {
            vec![
                file(b"a -> b/c"),
                link(b"a", b"b/c"),
                entry(b"a -> b", Node::Directory),
                link(b"a -> b/x", b"y"),
                link(b"a", b"b/x -> y"),
            ]
        };
        let expected = ["a -> b", "a -> b/c", "a", "a -> b/x", "a"];
        let paths = |listing: &Listing| listing.entries().iter().map(Entry::display).collect::<Vec<_>>();
        for turn in 0..5 {
            let mut entries = entries();
            entries.rotate_left(turn);
            assert_eq!(paths(&Listing::new(entries)), expected);
        }
        let once = Listing::new(entries()[..4].to_vec());
        assert_eq!(Listing::parse(&once.to_bytes()).unwrap(), once);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            names in prop::collection::btree_set("[a-c \n\\\\>!-]{1,4}", 0..12),
            links in any::<u16>(),
        ) {
            let entries = names.iter().enumerate().map(|(index, name)| {
                if links >> index & 1 == 1 { link(name.as_bytes(), b" -> \n") } else { file(name.as_bytes()) }
            });
            let listing = Listing::new(entries.collect());
            prop_assert_eq!(Listing::parse(&listing.to_bytes()).unwrap(), listing.clone());
            for entry in listing.entries() {
                prop_assert_eq!(listing.get(&entry.path), Some(entry));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Listing::parse(&[b"strix-tree-1\n".as_slice(), &bytes].concat());
        }
    }
}
