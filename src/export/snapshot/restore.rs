//! Restores a snapshot into a store, and verifies it while unpacking.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use super::delta::{Contents, MOST_BASES, complete, contents as contents_of};
use super::{DELTA, FORMAT, INDEX, Index, LISTING, SnapshotOutput};
use crate::error::{About, Error, Kind, Result};
use crate::lock::Lock;
use crate::progress::{Doing, Progress, Task, Unit};
use crate::store::{OutputRecord, Staging, Store, StoredTree};
use crate::tree::Receiver;
use crate::tree::unpack::unpack_into;
use crate::tree::{Limits, Listing, Node, TreeWriter, is_path, named};

/// A restored output.
#[derive(Debug, Clone)]
pub struct Restored {
    /// Output as described in the snapshot.
    pub output: SnapshotOutput,
    /// Tree in the store.
    pub tree: StoredTree,
}

/// Maximum size of an index in bytes.
const MOST_INDEX: u64 = 1 << 20;
/// Maximum size of a listing in bytes; AMD's trees need 5 MB.
const MOST_LISTING: u64 = 96 << 20;
/// Maximum number of lines in a listing, since each takes memory, however short.
const MOST_LINES: usize = 750_000;

/// Unpacks the snapshot at `file` into the store. Publishes nothing unless every tree has the digest that the snapshot
/// names. Contents that a delta leaves out are taken from the store's own. Trees whose derivation is in `lock` must also match its seals, and are recorded as its outputs.
pub fn restore(store: &Store, file: &Path, lock: Option<&Lock>, progress: &dyn Progress) -> Result<Vec<Restored>> {
    let archive = fs_err::File::open(file)
        .map_err(|error| Error::new(Kind::NotFound, "cannot read the snapshot").because(&error))?;
    let task = progress.begin(Doing::Unpack, "the snapshot", Some(archive.metadata()?.len()), Unit::Bytes);
    let mut router = Router { store, lock, progress, is_delta: false, expected: None, parts: Vec::new() };
    let archive = Counted { inner: archive, task, done: 0 };
    let remarks = unpack_into(archive, &mut router).about(file.display().to_string())?;
    if let Some(name) = remarks.absolute.first() {
        return Err(invalid("absolute path").fact("entry", name).about(file.display().to_string()));
    }
    router.finish().about(file.display().to_string())
}

/// Routes the entries of the archive to their trees.
struct Router<'a> {
    store: &'a Store,
    lock: Option<&'a Lock>,
    progress: &'a dyn Progress,
    /// True if contents may be left out.
    is_delta: bool,
    /// Outputs whose listings are still to come, the next one last. `None` before the index.
    expected: Option<Vec<SnapshotOutput>>,
    parts: Vec<RunningPart>,
}

/// An output of which everything was received.
struct CheckedPart {
    output: SnapshotOutput,
    staging: Staging,
    /// The part that was received: all of the tree, except for a delta.
    listing: Listing,
    /// The listing of the tree of a delta.
    whole: Option<Listing>,
}

struct RunningPart {
    output: SnapshotOutput,
    staging: Staging,
    writer: TreeWriter,
    /// The listing of the tree of a delta.
    whole: Option<Listing>,
}

