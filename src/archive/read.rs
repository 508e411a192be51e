//! Takes the inputs of a lock from an archive: from a directory, a tar file, a web server or a registry.
//!
//! All of it goes through the fetcher, by URLs below that of the archive, and so everything is compared with the digests of
//! the lock on its way into the store.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use url::Url;

use super::place::{FORM, LARGEST_POINTER, parse_pointer, unknown_form};
use super::verify::{parse_sums, wanted};
use super::{Archive, ArchiveName, Piece, RegistryArchive, unpacked};
use crate::digest::{Promise, Sha256Digest, TreeDigest};
use crate::error::{About as _, Error, Kind, Result};
use crate::fetch::{Access, Voucher};
use crate::inputs::{Kept, KeptFile, LockedInput};
use crate::intake::{Intake, MissingFile, download_all, drop_damaged, file_once, is_here};
use crate::progress::{Doing, Unit};
use crate::remote::is_odd;
use crate::store::{ColdShelf, LARGEST_CHUNK, LARGEST_INDEX, Staging};
use crate::threads::on_threads;
use crate::tree::FORMAT;
use crate::upstream::git::LARGEST_PATCH;

/// Greatest size of SHA256SUMS, in bytes: enough for 500,000 files.
const LARGEST_SUMS: u64 = 64 << 20;
/// Greatest size of a listing, in bytes: ten times that of a nightly.
const LARGEST_LISTING: u64 = 64 << 20;
/// Number of chunks that are asked for at a time.
const WORKERS: usize = 4;
/// Number of missing files that an error names.
const NAMED: usize = 10;

/// An archive to take inputs from.
pub struct Source<'a> {
    intake: Intake<'a>,
    /// The name that the user gave.
    shown: String,
    base: Url,
    form: Form,
    /// The directory that a tar file was unpacked to.
    _unpacked: Option<Staging>,
}

enum Form {
    /// A directory, perhaps one that a tar file was unpacked to.
    Directory(Archive),
    /// A server, and the pieces that it lists.
    Server(BTreeSet<Piece>),
    /// A repository of a registry, and the files that its manifests list.
    Registry(BTreeMap<Piece, Promise>),
}

/// The files that were taken from an archive.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Taken {
    /// The archive, as the user named it.
    pub archive: String,
    /// Number of downloads, packs, directories and cold trees.
    pub files: u64,
    /// Number of their bytes.
    pub bytes: u64,
    /// Names of inputs of which it does not have everything.
    pub lacking: Vec<String>,
}

/// A part of an input that an archive does not have.
struct Lack<'l> {
    input: &'l str,
    kept: Kept,
}

impl<'a> Source<'a> {
    /// Opens an archive.
    pub fn open(name: &ArchiveName, intake: Intake<'a>) -> Result<Self> {
        let shown = name.to_string();
        let directory = |path: &std::path::Path| {
            let url = std::path::absolute(path).ok().and_then(|path| Url::from_directory_path(path).ok());
            url.ok_or_else(|| Error::failure("invalid path of an archive").fact("path", path.display()))
        };
        match name {
            ArchiveName::Directory(path) | ArchiveName::Layout(path) => {
                let form = Form::Directory(Archive::open(path)?);
                Ok(Self { intake, shown, base: directory(path)?, form, _unpacked: None })
            }
            ArchiveName::File(path) => {
                let staging = intake.store.stage()?;
                let place = staging.path().join("archive");
                fs_err::create_dir(&place)?;
                unpacked(path, &place, intake.fetcher.progress())?;
                let form = Form::Directory(Archive::open(&place).about(&shown)?);
                Ok(Self { intake, shown, base: directory(&place)?, form, _unpacked: Some(staging) })
            }
            ArchiveName::Url(url) => {
                let form = Form::Server(BTreeSet::new());
                let mut this = Self { intake, shown, base: url.clone(), form, _unpacked: None };
                let marker = this.small(&Piece::Marker, LARGEST_POINTER).map_err(|error| {
                    if error.kind() == Kind::NotFound {
                        error.hint("expected the address of `strixlock serve`, or of a directory with an archive")
                    } else {
                        error
                    }
                })?;
                if marker != FORM.as_bytes() {
                    return Err(unknown_form(&String::from_utf8_lossy(&marker)).fact("url", &this.shown));
                }
                let sums = this.small(&Piece::Sums, LARGEST_SUMS)?;
                let listed = parse_sums(&String::from_utf8_lossy(&sums)).into_iter().map(|(piece, _)| piece);
                this.form = Form::Server(listed.collect());
                Ok(this)
            }
            ArchiveName::Registry { host, repository } => {
                let archive = RegistryArchive::open(intake.fetcher, host, repository, Access::Read)?;
                archive.warnings().iter().for_each(|text| intake.fetcher.note_once(&format!("warning: {text}")));
                if archive.count() == 0 {
                    return Err(archive.nothing_there());
                }
                let base = archive.base().clone();
                let form = Form::Registry(archive.into_files());
                Ok(Self { intake, shown, base, form, _unpacked: None })
            }
        }
    }

