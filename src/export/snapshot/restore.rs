//! Brings a snapshot back into a store, verified while it is unpacked.

use std::io::Read;
use std::path::Path;

use super::{FORMAT, INDEX, Index, LISTING, SnapshotOutput};
use crate::error::{About, Error, Kind, Result};
use crate::lock::Lock;
use crate::progress::{Progress, Task, Unit};
use crate::store::{OutputRecord, Staging, Store, StoredTree};
use crate::tree::Receiver;
use crate::tree::unpack::unpack_into;
use crate::tree::{Limits, Listing, TreeWriter, is_path, named};

/// An output that came out of a snapshot.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What the snapshot says of it.
    pub output: SnapshotOutput,
    /// Its tree, now in the store.
    pub tree: StoredTree,
}

/// No index is longer, in bytes.
const MOST_INDEX: u64 = 1 << 20;
/// No listing is longer, in bytes; AMD's trees need 5 MB.
const MOST_LISTING: u64 = 96 << 20;
/// No listing has more lines: each takes memory, however short it is.
const MOST_LINES: usize = 750_000;

/// Unpacks the snapshot at `file` into the store. Nothing gets a name there unless every tree is the one whose digest the
/// snapshot names; those whose derivation `lock` has must also be what it was sealed with, and are recorded as its outputs.
pub fn restore(store: &Store, file: &Path, lock: Option<&Lock>, progress: &dyn Progress) -> Result<Vec<Restored>> {
    let archive = fs_err::File::open(file)
        .map_err(|error| Error::new(Kind::NotFound, "the snapshot cannot be read").because(&error))?;
    let task = progress.begin("restore", Some(archive.metadata()?.len()), Unit::Bytes);
    let mut router = Router { store, lock, expected: None, parts: Vec::new() };
    let archive = Counted { inner: archive, task, done: 0 };
    let remarks = unpack_into(archive, &mut router).about(file.display().to_string())?;
    if let Some(name) = remarks.absolute.first() {
        return Err(no_snapshot("it has absolute names").fact("entry", name).about(file.display().to_string()));
    }
    router.finish().about(file.display().to_string())
}

/// Sends the entries of the archive to the trees that they belong to.
struct Router<'a> {
    store: &'a Store,
    lock: Option<&'a Lock>,
    /// The outputs whose listings have not come yet, the next one last. `None` before the index.
    expected: Option<Vec<SnapshotOutput>>,
    parts: Vec<RunningPart>,
}

struct RunningPart {
    output: SnapshotOutput,
    staging: Staging,
    writer: TreeWriter,
}

