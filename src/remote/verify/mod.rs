//! Reads everything that a remote has, and names all damage.
//!
//! Every pack is received once, compared with its digest, and its pieces with theirs; then what is said about each tree:
//! statements, and notes on builds.

mod said;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::Serialize;

use super::artifact::TreeArtifact;
use super::index::{Piece, contents};
use super::piece::Unpacker;
use super::record::records;
use super::repository::{Reference, Repository, is_odd, receive};
use super::{small, tags};
use crate::digest::{Promise, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::progress::{Doing, Progress, Unit};
use crate::threads::on_threads;
use crate::tree::named;

/// Number of packs that are received at a time.
const WORKERS: usize = 4;

/// A fault of a remote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RemoteFault {
    /// The tag, or the digest of a blob.
    pub what: String,
    /// The fault.
    pub fault: String,
    /// Its users: outputs, and a file if one is known to be damaged.
    pub about: String,
    /// The tags of the manifests that need it.
    pub tags: BTreeSet<String>,
    /// The manifest that needs it and has no tag, since it says something about another one.
    #[serde(skip)]
    pub said_by: Option<Sha256Digest>,
}

impl RemoteFault {
    /// Returns an error as a fault. Fails if it says that the remote cannot be asked.
    fn from(error: Error, what: &str, about: &str, tags: &BTreeSet<String>) -> Result<Self> {
        if !is_odd(&error) {
            return Err(error);
        }
        let (what, fault, about) = (what.to_owned(), error.message().to_owned(), about.to_owned());
        Ok(Self { what, fault, about, tags: tags.clone(), said_by: None })
    }
}

/// The result of a verification.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RemoteVerified {
    /// Number of trees.
    pub trees: usize,
    /// Number of packs.
    pub packs: usize,
    /// Number of bytes that were read of packs.
    pub bytes: u64,
    /// All faults.
    pub faults: Vec<RemoteFault>,
}

/// A pack, and what must be in it.
#[derive(Default)]
struct Wanted {
    /// Pieces, each with the path of a file that needs it.
    pieces: BTreeMap<(u64, Sha256Digest), (Piece, String)>,
    /// The outputs that need it.
    outputs: BTreeSet<String>,
    /// The tags of their manifests.
    tags: BTreeSet<String>,
}

/// Reads everything. `directory` is for temporary files.
pub fn verify(remote: &dyn Repository, directory: &Path, progress: &dyn Progress) -> Result<RemoteVerified> {
    let mut verified = RemoteVerified::default();
    let mut packs: BTreeMap<(Sha256Digest, u64), Wanted> = BTreeMap::new();
    let mut manifests: BTreeSet<String> = BTreeSet::new();
    for record in records(remote)? {
        match record.read(remote) {
            Ok(read) => manifests.extend(read.outputs.values().map(|output| tags::of_tree(output.tree))),
            Err(error) => {
                let tags = BTreeSet::from([record.tag.clone()]);
                verified.faults.push(RemoteFault::from(error, &record.tag, "the record of a push", &tags)?);
            }
        }
    }
    manifests.extend(remote.tags()?.into_iter().filter(|tag| tags::tree(tag).is_some()));
    for tag in manifests {
        match tree(remote, &tag, &mut packs) {
            Ok((manifest, output)) => said::verify(remote, manifest, &output, &mut verified.faults)?,
            Err(error) => {
                verified.faults.push(RemoteFault::from(error, &tag, "a tree", &BTreeSet::from([tag.clone()]))?);
            }
        }
        verified.trees += 1;
    }
    let packs: Vec<(Promise, Wanted)> =
        packs.into_iter().map(|((digest, size), wanted)| (Promise { size, digest }, wanted)).collect();
    verified.packs = packs.len();
    verified.bytes = packs.iter().map(|(pack, _)| pack.size).sum();
    let task = progress.begin(Doing::Verify, &remote.address(), Some(verified.bytes), Unit::Bytes);
    let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
    let found = on_threads(WORKERS.min(packs.len()), "a thread that verifies packs", |_| {
        let mut faults = Vec::new();
        while let Some((pack, wanted)) = packs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let told = |count: u64| task.set_position(done.fetch_add(count, Ordering::Relaxed) + count);
            if let Err(error) = verify_pack(remote, *pack, wanted, directory, &told, &mut faults) {
                faults.push(RemoteFault::from(error, &pack.digest.to_string(), &words(wanted), &wanted.tags)?);
            }
        }
        Ok(faults)
    })?;
    verified.faults.extend(found.into_iter().flatten());
    verified.faults.sort();
    task.done(None);
    Ok(verified)
}

/// Reads manifest, listing and index of a tree, and adds its packs. Returns the manifest's digest and the output's name.
fn tree(
    remote: &dyn Repository,
    tag: &str,
    packs: &mut BTreeMap<(Sha256Digest, u64), Wanted>,
) -> Result<(Sha256Digest, String)> {
    let missing = || Error::new(Kind::NotFound, "it is missing");
    let tree = tags::tree(tag).ok_or_else(missing)?;
    let text = remote.manifest(Reference::Tag(tag))?.ok_or_else(missing)?;
    let manifest = TreeArtifact::parse(&text)?;
    let listing = small::read_listing(remote, &manifest, tree)?;
    let contents = contents(&listing);
    let index = small::read_index(remote, &manifest, &contents)?;
    for pack in &manifest.packs {
        let wanted = packs.entry((pack.digest, pack.size)).or_default();
        wanted.outputs.insert(manifest.about.name.clone());
        wanted.tags.insert(tag.to_owned());
    }
    for (content, pieces) in contents.iter().zip(index) {
        for piece in pieces {
            let pack = manifest.packs[piece.place.pack];
            let wanted = packs.entry((pack.digest, pack.size)).or_default();
            let key = (piece.place.offset, piece.digest);
            wanted.pieces.entry(key).or_insert_with(|| (piece, named(content.path)));
        }
    }
    Ok((Sha256Digest::of(&text), manifest.about.name))
}

/// Receives a pack and compares it.
fn verify_pack(
    remote: &dyn Repository,
    pack: Promise,
    wanted: &Wanted,
    directory: &Path,
    told: &dyn Fn(u64),
    faults: &mut Vec<RemoteFault>,
) -> Result<()> {
    let file: File = tempfile::tempfile_in(directory)?;
    let found = receive(remote, pack, &file, told)?;
    let mut fault = |fault: &str, about: String| {
        let (what, tags) = (pack.digest.to_string(), wanted.tags.clone());
        faults.push(RemoteFault { what, fault: fault.to_owned(), about, tags, said_by: None });
    };
    if found != pack.digest {
        fault("the bytes of the pack are damaged", words(wanted));
    }
    let mut unpacker = Unpacker::new()?;
    for (piece, path) in wanted.pieces.values() {
        let mut packed = vec![0; piece.place.length as usize];
        file.read_exact_at(&mut packed, piece.place.offset)?;
        if unpacker.unpack_checked(&packed, piece.size, piece.digest).is_err() {
            fault("a piece of a file is damaged", format!("{}: {path}", words(wanted)));
        }
    }
    Ok(())
}

fn words(wanted: &Wanted) -> String {
    wanted.outputs.iter().cloned().collect::<Vec<_>>().join(", ")
}
