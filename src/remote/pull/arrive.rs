//! Files that are received, from the first piece to their place among the store's contents.
//!
//! Each file is written at its own path in the new tree, and hashed as its pieces come: those that come in order are
//! hashed as they pass, the others are read again at the end. That holds only if no byte is written twice: a piece has
//! the size that each of its places has room for.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Mutex;

use super::Lack;
use crate::digest::{Promise, Sha256, Sha256Digest, hash_reader};
use crate::error::{Error, Kind, Result};
use crate::remote::index::Piece;
use crate::remote::piece::damaged;
use crate::store::{Staging, Store};
use crate::threads::lock;
use crate::tree::confined::{Root, seal_file, stored_mode};
use crate::tree::flush::Flush;
use crate::tree::{Entry, Listing, named};

/// Number of bytes after which finished files are given to the store.
const BATCH: u64 = 512 << 20;
/// Number of bytes that are read at a time.
const BUFFER: usize = 256 << 10;

/// The files that are received.
pub struct Arrivals<'a> {
    store: &'a Store,
    staging: &'a Staging,
    root: Root,
    /// The remote's address and packs, for messages.
    remote: (String, &'a [Promise]),
    files: Vec<Arrival<'a>>,
    pieces: HashMap<Sha256Digest, (Piece, Vec<Place>)>,
    /// Files that are complete, and the sum of their sizes.
    complete: Mutex<(Vec<usize>, u64)>,
    /// Held while files are given to the store.
    giving: Mutex<()>,
    flush: Flush,
}

/// A place for the bytes of a piece.
struct Place {
    /// Number of the file.
    file: usize,
    /// Number of the piece in the file.
    number: usize,
    offset: u64,
}

/// One file.
struct Arrival<'a> {
    lack: &'a Lack<'a>,
    pieces: &'a [Piece],
    state: Mutex<State>,
}

/// The part of a file that has come.
struct State {
    is_created: bool,
    /// Number of pieces that are missing.
    missing: usize,
    /// Hash of the first pieces, their number and that of their bytes.
    hash: Sha256,
    hashed: (usize, u64),
}

/// The file that a thread wrote to last. It stays open, since the next piece is most often for it, too.
#[derive(Default)]
pub struct Hand(Option<(usize, File)>);

impl<'a> Arrivals<'a> {
    /// Begins to receive files at `tree/` of a staging directory. `of` has the pieces of their contents, `remote` the address
    /// and the packs for messages.
    pub fn new(
        store: &'a Store,
        staging: &'a Staging,
        remote: (String, &'a [Promise]),
        lacks: &'a [Lack<'a>],
        of: &'a HashMap<Sha256Digest, Vec<Piece>>,
        flush: Flush,
    ) -> Result<Self> {
        let root = Root::open(&staging.path().join("tree"))?;
        let (mut files, mut pieces) = (Vec::new(), HashMap::<_, (Piece, Vec<Place>)>::new());
        for (file, lack) in lacks.iter().enumerate() {
            let own = of.get(&lack.digest).map(Vec::as_slice).unwrap_or_default();
            let mut offset = 0;
            for (number, piece) in own.iter().enumerate() {
                let known = pieces.entry(piece.digest).or_insert_with(|| (*piece, Vec::new()));
                known.1.push(Place { file, number, offset });
                offset += piece.size;
            }
            let state = State { is_created: false, missing: own.len(), hash: Sha256::default(), hashed: (0, 0) };
            files.push(Arrival { lack, pieces: own, state: Mutex::new(state) });
        }
        let (complete, giving) = Default::default();
        Ok(Self { store, staging, root, remote, files, pieces, complete, giving, flush })
    }