impl Router<'_> {
    fn index(&mut self, contents: &mut dyn Read) -> Result<()> {
        let text = read_at_most(contents, MOST_INDEX)?;
        let index: Index =
            serde_json::from_slice(&text).map_err(|error| no_snapshot("its index is not valid").because(&error))?;
        if index.format != FORMAT {
            return Err(no_snapshot("it has a format that this strixlock does not know")
                .fact("expected", FORMAT)
                .fact("found", index.format.escape_debug()));
        }
        for (at, output) in index.outputs.iter().enumerate() {
            let name = output.name.as_bytes();
            if !is_path(name) || name.contains(&b'/') || index.outputs[..at].iter().any(|one| one.name == output.name) {
                return Err(no_snapshot("the names of its outputs are not valid").fact("name", named(name)));
            }
            let locked = self.lock.and_then(|lock| derived(lock, output)).and_then(|locked| locked.tree);
            if let Some(sealed) = locked
                && sealed != output.tree
            {
                return Err(Error::new(Kind::NotReproducible, "the snapshot holds another tree than the lock names")
                    .about(&output.name)
                    .fact("locked", sealed)
                    .fact("snapshot", output.tree));
            }
        }
        self.expected = Some(index.outputs.into_iter().rev().collect());
        Ok(())
    }

    /// The next listing: from here on it is known what the tree may hold.
    fn listing(&mut self, name: &[u8], contents: &mut dyn Read) -> Result<()> {
        let next = self.expected.as_mut().and_then(Vec::pop);
        let output = next
            .filter(|output| format!("{}{LISTING}", output.name).as_bytes() == name)
            .ok_or_else(|| no_snapshot("its entries are out of order").fact("entry", named(name)))?;
        let text = read_at_most(contents, MOST_LISTING)?;
        if text.split(|byte| *byte == b'\n').count() > MOST_LINES {
            return Err(no_snapshot("a listing has more lines than any tree needs"));
        }
        let listing = Listing::parse(&text).about(&output.name)?;
        drop(text);
        if listing.digest() != output.tree {
            return Err(differs(&output, &listing));
        }
        let size = listing.total_size();
        self.store.demand_space(size).about(&output.name)?;
        let staging = self.store.stage()?;
        let directory = staging.path().join("tree");
        fs_err::create_dir(&directory)?;
        let limits = Limits { entries: listing.entries().len() as u64, bytes: size, colliding_names: true };
        self.parts.push(RunningPart { output, staging, writer: TreeWriter::new(&directory, limits)? });
        Ok(())
    }

    /// The tree that an entry belongs to, and the entry's path in it.
    fn tree<'p>(&mut self, path: &'p [u8]) -> Result<(&mut TreeWriter, &'p [u8])> {
        let slash = path.iter().position(|byte| *byte == b'/');
        let found = slash.and_then(|slash| {
            let part = self.parts.iter_mut().find(|part| part.output.name.as_bytes() == &path[..slash])?;
            Some((&mut part.writer, &path[slash + 1..]))
        });
        found.ok_or_else(|| no_snapshot("it holds an entry of no output").fact("entry", named(path)))
    }

    fn finish(self) -> Result<Vec<Restored>> {
        if self.expected.is_none_or(|left| !left.is_empty()) {
            return Err(no_snapshot("it ends too early"));
        }
        // All are judged before the first one gets a name.
        let mut whole = Vec::new();
        for RunningPart { output, staging, writer } in self.parts {
            let listing = writer.finish()?;
            if listing.digest() != output.tree {
                return Err(differs(&output, &listing));
            }
            refuse_another(self.store, self.lock, &output)?;
            whole.push((output, staging, listing));
        }
        let mut restored = Vec::new();
        for (output, staging, listing) in whole {
            let tree = self.store.publish_tree(&staging, &listing)?;
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
        Err(no_snapshot("it holds a hard link").fact("entry", named(path)))
    }

    fn file(&mut self, path: &[u8], executable: bool, contents: &mut dyn Read) -> Result<()> {
        if self.expected.is_none() {
            if path != INDEX {
                return Err(no_snapshot("its first entry is not its index").fact("entry", named(path)));
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

/// Where the lock says only how an output is made, a tree that was made here does not give way to one from elsewhere.
fn refuse_another(store: &Store, lock: Option<&Lock>, output: &SnapshotOutput) -> Result<()> {
    let unsealed = lock.and_then(|lock| derived(lock, output)).is_some_and(|locked| locked.tree.is_none());
    match store.output_record(output.derivation)? {
        Some(here) if unsealed && here.tree != output.tree => Err(Error::new(
            Kind::NotReproducible,
            "the snapshot holds another tree than was made here",
        )
        .about(&output.name)
        .fact("here", here.tree)
        .fact("snapshot", output.tree)
        .hint(
            "the lock does not say which one is right: `strixlock realize --seal` makes it say that the one here is",
        )),
        _ => Ok(()),
    }
}

/// The output of the lock that is made in the same way.
fn derived<'l>(lock: &'l Lock, output: &SnapshotOutput) -> Option<&'l crate::lock::LockedOutput> {
    lock.outputs.values().find(|locked| locked.derivation == output.derivation)
}

fn read_at_most(contents: &mut dyn Read, most: u64) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    contents.take(most + 1).read_to_end(&mut text)?;
    if text.len() as u64 > most {
        return Err(no_snapshot("its index or a listing is too long"));
    }
    Ok(text)
}

fn no_snapshot(why: &str) -> Error {
    Error::new(Kind::Invalid, format!("this is no snapshot that strixlock wrote: {why}"))
}

fn differs(output: &SnapshotOutput, found: &Listing) -> Error {
    Error::new(Kind::Mismatch, "the snapshot does not hold the tree that it names")
        .about(&output.name)
        .fact("named", output.tree)
        .fact("found", found.digest())
        .hint("the file is damaged: get another copy, or `strixlock realize`")
}

/// Tells how much of the file was read.
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
