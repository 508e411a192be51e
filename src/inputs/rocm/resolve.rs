//! Resolves a `rocm` request to its pin.

use url::Url;

use super::RocmPin;
use super::choice::{Rules, Way, way, withdrawn};
use super::pin::is_newer;
use super::provenance::Provenance;
use super::supply::{Expect, Tarball, tarball};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::fetch::Documents as _;
use crate::inputs::{Answer, Block, LockedInput, Preview, Question, Resolution, Resolve, Taken, TreePin};
use crate::intake::Intake;
use crate::text;
use crate::upstream::rocm::{
    Candidate, LookUp, Retention, RocmRequest, RocmVersion, VersionRequest, look_up, made, retention,
};
use crate::urls::show_url;

impl Resolve for RocmRequest {
    fn resolve(&self, locked: Option<&Block<Self>>, question: Question) -> Result<Answer> {
        let Question { name, intake, .. } = question;
        let rules = Rules::new(self, &question);
        let (candidate, distance, warnings) = if let Some(url) = question.url {
            let candidate = Candidate::by_url(url, self)?;
            rules.demand_allowed(&candidate.version)?;
            (candidate, None, Vec::new())
        } else {
            let mut found = ask(self, &question)?;
            if question.to.is_some() {
                rules.demand_allowed(&found.newest.version)?;
            } else {
                let listed = found.candidates.clone();
                rules.pass_over(&mut found)?;
                if let Some(block) = locked {
                    if way(&rules, block, &listed, &found.newest, &question)? == Way::Stay {
                        let same = Block::new(self.clone(), block.locked.clone())?;
                        return Ok((Resolution::same(same), found.warnings));
                    }
                    found.warnings.extend(withdrawn(&block.locked, &listed, self));
                }
            }
            let made = found.newest.date.filter(|_| !question.without_leaving);
            let left = made.and_then(|day| retention(&found.newest.url, day, self.kept_days, question.now));
            let leaves = left.filter(Retention::is_soon).map(|left| {
                format!("{}; the store and mirrors keep it", left.text(&found.newest.version.to_string(), None))
            });
            let distance = locked.and_then(|block| distance(block, &found.candidates));
            (found.newest, distance, found.warnings.into_iter().chain(leaves).collect())
        };
        if let Some(block) = locked
            && block.locked.file == candidate.name
            && block.locked.urls.contains(&candidate.url)
        {
            let replaced = replaced(&block.locked, &candidate, intake);
            // The downloaded bytes differ from the locked ones, even if index and size agree.
            let anew = question.accept_replaced && question.named;
            if replaced.is_none() && !anew && block.requested == *self {
                return Ok((Resolution::same(block.clone()), warnings));
            }
            if replaced.is_none() && !anew {
                return Ok((Resolution::same(Block::new(self.clone(), block.locked.clone())?), warnings));
            }
            if let Some(error) = replaced.filter(|_| !question.accept_replaced) {
                return Err(error.hint(format!(
                    "upstream replaced this file. Keep the lock to stay with the old one, or run `strixlock update \
                     {name} --accept-replaced` to take the new one."
                )));
            }
        }
        let (name, request) = (name.to_owned(), self.clone());
        let old = locked.map(|block| block.locked.clone());
        let seen = locked.filter(|_| !question.allow_downgrade).and_then(|block| rules.seen(block, &candidate.version));
        let to = candidate.version.to_string();
        let made = made(&candidate.version, candidate.mtime);
        let preview = Preview { made, distance, bytes: candidate.size, short: None };
        let anew = question.accept_replaced;
        let take_in = move |intake: Intake| take_in(intake, &name, request, &candidate, seen, (old.as_ref(), anew));
        Ok((Resolution::New { to, details: Vec::new(), preview, take_in: Box::new(take_in) }, warnings))
    }
}

/// Asks the indexes for the builds that a request allows. With a version that a person named, asks for that one.
fn ask(request: &RocmRequest, question: &Question) -> Result<LookUp> {
    let Some(text) = question.to else { return look_up(request, question.intake.fetcher, question.now) };
    let version: RocmVersion = text.parse().map_err(|error: Error| {
        Error::new(Kind::Usage, format!("--to: {}", error.message())).hint("such as --to 10.1.0a20260901")
    })?;
    if !request.accepts(&version) {
        return Err(Error::new(Kind::Usage, "the manifest does not allow this version")
            .fact("manifest", &request.version)
            .fact("--to", &version)
            .hint("change `version` in the manifest, to \"latest\" or to this one"));
    }
    let exact = RocmRequest { version: VersionRequest::Exact(version), ..request.clone() };
    look_up(&exact, question.intake.fetcher, question.now)
}