    /// Takes those parts of the inputs into the store that it lacks. First looks for all of them. What the archive does
    /// not have is left to upstream, or fails offline, before anything is taken.
    pub fn take(&self, inputs: &[(&str, &LockedInput)]) -> Result<Taken> {
        let mut wanted: Vec<(&str, &LockedInput, Vec<Kept>)> = Vec::new();
        let mut lacking = Vec::new();
        for (name, input) in inputs {
            let parts: Vec<Kept> = input.kept().into_iter().filter(|kept| self.is_wanted(input, kept)).collect();
            for kept in &parts {
                if !self.has(kept) {
                    lacking.push(Lack { input: name, kept: kept.clone() });
                }
            }
            wanted.push((name, input, parts));
        }
        let offline = self.intake.fetcher.settings().offline;
        if offline && !lacking.is_empty() {
            return Err(self.lacks(&lacking, wanted.iter().map(|(_, _, parts)| parts.len()).sum()));
        }
        let lacks = |name: &str| lacking.iter().any(|lack| lack.input == name);
        let mut taken = Taken { archive: self.shown.clone(), ..Taken::default() };
        for (name, input, parts) in wanted {
            let has: Vec<Kept> = parts.into_iter().filter(|kept| self.has(kept)).collect();
            match self.take_one(name, input, &has, !lacks(name)) {
                Ok(bytes) => {
                    taken.files += has.len() as u64;
                    taken.bytes += bytes;
                }
                // Upstream may have what is damaged or missing here.
                Err(error) if !offline && (is_odd(&error) || error.kind() == Kind::Damaged) => {
                    let facts = error.facts().find(|(label, _)| matches!(*label, "url" | "file"));
                    let place = facts.map(|(_, value)| format!(": {value}")).unwrap_or_default();
                    let message = error.message();
                    self.intake.fetcher.note_once(&format!("warning: {name}: {message}{place}; asking upstream"));
                    taken.lacking.push(name.to_owned());
                }
                Err(error) => return Err(error.about(name)),
            }
            if lacks(name) {
                taken.lacking.push(name.to_owned());
            }
        }
        taken.lacking.dedup();
        Ok(taken)
    }

    /// Returns whether the store lacks a part of an input.
    fn is_wanted(&self, input: &LockedInput, kept: &Kept) -> bool {
        let store = self.intake.store;
        let has_tree = |tree: TreeDigest| store.tree(tree).is_some() || store.cold(tree).is_some();
        if input.tree().is_some_and(|tree| has_tree(tree.digest)) {
            return false;
        }
        match kept {
            Kept::File(file) => {
                let here = match file.promise() {
                    Some(promise) => is_here(store, promise),
                    None => store.download(file.digest).is_some(),
                };
                !here && !file.tree.is_some_and(has_tree)
            }
            Kept::Commit(_) => true,
            Kept::Tree(tree) => !has_tree(tree.digest),
        }
    }

