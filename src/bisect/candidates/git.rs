//! Commits between two ends, by first parents.

use super::{End, Looked, Search, demand_order};
use crate::advisories::Pinned;
use crate::bisect::journal::{Line, Version};
use crate::error::{Error, Kind, Result};
use crate::inputs::git::{GitPin, first_parents, named_commit};
use crate::inputs::{Block, LockedInput};
use crate::intake::Intake;
use crate::text;
use crate::upstream::git::{GitRef, GitRequest, is_commit};

/// Number of digits by which a commit is shown.
const SHORT: usize = 12;
/// Number of digits by which a commit can be named.
const LEAST: usize = 7;

/// Returns the commits between two ends.
pub(super) fn line(search: &Search, like: &Block<GitRequest>) -> Result<Looked> {
    let Search { intake, name, good, bad, known, judge } = *search;
    let pins = known.pins.iter().filter_map(|pin| match pin {
        LockedInput::Git(block) if block.locked.url == like.locked.url => Some(&block.locked),
        _ => None,
    });
    let pins: Vec<&GitPin> = std::iter::once(&like.locked).chain(pins).collect();
    let commit = |end: &End| commit(intake, name, like, end, &pins);
    let (old, new) = (commit(good)?, commit(bad)?);
    demand_order(name, (0, &old), (usize::from(old != new), &new))?;
    let commits = match first_parents(intake, name, like, &old, &new) {
        // Found the other way round, the ends are swapped.
        Err(error) if first_parents(intake, name, like, &new, &old).is_ok() => {
            return demand_order(name, (1, &old), (0, &new)).and(Err(error));
        }
        other => other?,
    };
    // The build number counts commits; a pin of an end knows it.
    let number = pins.iter().find(|pin| pin.commit == new).map(|pin| pin.number);
    let version = |one: &crate::upstream::git::Ancestor| {
        let short = &one.commit[..SHORT.min(one.commit.len())];
        let number = number.and_then(|number| number.checked_sub(one.behind));
        let label = number.map_or_else(|| short.to_owned(), |number| format!("b{number} ({short})"));
        let known_bad = number.and_then(|number| judge(Pinned::LlamaCpp(number, text::day(one.time))));
        Version {
            id: one.commit.clone(),
            url: None,
            about: format!("{label}: {}", one.subject),
            known_bad: known_bad.unwrap_or_default(),
        }
    };
    let versions = commits.iter().rev().map(version).collect();
    let line = Line { input: name.to_owned(), word: "commits".to_owned(), versions };
    Ok(Looked { line, said: Vec::new() })
}

/// Returns the commit of an end: by its digits, by a build number or digits that a lock of this store has, or by a tag
/// of the repository.
fn commit(intake: Intake, name: &str, like: &Block<GitRequest>, end: &End, pins: &[&GitPin]) -> Result<String> {
    let named = match end {
        End::Pin(pin) => {
            let LockedInput::Git(block) = &**pin else {
                return Err(Error::new(Kind::Invalid, "the input has another type in that lock").about(name));
            };
            return Ok(block.locked.commit.clone());
        }
        End::Named(named) => named,
    };
    if is_commit(named) {
        return Ok(named.clone());
    }
    let number: Option<u64> = named.strip_prefix('b').and_then(|digits| digits.parse().ok());
    let is_meant = |pin: &&&GitPin| {
        number == Some(pin.number)
            || (named.len() >= LEAST && pin.commit.starts_with(named))
            || pin.tags.contains(named)
    };
    if let Some(pin) = pins.iter().find(is_meant) {
        return Ok(pin.commit.clone());
    }
    named_commit(intake, name, like, GitRef::Tag(named.clone()))
        .map_err(|error| error.hint("a commit by its 40 digits, a tag such as b11429, or the number of a generation"))
}
