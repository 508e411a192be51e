//! Resolves a `release` request to its pin.
//!
//! The repository is asked which commit is meant, the forge's API which file lies on its tag. A forge may replace a file
//! under its name, and a tag may be moved: neither is taken over without being asked for.

use super::ReleasePin;
use super::pin::names;
use super::supply::archive;
use crate::digest::Promise;
use crate::error::{Error, Kind, Result};
use crate::inputs::git::at_repository;
use crate::inputs::{Answer, Block, LockedInput, Preview, Question, Resolution, Resolve, Taken, TreePin};
use crate::intake::Intake;
use crate::text;
use crate::upstream::git::{GitRef, GitRequest, Resolved};
use crate::upstream::release::{Found, ReleaseRef, ReleaseRequest, newest, number_of, of_tags};
use crate::urls::show_url;

impl Resolve for ReleaseRequest {
    fn resolve(&self, locked: Option<&Block<Self>>, question: Question) -> Result<Answer> {
        let name = question.name;
        let (found, resolved) = match look_up(self, question) {
            Ok(found) => found,
            Err(error) => return kept(self, locked, question, error),
        };
        let notes = found.notes.clone();
        if let Some(block) = locked
            && block.locked.file == found.file
            && block.locked.tag == found.tag
        {
            let replaced = replaced(&block.locked, &found, &resolved);
            if replaced.is_none() && !(question.accept_replaced && question.named) {
                // Tags are kept: a later one must not change a pin.
                let mut pin = block.locked.clone();
                pin.vouched |= found.sha256.is_some();
                return Ok((Resolution::same(Block::new(self.clone(), pin)?), notes));
            }
            if let Some(error) = replaced.filter(|_| !question.accept_replaced) {
                return Err(error.hint(format!(
                    "upstream replaced this release. Keep the lock to stay with the old one, or run `strixlock update \
                     {name} --accept-replaced` to take the new one."
                )));
            }
        }
        let to = format!("{} ({})", names(&found.tag, &resolved.tags, resolved.number), &resolved.commit[..12]);
        let between =
            |block: &Block<Self>| resolved.number?.checked_sub(block.locked.number?).filter(|count| *count > 0);
        let preview = Preview {
            short: Some(names(&found.tag, &resolved.tags, resolved.number)),
            made: found.published.and_then(text::day),
            distance: locked.and_then(between).map(|count| text::counted(count as usize, "build")),
            bytes: found.size,
        };
        let (name, request, anew) = (name.to_owned(), self.clone(), question.accept_replaced);
        let details = vec![format!("file     {}", found.file)];
        let take_in = move |intake: Intake| take_in(intake, &name, request, &found, resolved, anew);
        Ok((Resolution::New { to, details, preview, take_in: Box::new(take_in) }, notes))
    }
}

/// Asks for the file of the release, and for the commit of its tag.
fn look_up(request: &ReleaseRequest, question: Question) -> Result<(Found, Resolved)> {
    let Question { name, intake, .. } = question;
    let commit_of = |reference: GitRef| {
        let wanted = GitRequest { url: request.url.clone(), reference, patches: Vec::new() };
        at_repository(intake, name, &request.url, |repository| repository.resolve(&wanted))
    };
    match &request.wanted {
        ReleaseRef::Newest => {
            let found = newest(request, intake.fetcher)?;
            let resolved = commit_of(GitRef::Tag(found.tag.clone()))?;
            Ok((found, resolved))
        }
        ReleaseRef::Tag(tag) => of_commit(request, commit_of(GitRef::Tag(tag.clone()))?, Some(tag), intake),
        ReleaseRef::Range(range) => of_commit(request, commit_of(GitRef::Release(range.clone()))?, None, intake),
    }
}

