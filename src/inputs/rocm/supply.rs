//! Takes in a ROCm tarball: downloads and unpacks it in one pass.

use tracing::info;
use url::Url;

use super::RocmPin;
use super::provenance::Provenance;
use crate::digest::Promise;
use crate::digest::Sha256Digest;
use crate::error::{About, Error, Kind, Result};
use crate::fetch::{Received, Voucher, Wanted, is_refusal};
use crate::inputs::{Block, Kept, KeptFile, Presence, Supply};
use crate::intake::{Intake, UnpackSink, earlier_download, file, lock_download, record_origin};
use crate::log::CACHE;
use crate::progress::{Doing, Task, Unit};
use crate::store::gc::Roots;
use crate::store::{Partial, Staging, Store, StoredTree};
use crate::tree::unpack::Unpacked;
use crate::tree::{Limits, Listing, Notes};
use crate::upstream::rocm::{RocmRequest, homes, if_gone};

impl Supply for Block<RocmRequest> {
    fn fetch(&self, intake: Intake, name: &str) -> Result<()> {
        let tarball = tarball(intake, name, Expect::Pin(self))?;
        Provenance::read(&tarball.tree.path)?.check(&self.locked.version, &self.requested.target).about(name)
    }

    fn presence(&self, store: &Store) -> Presence {
        Presence::of_tree(store, self.locked.tree.digest, Some(self.locked.size))
    }

    fn keep(&self, roots: &mut Roots) {
        roots.downloads.insert(self.locked.sha256);
    }

    fn kept(&self) -> Vec<Kept> {
        let pin = &self.locked;
        let midnight = |day: jiff::civil::Date| jiff::tz::TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok();
        let made = pin.version.date().and_then(midnight).map(jiff::Timestamp::as_second);
        vec![Kept::File(KeptFile {
            mtime: pin.mtime.or(made),
            tree: Some(pin.tree.digest),
            ..KeptFile::new(&pin.file, promise(pin), pin.urls.clone(), Voucher::Lock)
        })]
    }

    fn fetch_kept(&self, intake: Intake, name: &str) -> Result<()> {
        let pin = &self.locked;
        let from = |urls: &[Url]| file(intake, name, urls, Some(promise(pin))).map(drop);
        from(&pin.urls).or_else(|error| match self.homes() {
            homes if may_be_elsewhere(&error) && !homes.is_empty() => {
                from(&homes).map_err(|other| beside(error, &other).hint(if_gone(name, &pin.version)))
            }
            _ => Err(error),
        })
    }

    fn restore(&self, intake: Intake, name: &str) -> Result<()> {
        tarball_contents(intake, name, self)
    }
}

impl Block<RocmRequest> {
    /// Returns the other addresses at which the pinned tarball may be.
    fn homes(&self) -> Vec<Url> {
        homes(&self.locked.urls, &self.locked.file, &self.requested)
    }
}

/// Returns whether another address may have what this error is about: indexes moved, and their files did not always move
/// along. An unreachable host is treated like one without the file.
fn may_be_elsewhere(error: &Error) -> bool {
    is_refusal(error) || error.kind() == Kind::Unreachable
}

/// A tarball that was taken in.
pub struct Tarball {
    /// The tarball's size in bytes.
    pub size: u64,
    /// The tarball's digest.
    pub digest: Sha256Digest,
    /// The tree in it.
    pub tree: StoredTree,
    /// The listing of the tree.
    pub listing: Listing,
    /// Symlinks in it with absolute targets.
    pub absolute_links: Notes,
    /// Absolute names in it, which were made relative to the root.
    pub absolute_names: Notes,
}

/// The tarball to take in.
#[derive(Clone, Copy)]
pub enum Expect<'a> {
    /// The pinned tarball: both its bytes and its tree must match the pin.
    Pin(&'a Block<RocmRequest>),
    /// A tarball without a pin.
    New {
        /// URLs of the tarball.
        urls: &'a [Url],
        /// See [`Limits::colliding_names`].
        colliding_names: bool,
        /// True if an earlier download in the store must not be used.
        anew: bool,
    },
}

/// Takes in a tarball.
pub fn tarball(intake: Intake, name: &str, expect: Expect) -> Result<Tarball> {
    let partial = match expect {
        Expect::Pin(Block { locked: pin, .. }) => lock_download(intake, &pin.urls, Some(promise(pin)))?,
        Expect::New { urls, .. } => lock_download(intake, urls, None)?,
    };
    // Another process may have finished this download while we waited for the lock.
    if let Expect::Pin(Block { locked: pin, .. }) = expect
        && let Some(tree) = intake.store.tree(pin.tree.digest)
    {
        info!(target: CACHE, "{name}: have: the tree {} is in the store", tree.digest);
        let listing = tree.listing()?;
        let (absolute_links, absolute_names) = Default::default();
        return Ok(Tarball { size: pin.size, digest: pin.sha256, tree, listing, absolute_links, absolute_names });
    }
    let Arrived { staging, unpacked, received, unpacking: _unpacking } =
        fetch_and_unpack(intake, name, expect, &partial)?;
    // The download is published first: after an interruption the tree can be unpacked from it.
    intake.store.publish_download(&partial, received.digest)?;
    record_origin(intake, &received)?;
    let tree = intake.store.publish_tree(&staging, &unpacked.listing)?;
    Ok(Tarball {
        size: received.size,
        digest: received.digest,
        tree,
        absolute_links: unpacked.absolute_links(),
        listing: unpacked.listing,
        absolute_names: unpacked.remarks.absolute,
    })
}