/// Counts the builds that are newer than the locked one.
fn distance(locked: &Block<RocmRequest>, candidates: &[Candidate]) -> Option<String> {
    let newer = candidates.iter().filter(|one| is_newer(&one.version, &locked.locked.version, &locked.requested));
    let count = newer.count();
    (count > 0).then(|| text::counted(count, "build"))
}

/// Describes the difference if upstream has something else under the locked name. The index gives a time, the server a
/// size; neither is proof that the bytes are the same, but a difference is proof that they are not.
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
    // If the server does not answer HEAD, nothing is known.
    let size = intake.fetcher.head(&candidate.url).ok().and_then(|head| head.size);
    size.filter(|size| *size != pin.size).and_then(|size| error(format!("{} bytes", pin.size), format!("{size} bytes")))
}

/// Takes in the tarball at `url` and returns its block for `request`, which names its version. Asks no index.
pub fn at_url(intake: Intake, name: &str, request: RocmRequest, url: &Url) -> Result<LockedInput> {
    let candidate = Candidate::by_url(url, &request)?;
    Ok(take_in(intake, name, request, &candidate, None, (None, false))?.block)
}

fn take_in(
    intake: Intake,
    name: &str,
    request: RocmRequest,
    candidate: &Candidate,
    newest_seen: Option<RocmVersion>,
    (old, anew): (Option<&RocmPin>, bool),
) -> Result<Taken> {
    let urls = vec![candidate.url.clone()];
    let expect = Expect::New { urls: &urls, colliding_names: request.colliding_names, anew };
    let tarball = tarball(intake, name, expect)?;
    let mut warnings = Vec::new();
    if let Some(sidecar) = &candidate.sidecar {
        warnings.extend(compare(intake, sidecar, &tarball)?);
    }
    let provenance = Provenance::read(&tarball.tree.path)?;
    provenance.check(&candidate.version, &request.target)?;
    let tree = TreePin::of(&tarball.tree, &tarball.listing)?;
    if let Some(first) = tarball.absolute_links.first() {
        let count = tarball.absolute_links.count();
        warnings.push(format!("{count} absolute link(s) in the tree were kept, such as {first}"));
    }
    if let Some(first) = tarball.absolute_names.first() {
        let count = tarball.absolute_names.count();
        warnings.push(format!("{count} absolute name(s) in the tarball were made relative, such as {first}"));
    }
    let change = |old: Option<u64>, new: u64| {
        let (old, new) = (old.map(text::bytes), text::bytes(new));
        old.filter(|old| *old != new).map(|old| format!("{old} -> ")).unwrap_or_default() + &new
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
        newest_seen,
        mtime: candidate.mtime,
        size: tarball.size,
        sha256: tarball.digest,
        tree,
        therock: provenance.therock,
    };
    Ok(Taken { block: Block::new(request, pin)?.into(), details, warnings })
}

/// Compares a tarball with the digest file beside it. Returns a warning if that has no digest.
fn compare(intake: Intake, sidecar: &Url, tarball: &Tarball) -> Result<Option<String>> {
    const LONGEST: u64 = 64 << 10;
    let found = match intake.fetcher.get(sidecar, LONGEST) {
        Ok(found) => found,
        Err(error) => {
            return Ok(Some(format!(
                "{} could not be read, and is not compared: {}",
                show_url(sidecar),
                error.message()
            )));
        }
    };
    let text = String::from_utf8_lossy(&found.body);
    let Some(promised) = text.split_whitespace().find_map(Sha256Digest::from_hex) else {
        return Ok(Some(format!("{} contains no SHA-256 and is ignored", show_url(sidecar))));
    };
    if promised == tarball.digest {
        return Ok(None);
    }
    Err(Error::new(Kind::Mismatch, "the tarball does not match the digest file beside it")
        .fact("beside it", show_url(sidecar))
        .fact("promised", promised)
        .fact("received", tarball.digest)
        .hint("upstream may be in the middle of an update: try again later"))
}
