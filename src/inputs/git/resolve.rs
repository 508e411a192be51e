//! Resolves a `git` request to its pin.

use super::GitPin;
use super::patches::{self, PatchPin};
use super::supply::{git, git_tree};
use crate::error::{Error, Kind, Result};
use crate::inputs::{Answer, Block, LockedInput, Preview, Question, Resolution, Resolve, Taken, TreePin};
use crate::intake::Intake;
use crate::text;
use crate::upstream::git::{Ancestor, GitRef, GitRequest, Repository, Resolved, log_between};

/// Greatest number of subjects of new commits that are shown.
const SUBJECTS: usize = 10;

impl Resolve for GitRequest {
    fn resolve(&self, locked: Option<&Block<Self>>, question: Question) -> Result<Answer> {
        let Question { name, intake, .. } = question;
        let patches: Vec<PatchPin> = {
            let pin = |path: &String| patches::pin(intake.store, question.directory, path);
            self.patches.iter().map(pin).collect::<Result<_>>()?
        };
        let old = locked.map(|block| &block.locked);
        let (resolved, preview) = git(intake, name, &self.url, |repository| {
            let resolved = repository.resolve(self)?;
            let preview = preview(repository, old, &resolved);
            Ok((resolved, preview))
        })?;
        if let Some(block) = locked
            && block.locked.commit == resolved.commit
            && block.locked.url == self.url
            && block.locked.patches == patches
        {
            // The number is kept: a later tag must not change a pin.
            let mut pin = block.locked.clone();
            pin.reference = resolved.reference;
            return Ok((Resolution::same(Block::new(self.clone(), pin)?), Vec::new()));
        }
        let (name, request) = (name.to_owned(), self.clone());
        let unchanged = locked.is_some_and(|block| block.requested == *self) && !question.allow_downgrade;
        let old = old.map(|old| Old { commit: old.commit.clone(), number: old.number, must_lead: unchanged });
        let short = &resolved.commit[..12.min(resolved.commit.len())];
        let tag = resolved.tags.first().cloned();
        let to = match (tag, resolved.number) {
            (Some(tag), Some(number)) if tag != format!("b{number}") => format!("{tag} = b{number} ({short})"),
            (_, Some(number)) => format!("b{number} ({short})"),
            (Some(tag), None) => format!("{tag} ({short})"),
            (None, None) => short.to_owned(),
        };
        let take_in = move |intake: Intake| take_in(intake, &name, request, &patches, &resolved, old.as_ref());
        Ok((Resolution::New { to, details: Vec::new(), preview, take_in: Box::new(take_in) }, Vec::new()))
    }
}

/// The locked commit before.
struct Old {
    commit: String,
    number: u64,
    /// True if the new commit must not be older: the request is that of before, and nobody allowed it.
    must_lead: bool,
}

/// Compares the new commit of a branch with the locked one. Fails if the branch was taken back to an older commit.
/// Returns a warning if its history was rewritten.
fn demand_forward(repository: &Repository, name: &str, old: &Old, new: &GitPin) -> Result<Option<String>> {
    if old.commit == new.commit {
        return Ok(None);
    }
    let lost = log_between(repository, &new.commit, &old.commit, 0).map(|log| log.count);
    let gained = log_between(repository, &old.commit, &new.commit, 0).map(|log| log.count);
    // Without the old commit, its number tells: both count commits.
    let is_back = gained.map_or(new.number < old.number, |count| count == 0);
    let place = new.reference.as_deref().unwrap_or("HEAD");
    if is_back && old.must_lead {
        return Err(Error::new(Kind::Mismatch, "the branch has gone back: it ends before the locked commit")
            .fact("url", repository.shown())
            .fact("ref", place)
            .fact("locked", format!("b{} {}", old.number, old.commit))
            .fact("found", format!("b{} {}", new.number, new.commit))
            .hint(format!(
                "somebody rewound it, or an old copy answered: `strixlock update {name} --allow-downgrade` goes back, \
                 `strixlock freeze {name}` stays"
            )));
    }
    Ok(lost.filter(|lost| *lost > 0 && !is_back).map(|lost| {
        format!("{place} was rewritten: it has lost {} of the locked history", text::counted(lost as usize, "commit"))
    }))
}

