//! New packs: which pieces are in which, their bytes, and their way to the remote.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::cutting::roots;
use super::{Push, Sent, Tree};
use crate::digest::{HashingWriter, Promise};
use crate::error::{Error, Result};
use crate::progress::{Doing, Unit};
use crate::remote::artifact::MOST_PACKS;
use crate::remote::piece::{Cut, Packer};
use crate::threads::on_threads;
use crate::tree::confined::Root;

/// Plain bytes of a pack, about three times what it has compressed: few packs, and little to send again after a push
/// that was killed.
const PLAIN: u64 = 192 << 20;
/// Number of packs that are made and sent at a time.
const WORKERS: usize = 4;

/// A piece to be sent, and where its bytes are.
pub(super) struct NewPiece {
    pub cut: Cut,
    /// Number of the tree.
    tree: usize,
    /// Number of the content in that tree.
    content: usize,
    offset: u64,
}

/// A pack that was sent, and the compressed lengths of its pieces.
type SentPack<'p> = (Promise, Vec<u64>, &'p [NewPiece]);

impl Push<'_> {
    /// Returns the new pieces of these trees, by pack. Counts those that the remote has.
    pub(super) fn plan(&self, trees: &[&Tree], sent: &mut Sent) -> Vec<Vec<NewPiece>> {
        let (mut new, mut seen) = (Vec::new(), HashSet::new());
        for (number, tree) in trees.iter().enumerate() {
            for (place, content) in tree.contents.iter().enumerate() {
                if self.known.has(content.digest) {
                    sent.reused += content.size;
                    continue;
                }
                let mut offset = 0;
                for cut in self.cuts.pieces.get(&content.digest).into_iter().flatten() {
                    if self.known.has_piece(cut.digest) {
                        sent.reused += cut.size;
                    } else if seen.insert(cut.digest) {
                        new.push(NewPiece { cut: *cut, tree: number, content: place, offset });
                    }
                    offset += cut.size;
                }
            }
        }
        let total: u64 = new.iter().map(|piece| piece.cut.size).sum();
        // A tree of any size has a fraction of the packs that it may have, so that later pushes can add some.
        let most = PLAIN.max(total / (MOST_PACKS as u64 / 4));
        let (mut packs, mut size): (Vec<Vec<NewPiece>>, u64) = (Vec::new(), 0);
        for piece in new {
            size += piece.cut.size;
            match packs.last_mut() {
                Some(pack) if size <= most => pack.push(piece),
                _ => {
                    size = piece.cut.size;
                    packs.push(vec![piece]);
                }
            }
        }
        packs
    }

    /// Makes packs and sends them. Returns them in order.
    pub(super) fn send_packs<'p>(&self, trees: &[&Tree], plan: &'p [Vec<NewPiece>]) -> Result<Vec<SentPack<'p>>> {
        let plain = |pack: &[NewPiece]| pack.iter().map(|piece| piece.cut.size).sum::<u64>();
        let total = plan.iter().map(|pack| plain(pack)).sum();
        let names: Vec<&str> = trees.iter().map(|tree| tree.outgoing.about.name.as_str()).collect();
        let task = self.progress.begin(Doing::Send, &names.join(", "), Some(total), Unit::Bytes);
        let roots = roots(trees)?;
        let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
        let sent = on_threads(WORKERS.min(plan.len()), "a thread that sends packs", |_| {
            let mut all = Vec::new();
            let mut packer = Packer::new()?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(pieces) = plan.get(number) else { return Ok(all) };
                let file = tempfile::tempfile_in(self.staging.path())?;
                let (pack, lengths) = write(&file, pieces, trees, &roots, &mut packer)?;
                let (size, told) = (plain(pieces), AtomicU64::new(0));
                // Progress is told in plain bytes, of which the sum is known beforehand.
                self.remote.put_blob(pack, &file, &|sent| {
                    let now = (size as f64 * (sent as f64 / pack.size.max(1) as f64)) as u64;
                    let before = told.fetch_max(now, Ordering::Relaxed);
                    let more = now.saturating_sub(before);
                    task.set_position(done.fetch_add(more, Ordering::Relaxed) + more);
                })?;
                all.push((number, (pack, lengths, pieces.as_slice())));
            }
        })?;
        task.done(None);
        let mut sent: Vec<_> = sent.into_iter().flatten().collect();
        sent.sort_by_key(|(number, _)| *number);
        Ok(sent.into_iter().map(|(_, pack)| pack).collect())
    }
}

/// Writes a pack. Returns its digest and size, and the compressed lengths of its pieces.
fn write(
    file: &File,
    pieces: &[NewPiece],
    trees: &[&Tree],
    roots: &[Root],
    packer: &mut Packer,
) -> Result<(Promise, Vec<u64>)> {
    let mut writer = HashingWriter::new(BufWriter::with_capacity(1 << 20, file));
    let mut lengths = Vec::with_capacity(pieces.len());
    let mut open: Option<((usize, usize), File)> = None;
    for piece in pieces {
        let at = (piece.tree, piece.content);
        if open.as_ref().is_none_or(|(known, _)| *known != at) {
            open = Some((at, roots[piece.tree].open_file(trees[piece.tree].contents[piece.content].path)?));
        }
        let Some((_, from)) = &open else { continue };
        let mut plain = vec![0; piece.cut.size as usize];
        from.read_exact_at(&mut plain, piece.offset)?;
        let packed = packer.pack(&plain)?;
        writer.write_all(&packed)?;
        lengths.push(packed.len() as u64);
    }
    let (digest, size, buffer) = writer.finish();
    buffer.into_inner().map_err(|error| Error::from(error.into_error()))?;
    Ok((Promise { size, digest }, lengths))
}
