//! What a `rocm` request means now.

use super::{Options, Resolution, Taken};
use crate::error::{Error, Kind, Result};
use crate::fetch::show_url;
use crate::intake::{Expect, Intake, pin_tree, tarball};
use crate::lock::{Block, LockedInput, RocmPin};
use crate::recipe::rocm::Provenance;
use crate::text;
use crate::upstream::rocm::{Candidate, RocmRequest, look_up};

pub(super) fn resolve(
    name: &str,
    request: &RocmRequest,
    locked: Option<&Block<RocmRequest, RocmPin>>,
    intake: Intake,
    options: &Options,
) -> Result<(Resolution, Vec<String>)> {
    let (candidate, warnings) = if let Some(url) = options.url.as_ref().filter(|_| options.only.contains(name)) {
        (Candidate::at(url, request)?, Vec::new())
    } else {
        let found = look_up(request, intake.fetcher, options.now)?;
        (found.newest, found.warnings)
    };
    if let Some(block) = locked
        && block.locked.file == candidate.name
        && block.locked.urls.contains(&candidate.url)
    {
        let replaced = replaced(&block.locked, &candidate, intake);
        // A download showed other bytes than the locked ones, whatever index and size say.
        let anew = options.accept_replaced && options.only.contains(name);
        if replaced.is_none() && !anew && block.requested == *request {
            return Ok((Resolution::Same(Box::new(LockedInput::Rocm(block.clone()))), warnings));
        }
        if replaced.is_none() && !anew {
            return Ok((
                Resolution::Same(Box::new(LockedInput::rocm(request.clone(), block.locked.clone())?)),
                warnings,
            ));
        }
        if let Some(error) = replaced.filter(|_| !options.accept_replaced) {
            return Err(error.hint(format!(
                "upstream replaced this file. Keep the lock to stay with the old one, or run `strixlock update {name} --accept-replaced` to take the new one."
            )));
        }
    }
    let (name, request) = (name.to_owned(), request.clone());
    let old = locked.map(|block| block.locked.clone());
    let to = candidate.version.to_string();
    let anew = options.accept_replaced;
    let take_in = move |intake: Intake| take_in(intake, &name, request, &candidate, (old.as_ref(), anew));
    Ok((Resolution::New { to, details: Vec::new(), take_in: Box::new(take_in) }, warnings))
}

/// Whether upstream has something else under the locked name. The index gives a time, the server a size; neither is
/// proof that the bytes are the same, but a difference is proof that they are not.
fn replaced(pin: &RocmPin, candidate: &Candidate, intake: Intake) -> Option<Error> {
    let error = |locked: String, found: String| {
        Some(
            Error::new(Kind::Mismatch, "upstream has another file under the locked name")
                .fact("url", show_url(&candidate.url))
                .fact("locked", locked)
                .fact("found", found),
        )
    };
    if let (Some(old), Some(new)) = (pin.mtime, candidate.mtime)
        && old != new
    {
        return error(format!("made {}", text::date(old)), format!("made {}", text::date(new)));
    }
    // A server that does not answer HEAD proves nothing either way.
    let size = intake.fetcher.head(&candidate.url).ok().and_then(|head| head.size);
    size.filter(|size| *size != pin.size).and_then(|size| error(format!("{} bytes", pin.size), format!("{size} bytes")))
}

fn take_in(
    intake: Intake,
    name: &str,
    request: RocmRequest,
    candidate: &Candidate,
    (old, anew): (Option<&RocmPin>, bool),
) -> Result<Taken> {
    let urls = vec![candidate.url.clone()];
    let expect = Expect::New { urls: &urls, colliding_names: request.colliding_names, anew };
    let tarball = tarball(intake, name, expect)?;
    let provenance = Provenance::read(&tarball.tree.path)?;
    provenance.check(&candidate.version, &request.target)?;
    let tree = pin_tree(&tarball.tree, &tarball.listing)?;
    let mut warnings = Vec::new();
    if let Some(first) = tarball.absolute_links.first() {
        let count = tarball.absolute_links.count();
        warnings.push(format!("{count} absolute link(s) in the tree, kept as they are, such as {first}"));
    }
    if let Some(first) = tarball.absolute_names.first() {
        let count = tarball.absolute_names.count();
        warnings
            .push(format!("{count} absolute name(s) in the tarball, taken as names below its root, such as {first}"));
    }
    let change = |old: Option<u64>, new: u64| match old {
        Some(old) => format!("{} -> {}", text::bytes(old), text::bytes(new)),
        None => text::bytes(new),
    };
    let mut details = vec![
        format!("tarball  {}", change(old.map(|old| old.size), tarball.size)),
        format!("tree     {} in {} entries", change(old.map(|old| old.tree.size), tree.size), tree.entries),
    ];
    if let Some(mtime) = candidate.mtime {
        details.push(format!("made     {}", text::date(mtime)));
    }
    let pin = RocmPin {
        urls,
        file: candidate.name.clone(),
        version: candidate.version.clone(),
        mtime: candidate.mtime,
        size: tarball.size,
        sha256: tarball.digest,
        tree,
        therock: provenance.therock,
    };
    Ok(Taken { block: LockedInput::rocm(request, pin)?, details, warnings })
}