    /// Returns whether the archive has a part, as far as that is known without reading it.
    fn has(&self, kept: &Kept) -> bool {
        match &self.form {
            Form::Directory(archive) => match (archive.held(kept), kept) {
                (Some(pieces), Kept::File(file)) if pieces.iter().any(|piece| matches!(piece, Piece::Cold(_))) => {
                    file.tree.is_some_and(|tree| archive.shelf().has(tree))
                }
                (held, _) => held.is_some(),
            },
            Form::Server(listed) => match kept {
                Kept::File(file) => {
                    let cold = file.tree.is_some_and(|tree| listed.contains(&Piece::Cold(tree)));
                    cold || listed.contains(&Piece::Blob(file.digest))
                }
                other => listed.contains(&wanted(other)),
            },
            Form::Registry(files) => files.contains_key(&wanted(kept)),
        }
    }

    /// Returns whether the archive has a file whole.
    fn has_blob(&self, file: &KeptFile) -> bool {
        let piece = Piece::Blob(file.digest);
        match &self.form {
            Form::Directory(archive) => archive.size(&piece).is_some(),
            Form::Server(listed) => listed.contains(&piece),
            Form::Registry(files) => files.contains_key(&piece),
        }
    }

    /// Returns digest and size of the file that is a pack or tar archive.
    fn pointed(&self, piece: &Piece) -> Result<Promise> {
        let found = match &self.form {
            Form::Registry(files) => files.get(piece).copied(),
            _ => parse_pointer(&self.small(piece, LARGEST_POINTER)?),
        };
        found.ok_or_else(|| Error::new(Kind::Mismatch, "a file of the archive is damaged").fact("file", piece.path()))
    }

    /// Returns the error for parts that an archive does not have, of `all` that are wanted.
    fn lacks(&self, lacking: &[Lack], all: usize) -> Error {
        let message = if lacking.len() == all {
            "the archive has nothing of what this lock needs"
        } else {
            "the archive lacks files that this lock needs"
        };
        let mut error = Error::new(Kind::NotFound, message).fact("archive", &self.shown);
        for lack in lacking.iter().take(NAMED) {
            let called = match &lack.kept {
                Kept::File(file) => crate::text::visible(&file.name),
                Kept::Commit(one) => format!("commit {}", one.commit),
                Kept::Tree(_) => "files of the project".to_owned(),
            };
            error = error.fact("missing", format!("{}: {called}  {}", lack.input, wanted(&lack.kept).path()));
        }
        if lacking.len() > NAMED {
            error = error.fact("missing", format!("and {} more", lacking.len() - NAMED));
        }
        let hint = if lacking.len() == all {
            "it is an archive of other locks: `strixlock archive list` lists them"
        } else {
            "add the lock again on a machine that has its files: `strixlock archive --to ARCHIVE`; without \
             --offline they are downloaded"
        };
        error.hint(hint)
    }

