//! The head of the page: the project at one look.

use super::facts::{Facts, Verdict};
use super::html::Html;
use super::pins::{age_in_days, days};
use crate::text;

/// The mood of a tile.
#[derive(Clone, Copy)]
enum Mood {
    Plain,
    Good,
    Warning,
    Bad,
}

impl Mood {
    fn class(self) -> &'static str {
        match self {
            Self::Plain => "tile",
            Self::Good => "tile good",
            Self::Warning => "tile warning",
            Self::Bad => "tile bad",
        }
    }
}

/// Days from which on a pin that upstream deletes is worth a look.
const SOON: i64 = 30;

pub(super) fn write(facts: &Facts, html: &mut Html) {
    html.element("p").class("kind").text("strixlock report");
    html.element("h1").text(&facts.project);
    html.element("p").class("about").inside(|html| {
        html.text(format!("As of {}", facts.today));
        if let Ok(locked) = &facts.locked {
            html.text(", of the lock ");
            html.element("code").text(locked.digest);
        }
        html.text(".");
    });
    html.element("dl").class("tiles").inside(|html| {
        let mut tile = |section: &'static str, mood: Mood, name: &str, value: String, more: String| {
            html.element("div").class(mood.class()).inside(|html| {
                html.element("dt").inside(|html| {
                    html.element("a").link(&super::html::Address::Here(section.to_owned())).text(name);
                });
                html.element("dd").text(value);
                html.element("dd").class("more").text(more);
            });
        };
        generation(facts, &mut tile);
        pins(facts, &mut tile);
        deadline(facts, &mut tile);
        runtime(facts, &mut tile);
        evidence(facts, &mut tile);
    });
}

/// Writes a tile: its section, its mood, a name, a value, and a word more.
type Tile<'t> = &'t mut dyn FnMut(&'static str, Mood, &str, String, String);

fn generation(facts: &Facts, tile: Tile) {
    let Some(current) = facts.generations.iter().flatten().find(|one| one.current) else {
        tile("generations", Mood::Plain, "generation", "none".to_owned(), "nothing is realized".to_owned());
        return;
    };
    let (mood, more) = match &current.verdict {
        None => (Mood::Plain, "not validated".to_owned()),
        Some(verdict) if verdict.has_passed() => (Mood::Good, format!("passed on the {}", device(verdict))),
        Some(verdict) => {
            let failed = text::counted(verdict.failed.len(), "check");
            (Mood::Bad, format!("{failed} failed on the {}", device(verdict)))
        }
    };
    tile("generations", mood, "generation", current.number.to_string(), more);
}

/// Returns the device of a validation, for people.
pub(super) fn device(verdict: &Verdict) -> String {
    verdict.device.name().to_uppercase()
}

fn pins(facts: &Facts, tile: Tile) {
    let Ok(locked) = &facts.locked else {
        tile("pins", Mood::Plain, "pins", "none".to_owned(), "there is no lock".to_owned());
        return;
    };
    let bad = locked.advice.len();
    let days_of = |day| age_in_days(day, facts.today);
    let oldest = locked.lock.inputs.values().filter_map(|input| input.day().and_then(days_of)).max();
    let (mood, more) = match (bad, oldest) {
        (1.., _) => (Mood::Bad, format!("{bad} known to be bad")),
        (0, Some(oldest)) => (Mood::Plain, format!("the oldest: {}", days(oldest))),
        (0, None) => (Mood::Plain, "of unknown age".to_owned()),
    };
    tile("pins", mood, "pins", locked.lock.inputs.len().to_string(), more);
}

fn deadline(facts: &Facts, tile: Tile) {
    let Ok(locked) = &facts.locked else { return };
    let first = locked.deadlines.iter().map(|(name, one)| (one.days, name)).min();
    if let Some((left, name)) = first {
        let mood = match left {
            ..=7 => Mood::Bad,
            8..=SOON => Mood::Warning,
            _ => Mood::Plain,
        };
        let value = if left <= 0 { "any day".to_owned() } else { days(left) };
        tile("pins", mood, "kept upstream", value, format!("then {name} may be gone"));
    }
}

fn runtime(facts: &Facts, tile: Tile) {
    let first = facts.runtimes.iter().flatten().find_map(|(_, part)| part.as_ref().ok());
    match first {
        None => tile("runtime", Mood::Plain, "runtime", "none".to_owned(), "none is realized".to_owned()),
        Some(one) => {
            let value = text::bytes(one.kept_sum.bytes);
            tile("runtime", Mood::Plain, "runtime", value, format!("of the {} of ROCm", text::bytes(one.full.bytes)));
        }
    }
}

fn evidence(facts: &Facts, tile: Tile) {
    let Ok(locked) = &facts.locked else { return };
    let all = crate::report::evidence(locked.lock, locked.known);
    let outputs = all.iter().filter(|one| one.is_output);
    let (sure, count) = outputs.fold((0, 0), |(sure, count), one| (sure + usize::from(one.is_repeated), count + 1));
    if count > 0 {
        let mood = if sure == count { Mood::Good } else { Mood::Plain };
        let more = "outputs published, sealed or made twice".to_owned();
        tile("evidence", mood, "evidence", format!("{sure} of {count}"), more);
    }
}