impl Router<'_> {
    fn index(&mut self, contents: &mut dyn Read) -> Result<()> {
        let text = read_at_most(contents, MOST_INDEX)?;
        let index: Index = serde_json::from_slice(&text).map_err(|error| invalid("malformed index").because(&error))?;
        self.is_delta = index.format == DELTA;
        if !self.is_delta && (index.format != FORMAT || !index.beside.is_empty()) {
            let known = format!("{FORMAT} or {DELTA}");
            return Err(invalid("unknown format").fact("expected", known).fact("found", index.format.escape_debug()));
        }
        for (at, output) in index.outputs.iter().enumerate() {
            let name = output.name.as_bytes();
            if !is_path(name) || name.contains(&b'/') || index.outputs[..at].iter().any(|one| one.name == output.name) {
                return Err(invalid("invalid or repeated output name").fact("name", named(name)));
            }
            let locked = self.lock.and_then(|lock| derived(lock, output)).and_then(|locked| locked.tree);
            if let Some(sealed) = locked
                && sealed != output.tree
            {
                return Err(Error::new(Kind::NotReproducible, "the tree in the snapshot differs from the locked one")
                    .about(&output.name)
                    .fact("locked", sealed)
                    .fact("snapshot", output.tree));
            }
        }
        if index.beside.len() > MOST_BASES {
            return Err(invalid("too many trees beside it").fact("most", MOST_BASES));
        }
        // The contents of a cold tree are no files of the store. One that it lacks may not be needed.
        for tree in index.beside {
            self.store.thaw(tree, "a tree beside the snapshot", self.progress)?;
        }
        self.expected = Some(index.outputs.into_iter().rev().collect());
        Ok(())
    }

    /// Reads the next listing, which bounds the contents of its tree.
    fn listing(&mut self, name: &[u8], contents: &mut dyn Read) -> Result<()> {
        let next = self.expected.as_mut().and_then(Vec::pop);
        let output = next
            .filter(|output| format!("{}{LISTING}", output.name).as_bytes() == name)
            .ok_or_else(|| invalid("entries out of order").fact("entry", named(name)))?;
        let text = read_at_most(contents, MOST_LISTING)?;
        if text.split(|byte| *byte == b'\n').count() > MOST_LINES {
            return Err(invalid("listing with too many lines"));
        }
        let listing = Listing::parse(&text).about(&output.name)?;
        drop(text);
        if listing.digest() != output.tree {
            return Err(differs(&output, &listing));
        }
        let size = listing.total_size();
        let new = if self.is_delta {
            let lacking = listing.entries().iter().filter(|entry| !self.store.has_contents(entry));
            lacking.map(|entry| if let Node::File { size, .. } = entry.node { size } else { 0 }).sum()
        } else {
            size
        };
        self.store.demand_space(new).about(&output.name)?;
        let staging = self.store.stage()?;
        let directory = staging.path().join("tree");
        fs_err::create_dir(&directory)?;
        let limits = Limits { entries: listing.entries().len() as u64, bytes: size, colliding_names: true };
        let writer = TreeWriter::new(&directory, limits)?;
        self.parts.push(RunningPart { output, staging, writer, whole: self.is_delta.then_some(listing) });
        Ok(())
    }

    /// Returns the tree of an entry, and the path in it.
    fn tree<'p>(&mut self, path: &'p [u8]) -> Result<(&mut TreeWriter, &'p [u8])> {
        let slash = path.iter().position(|byte| *byte == b'/');
        let found = slash.and_then(|slash| {
            let part = self.parts.iter_mut().find(|part| part.output.name.as_bytes() == &path[..slash])?;
            Some((&mut part.writer, &path[slash + 1..]))
        });
        found.ok_or_else(|| invalid("entry outside of all outputs").fact("entry", named(path)))
    }

    fn finish(self) -> Result<Vec<Restored>> {
        if self.expected.is_none_or(|left| !left.is_empty()) {
            return Err(invalid("truncated"));
        }
        // Check all trees before the first is published.
        let mut checked = Vec::new();
        for RunningPart { output, staging, writer, whole } in self.parts {
            let listing = writer.finish()?;
            if whole.is_none() && listing.digest() != output.tree {
                return Err(differs(&output, &listing));
            }
            refuse_different(self.store, self.lock, &output)?;
            checked.push(CheckedPart { output, staging, listing, whole });
        }
        let of_delta = || checked.iter().filter(|part| part.whole.is_some());
        let received: HashSet<Contents> =
            of_delta().flat_map(|part| part.listing.entries()).filter_map(contents_of).collect();
        for part in of_delta() {
            if let Some(whole) = &part.whole {
                complete(self.store, &part.output.name, whole, &part.listing, &received)?;
            }
        }
        // A tree may take contents that another one brought.
        of_delta().try_for_each(|part| self.store.share_all(&part.staging, &part.listing))?;
        let mut restored = Vec::new();
        for CheckedPart { output, staging, listing, whole } in checked {
            let tree = match whole {
                Some(whole) => self.store.publish_from_blobs(&whole)?,
                None => self.store.publish_tree(&staging, &listing)?,
            };
            if self.lock.is_some_and(|lock| derived(lock, &output).is_some()) {
                let record = OutputRecord { name: output.name.clone(), tree: output.tree };
                self.store.publish_output(output.derivation, &record, None)?;
            }
            restored.push(Restored { output, tree });
        }
        Ok(restored)
    }
}

impl Receiver for Router<'_> {
    fn directory(&mut self, path: &[u8]) -> Result<()> {
        let (tree, path) = self.tree(path)?;
        tree.directory(path)
    }

    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        let (tree, path) = self.tree(path)?;
        tree.link(path, target)
    }

    fn hard_link(&mut self, path: &[u8], _earlier: &[u8]) -> Result<()> {
        Err(invalid("hard link").fact("entry", named(path)))
    }

    fn file(&mut self, path: &[u8], executable: bool, contents: &mut dyn Read) -> Result<()> {
        if self.expected.is_none() {
            if path != INDEX {
                return Err(invalid("the first entry is not the index").fact("entry", named(path)));
            }
            return self.index(contents);
        }
        if !path.contains(&b'/') {
            return self.listing(path, contents);
        }
        let (tree, path) = self.tree(path)?;
        tree.file(path, executable, contents)
    }
}

/// Fails if an unsealed output was realized here with a different tree, which must not be replaced.
fn refuse_different(store: &Store, lock: Option<&Lock>, output: &SnapshotOutput) -> Result<()> {
    let unsealed = lock.and_then(|lock| derived(lock, output)).is_some_and(|locked| locked.tree.is_none());
    match store.output_record(output.derivation)? {
        Some(here) if unsealed && here.tree != output.tree => {
            Err(Error::new(Kind::NotReproducible, "the tree in the snapshot differs from the one in the store")
                .about(&output.name)
                .fact("here", here.tree)
                .fact("snapshot", output.tree)
                .hint("the output is not sealed: `strixlock realize --seal` seals the tree in the store"))
        }
        _ => Ok(()),
    }
}

/// Returns the output of the lock with the same derivation.
fn derived<'l>(lock: &'l Lock, output: &SnapshotOutput) -> Option<&'l crate::lock::LockedOutput> {
    lock.outputs.values().find(|locked| locked.derivation == output.derivation)
}

fn read_at_most(contents: &mut dyn Read, most: u64) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    contents.take(most + 1).read_to_end(&mut text)?;
    if text.len() as u64 > most {
        return Err(invalid("index or listing too long"));
    }
    Ok(text)
}

fn invalid(why: &str) -> Error {
    Error::new(Kind::Invalid, format!("invalid snapshot: {why}"))
}

fn differs(output: &SnapshotOutput, found: &Listing) -> Error {
    Error::new(Kind::Mismatch, "the tree in the snapshot does not match its digest")
        .about(&output.name)
        .fact("expected", output.tree)
        .fact("found", found.digest())
        .hint("the file is damaged: get another copy, or `strixlock realize`")
}

/// A reader that reports its position as progress.
struct Counted {
    inner: fs_err::File,
    task: Box<dyn Task>,
    done: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.done += count as u64;
        self.task.set_position(self.done);
        Ok(count)
    }
}