    /// Returns the pieces that are needed.
    pub fn wanted(&self) -> impl Iterator<Item = Piece> + '_ {
        self.pieces.values().map(|(piece, _)| *piece)
    }

    /// Returns the number of the first file that a piece belongs to.
    pub fn file_of(&self, piece: &Piece) -> usize {
        self.pieces.get(&piece.digest).and_then(|(_, places)| places.first()).map_or(0, |place| place.file)
    }

    /// Makes the files that have no bytes.
    pub fn take_empty(&self) -> Result<()> {
        for (number, file) in self.files.iter().enumerate().filter(|(_, file)| file.lack.size == 0) {
            let new = self.root.create_file(&file.lack.entry.path)?;
            self.complete(number, new)?;
        }
        Ok(())
    }

    /// Takes the bytes of a piece.
    pub fn take(&self, piece: Sha256Digest, plain: &[u8], hand: &mut Hand) -> Result<()> {
        for Place { file: number, number: place, offset } in self.pieces.get(&piece).iter().flat_map(|(_, all)| all) {
            let file = &self.files[*number];
            if plain.len() as u64 != file.pieces[*place].size {
                return Err(Error::new(Kind::Mismatch, "the remote's index gives a piece another size than it has")
                    .about(named(&file.lack.entry.path))
                    .fact("remote", &self.remote.0)
                    .fact("piece", piece));
            }
            self.open(*number, hand)?.write_all_at(plain, *offset)?;
            let is_complete = {
                let mut state = lock(&file.state);
                if state.hashed.0 == *place {
                    state.hash.update(plain);
                    state.hashed = (place + 1, offset + plain.len() as u64);
                }
                state.missing -= 1;
                state.missing == 0
            };
            if is_complete && let Some((_, open)) = hand.0.take() {
                self.compare(file).map_err(|error| error.about(named(&file.lack.entry.path)))?;
                self.complete(*number, open)?;
            }
        }
        Ok(())
    }

    /// Returns a file, open for writing.
    fn open<'h>(&self, number: usize, hand: &'h mut Hand) -> Result<&'h File> {
        if hand.0.as_ref().is_none_or(|(open, _)| *open != number) {
            let Arrival { lack, state, .. } = &self.files[number];
            let mut state = lock(state);
            let path = &lack.entry.path;
            let open = if state.is_created { self.root.reopen(path)? } else { self.root.create_file(path)? };
            state.is_created = true;
            hand.0 = Some((number, open));
        }
        hand.0.as_ref().map(|(_, open)| open).ok_or_else(|| Error::failure("no file is open"))
    }

    /// Compares a file that has all pieces with its digest.
    fn compare(&self, file: &Arrival) -> Result<()> {
        let (mut hash, (_, mut size)) = {
            let state = lock(&file.state);
            (state.hash.clone(), state.hashed)
        };
        if size < file.lack.size {
            let open = self.root.open_file(&file.lack.entry.path)?;
            let mut rest = BufReader::with_capacity(BUFFER, From { file: &open, at: size });
            loop {
                let bytes = rest.fill_buf()?;
                let count = bytes.len();
                if count == 0 {
                    break;
                }
                hash.update(bytes);
                size += count as u64;
                rest.consume(count);
            }
        }
        let found = hash.finish();
        if (found, size) == (file.lack.digest, file.lack.size) {
            return Ok(());
        }
        let open = self.root.open_file(&file.lack.entry.path)?;
        let mut offset = 0;
        for piece in file.pieces {
            if hash_reader(From { file: &open, at: offset }.take(piece.size))?.0 != piece.digest {
                return Err(self.at(damaged().fact("expected", piece.digest), piece));
            }
            offset += piece.size;
        }
        Err(Error::new(Kind::Mismatch, "the remote's index puts a file together wrongly")
            .fact("remote", &self.remote.0)
            .fact("expected", format!("{}  {} bytes", file.lack.digest, file.lack.size))
            .fact("found", format!("{found}  {size} bytes")))
    }

    /// Adds the place of a piece to an error.
    pub fn at(&self, error: Error, piece: &Piece) -> Error {
        let place = piece.place;
        let pack = self.remote.1[place.pack].digest;
        error
            .fact("remote", &self.remote.0)
            .fact("pack", format!("{pack} bytes {}+{}", place.offset, place.length))
            .hint("`strixlock remote verify` lists all damage of a remote")
    }

    /// Returns the path of a file that a piece belongs to, for messages.
    pub fn name_of(&self, piece: &Piece) -> String {
        named(&self.files[self.file_of(piece)].lack.entry.path)
    }

    /// Seals a file that was compared with its digest.
    fn complete(&self, number: usize, open: File) -> Result<()> {
        let lack = self.files[number].lack;
        seal_file(&open, stored_mode(lack.executable))?;
        self.flush.soon(open, lack.size);
        let is_enough = {
            let mut complete = lock(&self.complete);
            complete.0.push(number);
            complete.1 += lack.size;
            complete.1 >= BATCH
        };
        if is_enough && let Ok(_giving) = self.giving.try_lock() {
            return self.give();
        }
        // While another thread gives files, this one goes on receiving.
        Ok(())
    }

    /// Gives what is left to the store. Fails if a file is not complete.
    pub fn finish(self) -> Result<()> {
        self.give()?;
        match self.files.iter().find(|file| lock(&file.state).missing > 0) {
            Some(file) => Err(Error::failure("a file was not received").about(named(&file.lack.entry.path))),
            None => Ok(()),
        }
    }

    /// Gives complete files to the store. They stay in the new tree.
    pub fn give(&self) -> Result<()> {
        let (files, _) = std::mem::take(&mut *lock(&self.complete));
        if files.is_empty() {
            return Ok(());
        }
        let entries: Vec<Entry> = files.iter().map(|number| self.files[*number].lack.entry.clone()).collect();
        self.store.share_all(self.staging, &Listing::new(entries))
    }
}

/// A reader of a file from a place on.
struct From<'f> {
    file: &'f File,
    at: u64,
}

impl Read for From<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