    /// Takes the parts of one input. `all` is true if the archive has all that the store lacks. Returns the number of
    /// bytes.
    fn take_one(&self, name: &str, input: &LockedInput, parts: &[Kept], all: bool) -> Result<u64> {
        if parts.is_empty() {
            return Ok(0);
        }
        let (mut missing, mut bytes) = (Vec::new(), 0);
        for kept in parts {
            let Kept::File(file) = kept else { continue };
            match (file.promise(), file.tree) {
                (_, Some(tree)) if !self.has_blob(file) => bytes += self.cold(name, tree)?,
                (Some(promise), _) => {
                    drop_damaged(self.intake.store, promise.digest)?;
                    let (urls, called) = (vec![self.url(&Piece::Blob(promise.digest))?], file.name.clone());
                    missing.push(MissingFile { promise, urls, called });
                    bytes += promise.size;
                }
                (None, _) => bytes += self.unsized_file(file.digest)?,
            }
        }
        download_all(self.intake, name, &missing, Voucher::Kept, &|error, piece| error.fact("file", &piece.called))?;
        if all && parts.iter().any(|kept| !matches!(kept, Kept::File(_))) {
            let (taken, staging) = (RefCell::new(0), self.intake.store.stage()?);
            input.unpack_kept(self.intake, name, &|kept| {
                let promise = self.pointed(&wanted(kept))?;
                *taken.borrow_mut() += promise.size;
                let url = self.url(&Piece::Blob(promise.digest))?;
                // No lock names it, and the tree that it becomes is all that is needed.
                file_once(self.intake, name, url, promise, Voucher::Kept, staging.path())
            })?;
            bytes += taken.into_inner();
        }
        Ok(bytes)
    }

    /// Takes a file whose size the pin does not have into the store. Only patches have none.
    fn unsized_file(&self, digest: Sha256Digest) -> Result<u64> {
        let piece = Piece::Blob(digest);
        let bytes = self.small(&piece, LARGEST_PATCH)?;
        if Sha256Digest::of(&bytes) != digest {
            return Err(Error::new(Kind::Mismatch, "a file of the archive is damaged").fact("file", piece.path()));
        }
        self.intake.store.publish_bytes(&bytes)?;
        Ok(bytes.len() as u64)
    }

    /// Makes a cold tree of the archive hot in the store. Returns the number of bytes that were read.
    fn cold(&self, name: &str, tree: TreeDigest) -> Result<u64> {
        let (store, progress) = (self.intake.store, self.intake.fetcher.progress());
        let unpack = |shelf: &ColdShelf| {
            let size = shelf.get(tree).map(|cold| cold.listing().map(|listing| listing.total_size())).transpose()?;
            shelf.thaw(store, tree, name, progress)?;
            Ok(size.unwrap_or(0))
        };
        if let Form::Directory(archive) = &self.form {
            return unpack(&archive.shelf());
        }
        let staging = store.stage()?;
        let shelf = ColdShelf::at(staging.path());
        let listing = self.small(&Piece::Listing(tree), LARGEST_LISTING)?;
        if TreeDigest(Sha256Digest::of(&listing)) != tree {
            let error = Error::new(Kind::Mismatch, "a listing in the archive is damaged");
            return Err(error.fact("file", Piece::Listing(tree).path()).fact("expected", format!("{tree} ({FORMAT})")));
        }
        shelf.put(tree, &listing, &self.small(&Piece::Cold(tree), LARGEST_INDEX)?)?;
        let chunks = shelf.missing(tree)?;
        let task = progress.begin(Doing::Fetch, name, Some(chunks.len() as u64), Unit::Steps);
        let done = std::sync::atomic::AtomicU64::new(0);
        on_threads(WORKERS, "a thread that downloads", |number| {
            for chunk in chunks.iter().skip(number).step_by(WORKERS) {
                shelf.put_chunk(*chunk, &self.small(&Piece::Chunk(*chunk), LARGEST_CHUNK)?)?;
                task.set_position(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
            }
            Ok(())
        })?;
        task.done(None);
        unpack(&shelf)
    }

    fn url(&self, piece: &Piece) -> Result<Url> {
        let below = match (&self.form, piece) {
            (Form::Registry(_), Piece::Blob(digest)) => format!("blobs/{digest}"),
            _ => piece.path(),
        };
        self.base.join(&below).map_err(|error| Error::failure("invalid address").because(&error))
    }

    fn small(&self, piece: &Piece, limit: u64) -> Result<Vec<u8>> {
        match &self.form {
            Form::Directory(archive) => archive.read(piece, limit),
            Form::Server(_) | Form::Registry(_) => self.intake.fetcher.get_signed(&self.url(piece)?, limit),
        }
    }
}
