//! Releases of a forge between two ends: programs that others built, so that nothing has to be.

use super::{End, Looked, Search, demand_order};
use crate::advisories::Pinned;
use crate::bisect::journal::{Line, Version};
use crate::error::{Error, Kind, Result};
use crate::inputs::release::build_tags;
use crate::inputs::{Block, LockedInput};
use crate::upstream::release::{ReleaseRequest, number_of};

/// Returns the builds between two ends that have a tag `b<number>`. A build without a fitting file is skipped later.
pub(super) fn line(search: &Search, like: &Block<ReleaseRequest>) -> Result<Looked> {
    let Search { intake, name, good, bad, known, judge } = *search;
    let pins = known.pins.iter().filter_map(|pin| match pin {
        LockedInput::Release(block) if block.requested.url == like.requested.url => block.locked.number,
        _ => None,
    });
    let mut numbers: Vec<u64> = pins.chain(like.locked.number).collect();
    if !intake.fetcher.settings().offline {
        numbers.extend(build_tags(intake, name, &like.requested)?);
    }
    numbers.sort_unstable();
    numbers.dedup();
    let place = |end: &End| {
        let (number, text) = match end {
            End::Pin(pin) => match &**pin {
                LockedInput::Release(block) => (block.locked.number, pin.short_version()),
                _ => (None, pin.short_version()),
            },
            End::Named(text) => (number_of(text), text.clone()),
        };
        number.and_then(|number| numbers.iter().position(|one| *one == number)).ok_or_else(|| {
            Error::new(Kind::NotFound, format!("there is no build `{}`", crate::text::visible(&text)))
                .about(name)
                .hint("a tag such as b11429, or the number of a generation")
        })
    };
    let (from, until) = (place(good)?, place(bad)?);
    let label = |at: usize| format!("b{}", numbers[at]);
    demand_order(name, (from, &label(from)), (until, &label(until)))?;
    let version = |number: &u64| Version {
        id: format!("b{number}"),
        url: None,
        about: String::new(),
        known_bad: judge(Pinned::LlamaCpp(*number, None)).unwrap_or_default(),
    };
    let versions = numbers[from..=until].iter().map(version).collect();
    Ok(Looked { line: Line { input: name.to_owned(), word: "builds".to_owned(), versions }, said: Vec::new() })
}