/// Asks for the file of a release of one of the commit's tags. Files of llama.cpp lie on the tag of the build.
fn of_commit(
    request: &ReleaseRequest,
    resolved: Resolved,
    asked: Option<&String>,
    intake: Intake,
) -> Result<(Found, Resolved)> {
    let build = resolved.number.map(|number| format!("b{number}"));
    let mut tags: Vec<String> = Vec::new();
    for tag in build.iter().chain(asked).chain(&resolved.tags) {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    let found = of_tags(request, &tags, resolved.number, intake.fetcher)?;
    Ok((found, resolved))
}

/// Returns the locked block where the forge could not be asked about a release that the manifest names by its tag: the
/// pin says all. Otherwise returns the error.
fn kept(
    request: &ReleaseRequest,
    locked: Option<&Block<ReleaseRequest>>,
    question: Question,
    error: Error,
) -> Result<Answer> {
    match (locked, &request.wanted) {
        (Some(block), ReleaseRef::Tag(_))
            if block.requested == *request && !question.named && error.kind() == Kind::Unreachable =>
        {
            let note = format!("the forge could not be asked ({}); the pin of the tag stays", error.message());
            Ok((Resolution::same(block.clone()), vec![note]))
        }
        _ => Err(error),
    }
}

/// Describes the difference if the forge has something else under the locked name.
fn replaced(pin: &ReleasePin, found: &Found, resolved: &Resolved) -> Option<Error> {
    let error = |message: &str, locked: String, other: String| {
        let error = Error::new(Kind::Mismatch, message).fact("url", show_url(&found.url)).fact("tag", &pin.tag);
        Some(error.fact("locked", locked).fact("found", other))
    };
    if pin.commit != resolved.commit {
        return error("the tag names another commit than the locked one", pin.commit.clone(), resolved.commit.clone());
    }
    let message = "the release has another file under the locked name";
    match (found.sha256, found.size) {
        (Some(digest), _) if digest != pin.sha256 => error(message, pin.sha256.to_string(), digest.to_string()),
        (None, Some(size)) if size != pin.size => {
            error(message, format!("{} bytes", pin.size), format!("{size} bytes"))
        }
        _ => None,
    }
}

/// Takes in the file of the release that a tag names.
pub fn at_tag(intake: Intake, name: &str, like: &ReleaseRequest, tag: &str) -> Result<LockedInput> {
    let request = ReleaseRequest { wanted: ReleaseRef::Tag(tag.to_owned()), ..like.clone() };
    let question = Question {
        name,
        intake,
        named: true,
        accept_replaced: false,
        allow_downgrade: true,
        to: None,
        url: None,
        now: 0,
        without_leaving: true,
        skipped: &[],
        followed: None,
        directory: std::path::Path::new(""),
    };
    match request.resolve(None, question)?.0 {
        Resolution::Same(block) => Ok(*block),
        Resolution::New { take_in, .. } => Ok(take_in(intake)?.block),
    }
}

/// Returns the numbers of all builds that have a tag `b<number>` in the repository.
pub fn build_tags(intake: Intake, name: &str, request: &ReleaseRequest) -> Result<Vec<u64>> {
    at_repository(intake, name, &request.url, |repository| {
        Ok(repository.tags()?.iter().filter_map(|tag| number_of(tag)).collect())
    })
}

fn take_in(
    intake: Intake,
    name: &str,
    request: ReleaseRequest,
    found: &Found,
    resolved: Resolved,
    anew: bool,
) -> Result<Taken> {
    let promise = found.sha256.zip(found.size).map(|(digest, size)| Promise { size, digest });
    let urls = vec![found.url.clone()];
    let archive = archive(intake, name, &urls, promise, anew)?;
    if let Some(digest) = found.sha256.filter(|digest| *digest != archive.received.digest) {
        return Err(Error::new(Kind::Mismatch, "the download is not the file that the release names")
            .fact("url", show_url(&found.url))
            .fact("promised", digest)
            .fact("received", archive.received.digest));
    }
    let tree = TreePin::of(&archive.tree, &archive.listing)?;
    let mut warnings = Vec::new();
    if found.sha256.is_none() {
        warnings.push(format!(
            "the forge gives no digest of {}: the pin has that of this first download, for which nobody else vouches",
            found.file
        ));
    }
    if let Some(first) = archive.absolute_names.first() {
        let count = archive.absolute_names.count();
        warnings.push(format!("{count} absolute name(s) in the archive were made relative, such as {first}"));
    }
    let mut details = vec![
        format!("commit   {}", resolved.commit),
        format!("archive  {}", text::bytes(archive.received.size)),
        format!("tree     {} in {} entries", text::bytes(tree.size), tree.entries),
    ];
    details.extend(found.rocm.as_ref().map(|series| format!("for ROCm {series}")));
    let pin = ReleasePin {
        urls,
        file: found.file.clone(),
        tag: found.tag.clone(),
        commit: resolved.commit,
        number: resolved.number,
        tags: resolved.tags,
        rocm: found.rocm.clone(),
        published: found.published,
        size: archive.received.size,
        sha256: archive.received.digest,
        vouched: found.sha256.is_some(),
        tree,
    };
    Ok(Taken { block: Block::new(request, pin)?.into(), details, warnings })
}