/// Downloads the contents of a pinned tree's files into the blob store again, to repair a damaged tree.
fn tarball_contents(intake: Intake, name: &str, block: &Block<RocmRequest>) -> Result<()> {
    let partial = lock_download(intake, &block.locked.urls, Some(promise(&block.locked)))?;
    let Arrived { staging, unpacked, received, unpacking: _unpacking } =
        fetch_and_unpack(intake, name, Expect::Pin(block), &partial)?;
    intake.store.share_all(&staging, &unpacked.listing)?;
    intake.store.publish_download(&partial, received.digest).map(drop)
}

fn promise(pin: &RocmPin) -> Promise {
    Promise { size: pin.size, digest: pin.sha256 }
}

/// Adds the facts of the other addresses' error to that of the first ones.
fn beside(error: Error, others: &Error) -> Error {
    others.facts().fold(error, |error, (label, value)| match label {
        "url" => error.fact("also asked", format!("{value}: {}", others.message())),
        "also asked" => error.fact(label, value),
        _ => error,
    })
}

struct Arrived {
    staging: Staging,
    unpacked: Unpacked,
    received: Received,
    /// The task that goes on until the tree is in the store.
    unpacking: Box<dyn Task>,
}

fn fetch_and_unpack(intake: Intake, name: &str, expect: Expect, partial: &Partial) -> Result<Arrived> {
    let (urls, pin, limits) = match expect {
        // A pin has the exact size of the tree; anything larger is wrong.
        Expect::Pin(Block { locked: pin, .. }) => {
            let limits = Limits { entries: pin.tree.entries, bytes: pin.tree.size, colliding_names: true };
            (pin.urls.as_slice(), Some(pin), limits)
        }
        Expect::New { urls, colliding_names, .. } => (urls, None, Limits { colliding_names, ..Limits::default() }),
    };
    let promise = pin.map(promise);
    let known = match expect {
        Expect::Pin(_) => promise,
        Expect::New { anew: true, .. } => None,
        Expect::New { urls, .. } => earlier_download(intake, urls),
    };
    if let Some(pin) = pin {
        let begun = fs_err::metadata(&partial.data).map_or(0, |data| data.len());
        intake.store.demand_space(pin.tree.size.saturating_add(pin.size.saturating_sub(begun))).about(name)?;
    }
    let kept = known.and_then(|known| intake.store.download(known.digest));
    let decision = if kept.is_some() {
        "have: the tarball is in the store, and is unpacked"
    } else {
        "fetch: the tarball is not in the store"
    };
    info!(target: CACHE, "{name}: {decision}");
    let kept_url = kept.and_then(|path| Url::from_file_path(path).ok());
    let from = kept_url.as_ref().map_or(urls, std::slice::from_ref);

    let if_gone = match expect {
        Expect::Pin(block) => if_gone(name, &block.locked.version),
        Expect::New { .. } => {
            "no server has this file, even if an index lists it: try again later, or ask for another \
            version; `strixlock list rocm` prints what there is"
                .to_owned()
        }
    };
    let wanted = Wanted { name, urls, promise, voucher: Voucher::Lock, if_gone: Some(&if_gone) };
    let mut sink = UnpackSink::new(intake.store, limits, known.is_some())?;
    let received = match intake.fetcher.download(Wanted { urls: from, promise: known, ..wanted }, partial, &mut sink) {
        Err(error) if kept_url.is_some() && error.kind() == Kind::Mismatch => {
            // The stored copy is damaged; it can be downloaded again.
            if let Some(known) = known {
                let _ = fs_err::remove_file(intake.store.download_path(known.digest));
            }
            partial.discard();
            sink = UnpackSink::new(intake.store, limits, promise.is_some())?;
            intake.fetcher.download(wanted, partial, &mut sink)
        }
        Err(error) if pin.is_some() && may_be_elsewhere(&error) => {
            let homes = if let Expect::Pin(block) = expect { block.homes() } else { Vec::new() };
            if homes.is_empty() {
                return Err(error);
            }
            // The bytes received from the first host are fed to the unpacker again.
            sink = UnpackSink::new(intake.store, limits, true)?;
            let elsewhere = Wanted { urls: &homes, ..wanted };
            match intake.fetcher.download(elsewhere, partial, &mut sink) {
                // Offline, no host was asked.
                Err(_) if intake.fetcher.settings().offline => Err(error),
                // Another host does not help against a fault of this machine.
                Err(other) if other.kind() == Kind::Failure => Err(other),
                Err(other) => Err(beside(error, &other)),
                received => received,
            }
        }
        other => other,
    }
    .inspect_err(|_| {
        if sink.ended() {
            partial.discard();
        }
    })?;
    let unpacking = intake.fetcher.progress().begin(Doing::Unpack, name, None, Unit::Steps);
    // Bytes with the promised digest are kept for the next run; other bytes that are not an archive would fail again.
    let (staging, unpacked) = sink
        .finish()
        .inspect_err(|error| {
            if pin.is_none() && matches!(error.kind(), Kind::Invalid | Kind::Mismatch) {
                partial.discard();
            }
        })
        .about(name)?;
    if let Some(pin) = pin {
        pin.tree.demand(name, &unpacked.listing)?;
    }
    Ok(Arrived { staging, unpacked, received, unpacking })
}
