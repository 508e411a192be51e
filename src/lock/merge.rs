//! Merges two locks that go back to a common one, block by block, as git's merge driver does.
//!
//! Most merges need no driver: blocks of different inputs stand apart, and git merges them as text. What text cannot do is
//! decided here. An input that both sides moved keeps the newer pin, by its version or date. Of a recipe that both sides
//! changed, each field is merged on its own. Ids follow from the rest, and a seal stays where it is for what came out.
//! A change that nobody can decide keeps our side, and is a conflict.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{FORMAT, Lock, LockedOutput, valid};
use crate::error::{Error, Kind, Result};
use crate::inputs::LockedInput;
use crate::recipe::Recipe;

/// The line of .gitattributes by which git merges the locks of a project with a driver of its own.
pub const ATTRIBUTE: &str = "/lock/*.lock merge=strixlock";
/// The name of that driver.
pub const DRIVER: &str = "strixlock";
/// The setting of git with the driver's command, which every clone needs.
pub const SETTING: &str = "merge.strixlock.driver";
/// The command that makes this setting.
pub const SET: &str = "git config merge.strixlock.driver 'strixlock lock merge %O %A %B %P'";

/// A merged lock.
#[derive(Debug)]
pub struct Merged {
    /// The lock.
    pub lock: Lock,
    /// Decisions that were made, one sentence each.
    pub notes: Vec<String>,
    /// Decisions that were not made: our side was kept. One sentence each.
    pub conflicts: Vec<String>,
}

/// A side of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Ours,
    Theirs,
}

/// The outcome for one block.
enum Choice {
    /// Only this side changed it, or both did the same.
    Plain(Side),
    /// Both changed it, and this side counts, for a reason.
    Decided(Side, String),
    /// Both changed it, and ours is kept.
    Conflict(String),
}

impl Merged {
    /// Merges `ours` and `theirs`, which were both made from `base`. Fails if the blocks that were chosen do not fit
    /// together.
    pub fn of(base: Option<&Lock>, ours: &Lock, theirs: &Lock) -> Result<Self> {
        let mut merge = Merge { notes: Vec::new(), conflicts: Vec::new() };
        let inputs = merge.inputs(base, ours, theirs);
        let recipes = merge.recipes(base, ours, theirs);
        let requires = match three(base.map(|lock| &lock.requires), Some(&ours.requires), Some(&theirs.requires)) {
            Some(Side::Theirs) => theirs.requires.clone(),
            Some(Side::Ours) => ours.requires.clone(),
            None => {
                merge.conflicts.push("both sides changed `requires`".to_owned());
                ours.requires.clone()
            }
        };
        let mut disputed = BTreeSet::new();
        let sealed = |lock: &Lock, name: &str| lock.outputs.get(name).cloned().filter(|output| output.seal().is_some());
        let outputs = LockedOutput::all(&inputs, &recipes, |name, ids| {
            let fits = |lock| sealed(lock, name).filter(|output| output.request == ids.request);
            match (fits(ours), fits(theirs)) {
                (Some(one), Some(other)) if one.tree != other.tree => None,
                (one, other) => one.or(other).and_then(|output| output.seal()),
            }
        })
        .map_err(|error| error.hint("resolve the manifest, take all of one side's lock, and run `strixlock update`"))?;
        for (name, output) in &outputs {
            let was = [sealed(ours, name), sealed(theirs, name)];
            if was.iter().flatten().next().is_some() && output.seal().is_none() {
                disputed.insert(name.clone());
            }
        }
        for name in disputed {
            merge.notes.push(format!(
                "output {name}: removed the seal, which is for other pins or differs: `strixlock realize --seal` writes a new one"
            ));
        }
        let lock = Lock { version: FORMAT, requires, inputs, outputs };
        Ok(Self { lock, notes: merge.notes, conflicts: merge.conflicts })
    }
}

struct Merge {
    notes: Vec<String>,
    conflicts: Vec<String>,
}