/// Returns what the cache knows of a commit: nothing is fetched for it.
fn preview(repository: &Repository, old: Option<&GitPin>, new: &Resolved) -> Preview {
    let made = repository.commit(&new.commit).ok().and_then(|(_, time)| text::day(time));
    let log = old.filter(|_| made.is_some()).and_then(|old| log_between(repository, &old.commit, &new.commit, 0));
    // Build numbers count commits.
    let between = |old: &GitPin| new.number?.checked_sub(old.number).filter(|count| *count > 0);
    let count = log.map(|log| log.count).or_else(|| between(old?));
    let distance = count.filter(|count| *count > 0).map(|count| text::counted(count as usize, "commit"));
    Preview { made, distance, ..Preview::default() }
}

/// Takes in a commit and returns its block, with the same patches as `like`. Asks for no refs.
pub fn at_commit(intake: Intake, name: &str, like: &Block<GitRequest>, commit: &str) -> Result<LockedInput> {
    let request = GitRequest { reference: GitRef::Commit(commit.to_owned()), ..like.requested.clone() };
    let resolved = Resolved { reference: None, commit: commit.to_owned(), number: None, tags: Vec::new() };
    Ok(take_in(intake, name, request, &like.locked.patches, &resolved, None)?.block)
}

/// Returns the commit of a tag or of a branch of the repository.
pub fn named_commit(intake: Intake, name: &str, like: &Block<GitRequest>, reference: GitRef) -> Result<String> {
    let request = GitRequest { reference, ..like.requested.clone() };
    git(intake, name, &request.url, |repository| Ok(repository.resolve(&request)?.commit))
}

/// Returns the commits from `new` back to `old` by first parents, newest first: the commits that the branch pointed to,
/// without those of merged branches. The error of one that is not among them names the nearest that is.
pub fn first_parents(
    intake: Intake,
    name: &str,
    like: &Block<GitRequest>,
    old: &str,
    new: &str,
) -> Result<Vec<Ancestor>> {
    git(intake, name, &like.requested.url, |repository| {
        repository.fetch(new, like.locked.reference.as_deref())?;
        repository.fetch(old, None)?;
        repository.first_parents(old, new)
    })
}

/// Returns true if what is asked for moves on by new commits.
fn follows_a_branch(request: &GitRequest) -> bool {
    matches!(request.reference, GitRef::Head | GitRef::Branch(_))
}

fn take_in(
    intake: Intake,
    name: &str,
    request: GitRequest,
    patches: &[PatchPin],
    resolved: &Resolved,
    old: Option<&Old>,
) -> Result<Taken> {
    let (pin, log, rewritten) = git(intake, name, &request.url, |repository| {
        repository.fetch(&resolved.commit, resolved.reference.as_deref())?;
        let (tree, time) = repository.commit(&resolved.commit)?;
        let number = match resolved.number {
            Some(number) => number,
            None => repository.count(&resolved.commit)?,
        };
        let content = git_tree(intake, repository, &resolved.commit, patches, None)?;
        let log = old.and_then(|old| log_between(repository, &old.commit, &resolved.commit, SUBJECTS));
        let pin = GitPin {
            url: request.url.clone(),
            reference: resolved.reference.clone(),
            commit: resolved.commit.clone(),
            tree,
            time,
            number,
            tags: resolved.tags.clone(),
            patches: patches.to_vec(),
            submodules: content.submodules.clone(),
            content: TreePin::of(&content.tree, &content.listing)?,
        };
        let rewritten = match old {
            Some(old) if follows_a_branch(&request) => demand_forward(repository, name, old, &pin)?,
            _ => None,
        };
        Ok((pin, log, rewritten))
    })?;
    let mut details = vec![
        format!("commit   {}", pin.commit),
        format!("dated    {}", text::date(pin.time)),
        format!("content  {} in {} entries", text::bytes(pin.content.size), pin.content.entries),
    ];
    details.extend(pin.patches.iter().map(|patch| format!("patched  {}", patch.path)));
    if let Some(log) = log.filter(|log| log.count > 0) {
        details.push(format!("{} new commit{}", log.count, if log.count == 1 { "" } else { "s" }));
        details.extend(log.subjects.iter().map(|subject| format!("  {subject}")));
        if log.count > log.subjects.len() as u64 {
            details.push(format!("  and {} more", log.count - log.subjects.len() as u64));
        }
    }
    Ok(Taken { block: Block::new(request, pin)?.into(), details, warnings: rewritten.into_iter().collect() })
}
