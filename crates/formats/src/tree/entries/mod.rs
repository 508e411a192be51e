//! Reads the entries of a tar archive, and refuses what programs read differently.
//!
//! Programs agree about ordinary archives and about little else: which of two names counts, whether a link has a
//! body, how long a damaged number is. An archive from which GNU tar, bsdtar and Python's tarfile make different
//! trees, or all three make another than a careless reader, is refused with the entry's name. Reading is one pass
//! over the stream, and each rule stands once. Formats: POSIX.1 (`ustar` and pax), Unix Version 7, and GNU tar's
//! extensions.
//!
//! * [`header`]: the 512 bytes of a header, their numbers and names
//! * [`pax`]: the records of extended headers
//! * [`sparse`]: the maps of old GNU sparse files
//! * [`member`]: an entry, put together from its headers
//!
//! Memory is bounded: all headers of one entry together have at most 1 MiB, and contents are never held.

mod header;
mod member;
mod pax;
mod sparse;
#[cfg(test)]
mod tests;

use std::io::{self, Read};

use crate::error::{Error, Kind, Result};
use crate::tree::compression;
use crate::tree::listing::named;
pub(super) use header::{BLOCK, Header};
use member::ExtendedHeaders;
pub(super) use member::{Member, MemberKind};
use sparse::{Sparse, Step};

/// Most bytes that the headers of one entry may have together. Names of PATH_MAX bytes in every form are far below
/// it.
const MOST_HEADER: u64 = 1 << 20;
/// Most zeros that may follow the last entry. Tapes were written in records of some kilobytes, of which the last
/// was padded.
const MOST_ZEROS: u64 = 64 << 20;
/// Most bytes of holes that sparse files may have together, since holes cost nothing to send and are written out.
const MOST_HOLES: u64 = 1 << 30;

/// The entries of a decompressed archive.
pub(super) struct Entries<R> {
    stream: R,
    /// The rest of the contents of the last entry.
    body: Body,
    /// Number of padding bytes after the contents.
    padding: u64,
    holes: u64,
    /// Number of blocks read so far.
    blocks: u64,
}

enum Body {
    Plain(u64),
    Sparse(Sparse),
}

impl<R: Read> Entries<R> {
    pub fn new(stream: R) -> Self {
        Self { stream, body: Body::Plain(0), padding: 0, holes: 0, blocks: 0 }
    }

    /// Returns the next entry, or `None` at the end of the archive. Skips the contents of the last one that were
    /// not read.
    pub fn next(&mut self) -> Result<Option<Member>> {
        self.skip()?;
        let mut said = ExtendedHeaders::default();
        let mut length = 0;
        loop {
            let Some(header) = self.header()? else {
                return said.demand_nothing_left().map(|()| None);
            };
            let size =
                if header.is_extension() { header.size().map_err(|why| refused(&header.shown(), why))? } else { 0 };
            length = size.saturating_add(length).saturating_add(BLOCK as u64);
            if length > MOST_HEADER {
                return Err(refused(&header.shown(), "the headers of an entry are longer than 1 MiB"));
            }
            if header.is_extension() {
                let body = self.read_whole(size)?;
                said.take(&header, &body).map_err(|why| refused(&header.shown(), why))?;
                continue;
            }
            let sparse = header.is_sparse().then(|| self.sparse(&header, length)).transpose()?;
            let (member, size) = said.member(&header)?;
            self.padding = filling(size);
            self.body = match sparse {
                None => Body::Plain(size),
                Some(sparse) => {
                    sparse.demand_whole(size).map_err(|why| refused(&member.name, why))?;
                    self.holes = self.holes.saturating_add(sparse.holes());
                    if self.holes > MOST_HOLES {
                        return Err(refused(&member.name, "the holes of all sparse files together exceed 1 GiB"));
                    }
                    Body::Sparse(sparse)
                }
            };
            return Ok(Some(member));
        }
    }