impl Merge {
    fn inputs(&mut self, base: Option<&Lock>, ours: &Lock, theirs: &Lock) -> BTreeMap<String, LockedInput> {
        let names: BTreeSet<&String> = ours.inputs.keys().chain(theirs.inputs.keys()).collect();
        // An input that follows another comes from the side that the other came from.
        let follows = |name: &str| {
            let input = ours.inputs.get(name).or(theirs.inputs.get(name));
            input.and_then(|input| input.requested().follows().map(str::to_owned))
        };
        let (leading, following): (Vec<&String>, Vec<&String>) =
            names.into_iter().partition(|name| follows(name).is_none());
        let mut sides: BTreeMap<String, Side> = BTreeMap::new();
        let mut merged = BTreeMap::new();
        for name in leading.into_iter().chain(following) {
            let (was, one, other) =
                (base.and_then(|base| base.inputs.get(name)), ours.inputs.get(name), theirs.inputs.get(name));
            let leader = follows(name).and_then(|followed| sides.get(&followed).copied());
            let side = match input(was, one, other, leader) {
                Choice::Plain(side) => side,
                Choice::Decided(side, why) => {
                    self.notes.push(format!("input {name}: {why}"));
                    side
                }
                Choice::Conflict(why) => {
                    self.conflicts.push(format!("input {name}: {why}"));
                    Side::Ours
                }
            };
            sides.insert(name.clone(), side);
            let chosen = if side == Side::Ours { one } else { other };
            merged.extend(chosen.map(|input| (name.clone(), input.clone())));
        }
        merged
    }

    fn recipes(&mut self, base: Option<&Lock>, ours: &Lock, theirs: &Lock) -> BTreeMap<String, Recipe> {
        let names: BTreeSet<&String> = ours.outputs.keys().chain(theirs.outputs.keys()).collect();
        let mut merged = BTreeMap::new();
        for name in names {
            let recipe = |lock: &'_ Lock| lock.outputs.get(name).map(|output| output.recipe.clone());
            let (was, one, other) = (base.and_then(recipe), recipe(ours), recipe(theirs));
            let chosen = match three(was.as_ref(), one.as_ref(), other.as_ref()) {
                Some(Side::Ours) => one,
                Some(Side::Theirs) => other,
                None => {
                    let both = fields_of_both(name, was.as_ref(), one.as_ref(), other.as_ref());
                    if both.is_some() {
                        self.notes
                            .push(format!("output {name}: both sides changed other fields of its recipe: took both"));
                        both
                    } else {
                        let why = if one.is_some() && other.is_some() {
                            "both sides changed the same field of its recipe"
                        } else {
                            "one side removed it, and the other changed it"
                        };
                        self.conflicts.push(format!("output {name}: {why}"));
                        one
                    }
                }
            };
            merged.extend(chosen.map(|recipe| (name.clone(), recipe)));
        }
        merged
    }
}

/// Returns the side that counts: the one that changed something. `None` if both did, in different ways.
fn three<T: PartialEq>(base: Option<&T>, ours: Option<&T>, theirs: Option<&T>) -> Option<Side> {
    if ours == theirs || theirs == base {
        Some(Side::Ours)
    } else if ours == base {
        Some(Side::Theirs)
    } else {
        None
    }
}

fn input(
    base: Option<&LockedInput>,
    ours: Option<&LockedInput>,
    theirs: Option<&LockedInput>,
    leader: Option<Side>,
) -> Choice {
    if let Some(side) = three(base, ours, theirs) {
        return Choice::Plain(side);
    }
    let (Some(one), Some(other)) = (ours, theirs) else {
        return Choice::Conflict("one side removed it, and the other moved it".to_owned());
    };
    if let Some(side) = leader {
        return Choice::Decided(side, format!("kept {}, as of the input that it follows", version(side, one, other)));
    }
    let asked = base.map(LockedInput::requested);
    match three(asked.as_ref(), Some(&one.requested()), Some(&other.requested())) {
        None => return Choice::Conflict("both sides ask for something else".to_owned()),
        // The manifest that comes out asks for this one.
        Some(side) if one.requested() != other.requested() => {
            return Choice::Decided(side, format!("kept {}, which is asked for now", version(side, one, other)));
        }
        Some(_) => {}
    }
    match age(one, other) {
        Some(Ordering::Less) => Choice::Decided(Side::Theirs, newer(other, one)),
        Some(Ordering::Greater) => Choice::Decided(Side::Ours, newer(one, other)),
        _ => Choice::Conflict("both sides moved it, and neither pin is known to be newer".to_owned()),
    }
}

fn version(side: Side, ours: &LockedInput, theirs: &LockedInput) -> String {
    if side == Side::Ours { ours.version() } else { theirs.version() }
}

fn newer(kept: &LockedInput, other: &LockedInput) -> String {
    format!("both sides moved it: kept {}, which is newer than {}", kept.version(), other.version())
}

/// Compares the age of two pins of one input: by version where that has an order, else by time. `Greater` if the first is
/// newer.
fn age(one: &LockedInput, other: &LockedInput) -> Option<Ordering> {
    if one.is_newer_than(&other.version()) {
        return Some(Ordering::Greater);
    }
    if other.is_newer_than(&one.version()) {
        return Some(Ordering::Less);
    }
    if let (LockedInput::Git(one), LockedInput::Git(other)) = (one, other) {
        let of = |pin: &crate::inputs::git::GitPin| (pin.time, pin.number);
        return Some(of(&one.locked).cmp(&of(&other.locked))).filter(|order| order.is_ne());
    }
    Some(one.day()?.cmp(&other.day()?)).filter(|order| order.is_ne())
}

