//! Explains why packages cannot be installed: the chain of relations from a requested package to the problem.

use super::solve::{Failure, Need, Solver};
use super::universe::Universe;
use crate::error::{Error, Kind};
use crate::suggest::suggest;

/// Greatest number of names of a list in a message.
const SHOWN: usize = 12;

/// Returns the error for a name that is not a package, with its providers or with similar names.
pub(super) fn no_such_package(universe: &Universe, name: &str, providers: &[usize]) -> Error {
    if let Some(why) = universe.passed_over(name) {
        return Error::new(Kind::Invalid, format!("the archive's package `{name}` cannot be used"))
            .fact("fault", why)
            .hint("the archive has to fix its package list; or name an archive that has another version of it");
    }
    if universe.is_forbidden(name) && providers.is_empty() {
        return Error::new(Kind::NotFound, format!("the preferences of apt forbid every version of `{name}`"))
            .hint("change the pin in /etc/apt/preferences.d, or name the archive by its URL in the manifest");
    }
    if providers.is_empty() {
        let near = suggest(name, near(universe, name).into_iter());
        return Error::new(Kind::NotFound, format!("the archive has no package `{name}`"))
            .hint(format!("{near} Packages may be in a component that is not named, such as `universe`"));
    }
    let mut names: Vec<String> =
        providers.iter().map(|index| universe.get(*index)).map(|one| format!("{} {}", one.name, one.version)).collect();
    names.sort();
    names.dedup();
    let error = Error::new(Kind::NotFound, format!("`{name}` is a virtual package that several packages provide"));
    names.into_iter().take(SHOWN).fold(error, |error, one| error.fact("provided by", one)).hint("name one of them")
}

/// Returns a few names that are similar to a wrong one.
fn near<'u>(universe: &'u Universe, wrong: &str) -> Vec<&'u str> {
    let mut names: Vec<(usize, &str)> = universe
        .names()
        .filter(|name| name.len().abs_diff(wrong.len()) <= 3)
        .map(|name| (strsim::damerau_levenshtein(name, wrong), name))
        .collect();
    names.sort_unstable();
    names.into_iter().take(5).map(|(_, name)| name).collect()
}

/// Returns the error that says why `index`, which apt's rules choose, cannot be used.
pub(super) fn odd(solver: &mut Solver, index: usize) -> Error {
    let candidate = solver.universe.get(index);
    let error = Error::new(Kind::Invalid, format!("the archive's package `{}` cannot be used", candidate.name))
        .fact("version", candidate.version.as_str().escape_debug())
        .fact("fault", candidate.odd.as_deref().unwrap_or_default());
    wanted_by(solver, index, error)
        .hint("the archive has to fix its package list; or name another package, version or archive in its place")
}

/// Returns the error that says why `broken` cannot be installed.
pub(super) fn broken(solver: &mut Solver, broken: usize, requested: &[usize]) -> Error {
    let error = Error::new(
        Kind::NotFound,
        if requested.len() == 1 {
            format!("`{}` cannot be installed", solver.universe.get(requested[0]).name)
        } else {
            "these packages cannot be installed together".to_owned()
        },
    );
    let mut error = wanted_by(solver, broken, error);
    let (mut at, mut seen) = (broken, Vec::new());
    loop {
        seen.push(at);
        let needs = solver.needs(at);
        let open = needs.iter().position(|need| !solver.holds(at, need));
        let (need, other) = match (solver.failures.get(&at).copied(), open) {
            (Some(Failure::Conflict(usize::MAX, other)), _) => {
                let (one, two) = (shown(solver.universe, other), shown(solver.universe, at));
                return wanted_by(solver, other, error.fact("but", format!("{one} forbids {two}"))).hint(CONFLICT);
            }
            (Some(Failure::Conflict(need, other)), _) => (need, Some(other)),
            (Some(Failure::Unmet(need)), _) | (None, Some(need)) => (need, None),
            (None, None) => return error,
        };
        let Some(need) = needs.get(need) else { return error };
        let (verb, told) = (need.dependency.kind.verb(), alternatives(need));
        error = error.fact("needs", format!("{} {verb} {told}", shown(solver.universe, at)));
        if !need.dependency.kind.is_need() {
            let mut installed = need.solutions.iter().flatten().copied();
            let other = other.or_else(|| installed.find(|index| *index != at && solver.is_installed(*index)));
            let Some(other) = other else { return error };
            error = error.fact("but", format!("{} is to be installed", shown(solver.universe, other)));
            return wanted_by(solver, other, error).hint(CONFLICT);
        }
        let deeper = need.solutions.iter().flatten().copied();
        let mut deeper = deeper.filter(|index| solver.failures.contains_key(index) && !seen.contains(index));
        match deeper.next() {
            Some(next) => at = next,
            None => return leaf(solver.universe, need, error),
        }
    }
}

const CONFLICT: &str =
    "leave one of them out, or name the alternative that you want under `packages`: named packages are chosen first";

/// Ends the explanation: adds what the archive has instead of the needed package.
fn leaf(universe: &Universe, need: &Need, mut error: Error) -> Error {
    for relation in need.dependency.alternatives.iter().take(SHOWN) {
        let provided = !universe.providers(relation.name).is_empty();
        let there = match universe.named(relation.name) {
            Some(index) => format!("the archive has {}", shown(universe, index)),
            None if provided => format!("`{}` is provided, but not in this version", relation.name),
            None => match universe.passed_over(relation.name) {
                Some(why) => format!("the archive's package `{}` cannot be used: {why}", relation.name),
                None if universe.is_forbidden(relation.name) => {
                    format!("the preferences of apt forbid every version of `{}`", relation.name)
                }
                None => format!("the archive has no `{}`, and nothing that provides it", relation.name),
            },
        };
        error = error.fact("but", there);
    }
    error.hint(
        "the package may be in a suite or component that is not named, or the mirror is in the middle of an update",
    )
}

/// Adds the chain of relations from a requested package to `index`, if it has more than one link.
fn wanted_by(solver: &mut Solver, index: usize, mut error: Error) -> Error {
    let (mut at, mut chain) = (index, Vec::new());
    while let Some((owner, need)) = solver.reasons.get(&at).copied() {
        if chain.len() > SHOWN || owner == at {
            break;
        }
        let needs = solver.needs(owner);
        let Some(need) = needs.get(need) else { break };
        let verb = need.dependency.kind.verb();
        chain.push(format!("{} {verb} {}", shown(solver.universe, owner), alternatives(need)));
        at = owner;
    }
    for link in chain.into_iter().rev() {
        error = error.fact("since", link);
    }
    error
}

fn alternatives(need: &Need) -> String {
    let all: Vec<String> = need.dependency.alternatives.iter().map(ToString::to_string).collect();
    all.join(" | ")
}

fn shown(universe: &Universe, index: usize) -> String {
    let candidate = universe.get(index);
    format!("{} {}", candidate.name, candidate.version)
}