    /// Fails if anything but a limited number of zeros follows the last entry. Reads the stream to its end, so that
    /// every checksum of its compression is verified.
    pub fn finish(mut self) -> Result<()> {
        let mut buffer = [0; 8192];
        let mut zeros: u64 = 0;
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) if buffer[..count].iter().all(|byte| *byte == 0) => zeros += count as u64,
                Ok(_) => {
                    return Err(Error::new(
                        Kind::Invalid,
                        "the archive is refused: there are bytes after its last entry",
                    ));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(error)),
            }
            if zeros > MOST_ZEROS {
                return Err(Error::new(
                    Kind::Invalid,
                    "the archive is refused: there are more than 64 MiB of zeros after its last entry",
                ));
            }
        }
    }

    /// Returns whether the stream was empty, without even an end of archive.
    pub fn is_empty(&self) -> bool {
        self.blocks == 0
    }

    fn header(&mut self) -> Result<Option<Header>> {
        let mut block = [0; BLOCK];
        if !self.block(&mut block)? || block == [0; BLOCK] {
            return Ok(None);
        }
        Header::new(&block)
            .map(Some)
            .map_err(|why| Error::new(Kind::Mismatch, format!("the archive is damaged: {why}")))
    }

    /// Reads one block. Returns false at the end of the stream.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool> {
        let mut have = 0;
        while have < BLOCK {
            match self.stream.read(&mut block[have..]) {
                Ok(0) if have == 0 => return Ok(false),
                Ok(0) => return Err(cut()),
                Ok(count) => have += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(error)),
            }
        }
        self.blocks += 1;
        Ok(true)
    }

    /// Reads the contents of an extended header.
    fn read_whole(&mut self, size: u64) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        (&mut self.stream).take(size).read_to_end(&mut body).map_err(broken)?;
        if (body.len() as u64) < size {
            return Err(cut());
        }
        self.padding = filling(size);
        self.skip()?;
        Ok(body)
    }

    /// Reads the map of a sparse file: four pieces are in its header, more in the blocks after it.
    fn sparse(&mut self, header: &Header, mut length: u64) -> Result<Sparse> {
        let wrong = |why| refused(&header.shown(), why);
        let mut sparse = Sparse::begin(header).map_err(wrong)?;
        while sparse.goes_on() {
            length += BLOCK as u64;
            if length > MOST_HEADER {
                return Err(wrong("the headers of an entry are longer than 1 MiB"));
            }
            let mut block = [0; BLOCK];
            if !self.block(&mut block)? {
                return Err(cut());
            }
            sparse.extend(&block).map_err(wrong)?;
        }
        Ok(sparse)
    }

    fn skip(&mut self) -> Result<()> {
        let left = match &mut self.body {
            Body::Plain(left) => std::mem::take(left),
            Body::Sparse(sparse) => sparse.archived_left(),
        } + std::mem::take(&mut self.padding);
        self.body = Body::Plain(0);
        let skipped = io::copy(&mut (&mut self.stream).take(left), &mut io::sink()).map_err(broken)?;
        if skipped < left { Err(cut()) } else { Ok(()) }
    }

    fn plain(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer) {
            Ok(0) if !buffer.is_empty() => Err(cut().into()),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(broken(error).into()),
            other => other,
        }
    }
}

/// Reads the contents of the entry that [`Entries::next`] returned last.
impl<R: Read> Read for Entries<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let within = |left: u64| usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match &mut self.body {
            Body::Plain(left) => {
                let most = within(*left);
                let count = self.plain(&mut buffer[..most])?;
                if let Body::Plain(left) = &mut self.body {
                    *left -= count as u64;
                }
                Ok(count)
            }
            Body::Sparse(sparse) => match sparse.step() {
                Step::End => Ok(0),
                Step::Hole(left) => {
                    let count = within(left);
                    buffer[..count].fill(0);
                    sparse.advance(count as u64);
                    Ok(count)
                }
                Step::Data(left) => {
                    let most = within(left);
                    let count = self.plain(&mut buffer[..most])?;
                    if let Body::Sparse(sparse) = &mut self.body {
                        sparse.advance(count as u64);
                    }
                    Ok(count)
                }
            },
        }
    }
}

/// Returns the number of padding bytes after contents of this size.
fn filling(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

pub(super) fn refused(name: &[u8], why: &str) -> Error {
    Error::new(Kind::Invalid, format!("the archive is refused at `{}`: {why}", named(name)))
}

fn cut() -> Error {
    Error::new(Kind::Mismatch, "the archive is damaged: it is cut off")
}

fn broken(error: io::Error) -> Error {
    compression::broken("the archive", error)
}