/// Merges a recipe field by field. `None` if both sides changed the same field, or if no valid recipe comes out.
fn fields_of_both(name: &str, base: Option<&Recipe>, ours: Option<&Recipe>, theirs: Option<&Recipe>) -> Option<Recipe> {
    let value = |recipe: &Recipe| serde_json::to_value(recipe).ok();
    let (was, one, other) = (value(base?)?, value(ours?)?, value(theirs?)?);
    let merged = fields(Some(&was), Some(&one), Some(&other))?;
    let recipe: Recipe = serde_json::from_value(merged?).ok()?;
    valid::output(name, &recipe).is_none().then_some(recipe)
}

/// Merges two values. `None` if both sides changed the same field; `Some(None)` if there is no value.
#[expect(clippy::option_option, reason = "a field that is gone is no conflict")]
fn fields(base: Option<&Value>, ours: Option<&Value>, theirs: Option<&Value>) -> Option<Option<Value>> {
    match three(base, ours, theirs) {
        Some(Side::Ours) => return Some(ours.cloned()),
        Some(Side::Theirs) => return Some(theirs.cloned()),
        None => {}
    }
    let (Some(Value::Object(one)), Some(Value::Object(other))) = (ours, theirs) else { return None };
    let empty = Map::new();
    let was = base.map_or(Some(&empty), Value::as_object)?;
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let mut merged = Map::new();
    for name in names {
        if let Some(value) = fields(was.get(name), one.get(name), other.get(name))? {
            merged.insert(name.clone(), value);
        }
    }
    Some(Some(Value::Object(merged)))
}

impl Lock {
    /// Parses one of the three versions of a merge; `None` for an empty text, which git gives for a file that did not
    /// exist. A seal that an earlier merge left for other pins is removed.
    pub fn parse_for_merge(text: &str) -> Result<Option<Self>> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        Self::parse_without_foreign_seals(text).map(Some)
    }
}

/// Returns the error for a merge with conflicts.
#[must_use]
pub fn conflict(conflicts: &[String]) -> Error {
    let error = Error::new(Kind::Invalid, "the two sides of the merge contradict each other; ours is kept");
    let error = conflicts.iter().fold(error, |error, conflict| error.fact("conflict", conflict));
    error.hint("resolve the manifest, then `strixlock update` and `git add` both files")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_that_one_side_changed_are_merged_and_others_are_conflicts() {
        for (base, ours, theirs, merged) in [
            (json!({"a": 1}), json!({"a": 2}), json!({"a": 1}), Some(json!({"a": 2}))),
            (json!({"a": 1}), json!({"a": 1}), json!({"a": 2}), Some(json!({"a": 2}))),
            (json!({"a": 1}), json!({"a": 2}), json!({"a": 2}), Some(json!({"a": 2}))),
            (json!({"a": 1}), json!({"a": 2}), json!({"a": 3}), None),
            (json!({"a": 1, "b": 1}), json!({"a": 2, "b": 1}), json!({"a": 1, "b": 2}), Some(json!({"a": 2, "b": 2}))),
            (json!({"a": 1, "b": 1}), json!({"b": 1}), json!({"a": 1, "b": 2}), Some(json!({"b": 2}))),
            (json!({"a": 1}), json!({}), json!({"a": 2}), None),
            (json!({}), json!({"a": 1}), json!({"b": 2}), Some(json!({"a": 1, "b": 2}))),
            (json!({}), json!({"a": 1}), json!({"a": 2}), None),
            (
                json!({"cmake": {"X": "1", "Y": "1"}}),
                json!({"cmake": {"X": "2", "Y": "1"}}),
                json!({"cmake": {"X": "1", "Y": "2"}}),
                Some(json!({"cmake": {"X": "2", "Y": "2"}})),
            ),
            (
                json!({}),
                json!({"cmake": {"X": "1"}}),
                json!({"cmake": {"Y": "1"}}),
                Some(json!({"cmake": {"X": "1", "Y": "1"}})),
            ),
            // Lists have an order that a merge could not know.
            (json!({"l": ["a"]}), json!({"l": ["a", "b"]}), json!({"l": ["c", "a"]}), None),
            (json!({"a": {"b": 1}}), json!({"a": 2}), json!({"a": {"b": 2}}), None),
        ] {
            assert_eq!(
                fields(Some(&base), Some(&ours), Some(&theirs)).map(Option::unwrap),
                merged,
                "{base} {ours} {theirs}"
            );
        }
    }
}
