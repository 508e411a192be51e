//! Files that are received, from the first piece to their place among the store's contents.

use std::collections::HashMap;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Lack;
use crate::digest::{Sha256Digest, hash_reader};
use crate::error::{Error, Kind, Result};
use crate::remote::index::Piece;
use crate::store::{Staging, Store};
use crate::threads::lock;
use crate::tree::confined::{seal_file, stored_mode};
use crate::tree::{Entry, Listing, Node, named};

/// Number of bytes after which finished files are given to the store.
const BATCH: u64 = 512 << 20;

/// The files that are received.
pub struct Arrivals<'a> {
    store: &'a Store,
    staging: Staging,
    files: Vec<File<'a>>,
    /// The place for the bytes of a piece: file and offset.
    places: HashMap<Sha256Digest, Vec<(usize, u64)>>,
    pieces: HashMap<Sha256Digest, Piece>,
    /// Files that are complete, and the sum of their sizes.
    complete: Mutex<(Vec<usize>, u64)>,
    /// Held while files are given to the store.
    giving: Mutex<()>,
}

/// One file.
struct File<'a> {
    lack: &'a Lack<'a>,
    /// Its name in the staging directory.
    name: String,
    /// Number of pieces that it still needs.
    missing: AtomicUsize,
    is_whole: bool,
}

impl<'a> Arrivals<'a> {
    /// Begins to receive files. `of` has the pieces of their contents.
    pub fn new(store: &'a Store, lacks: &'a [Lack<'a>], of: &HashMap<Sha256Digest, Vec<Piece>>) -> Result<Self> {
        let staging = store.stage()?;
        fs_err::create_dir(staging.path().join("tree"))?;
        let (mut files, mut places, mut pieces) = (Vec::new(), HashMap::<_, Vec<_>>::new(), HashMap::new());
        for (number, lack) in lacks.iter().enumerate() {
            let own = of.get(&lack.digest).map(Vec::as_slice).unwrap_or_default();
            let mut offset = 0;
            for piece in own {
                places.entry(piece.digest).or_default().push((number, offset));
                pieces.entry(piece.digest).or_insert(*piece);
                offset += piece.size;
            }
            let name = format!("{}{}", lack.digest.hex(), if lack.executable { "x" } else { "" });
            files.push(File { lack, name, missing: AtomicUsize::new(own.len()), is_whole: own.len() == 1 });
        }
        Ok(Self { store, staging, files, places, pieces, complete: Mutex::default(), giving: Mutex::default() })
    }

    /// Returns the pieces that are needed.
    pub fn wanted(&self) -> impl Iterator<Item = Piece> + '_ {
        self.pieces.values().copied()
    }

    /// Returns the path of a file that a piece belongs to, for messages.
    pub fn name_of(&self, piece: Sha256Digest) -> String {
        let place = self.places.get(&piece).and_then(|places| places.first());
        place.map(|(file, _)| named(&self.files[*file].lack.entry.path)).unwrap_or_default()
    }

    /// Makes the files that have no bytes.
    pub fn take_empty(&self) -> Result<()> {
        for (number, file) in self.files.iter().enumerate().filter(|(_, file)| file.lack.size == 0) {
            fs_err::File::create(self.path(file))?;
            self.complete(number)?;
        }
        Ok(())
    }

    /// Takes a piece, which has this digest.
    pub fn take(&self, piece: Sha256Digest, plain: &[u8]) -> Result<()> {
        for (number, offset) in self.places.get(&piece).into_iter().flatten() {
            let file = &self.files[*number];
            let mut options = fs_err::OpenOptions::new();
            let open = options.create(true).truncate(false).write(true).open(self.path(file))?;
            open.file().write_all_at(plain, *offset)?;
            // Whoever writes the last piece sees what the others wrote.
            if file.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.complete(*number)?;
            }
        }
        Ok(())
    }

    /// Gives what is left to the store. Fails if a file is not complete.
    pub fn finish(self) -> Result<()> {
        self.give()?;
        match self.files.iter().find(|file| file.missing.load(Ordering::Acquire) > 0) {
            Some(file) => Err(Error::failure("a file was not received").about(named(&file.lack.entry.path))),
            None => Ok(()),
        }
    }

    fn path(&self, file: &File) -> PathBuf {
        self.staging.path().join("tree").join(&file.name)
    }

    /// Compares a file with its digest, and seals it.
    fn complete(&self, number: usize) -> Result<()> {
        let file = &self.files[number];
        let open = fs_err::File::open(self.path(file))?;
        // The only piece of a file has the file's digest, and was compared with it.
        if !file.is_whole {
            let (found, size) = hash_reader(open.file())?;
            if (found, size) != (file.lack.digest, file.lack.size) {
                return Err(Error::new(Kind::Mismatch, "the remote's index puts a file together wrongly")
                    .about(named(&file.lack.entry.path))
                    .fact("expected", format!("{}  {} bytes", file.lack.digest, file.lack.size))
                    .fact("found", format!("{found}  {size} bytes")));
            }
        }
        seal_file(open.file(), stored_mode(file.lack.executable))?;
        let is_enough = {
            let mut complete = lock(&self.complete);
            complete.0.push(number);
            complete.1 += file.lack.size;
            complete.1 >= BATCH
        };
        if is_enough { self.give() } else { Ok(()) }
    }

    /// Gives complete files to the store.
    fn give(&self) -> Result<()> {
        let _giving = lock(&self.giving);
        let (files, _) = std::mem::take(&mut *lock(&self.complete));
        let entry = |number: &usize| {
            let File { lack, name, .. } = &self.files[*number];
            let node = Node::File { executable: lack.executable, size: lack.size, digest: lack.digest };
            Entry { path: name.clone().into_bytes(), node }
        };
        if files.is_empty() {
            return Ok(());
        }
        self.store.share_all(&self.staging, &Listing::new(files.iter().map(entry).collect()))?;
        // The store has them under another name now.
        files.iter().try_for_each(|number| Ok(fs_err::remove_file(self.path(&self.files[*number]))?))
    }
}
