//! The closure of some packages: these and everything they need, chosen as apt chooses.
//!
//! This follows the order in which apt marks packages for installation into an empty root, because the order decides
//! which alternative and which provider is chosen: requested packages first, then depth first along Pre-Depends and
//! Depends; an alternative that is already chosen, else the first that can be installed; of several providers the one
//! that was requested, that has the wanted name itself, that is essential, that is important, that has the higher
//! priority, or that the lists mention last. A candidate that turned out impossible is not tried again, so the walk
//! terminates.
//!
//! apt then tries to repair broken packages by weighing them against each other. Here they are an error, and the user
//! decides.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::explain;
use super::universe::{Dependency, Universe};
use crate::error::{Error, Kind, Result};
use crate::threads::ended;

/// Greatest length of a chain of packages of which each needs the next. Some hundred are usual for a desktop.
const DEEPEST: usize = 10_000;

/// Greatest number of visits to packages, more than any closure of real archives takes.
const MOST_STEPS: u64 = 5_000_000;

/// Stack size of the thread that walks, which recurses as deep as [`DEEPEST`].
const STACK: usize = 256 << 20;

/// The chosen packages, by their numbers in the universe, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure(pub Vec<usize>);

/// Finds the closure of the packages `names`.
pub fn solve(universe: &Universe, names: &[String]) -> Result<Closure> {
    let requested = requested(universe, names)?;
    let walk = || {
        let mut solver = Solver::new(universe);
        solver.install(&requested)?;
        solver.result(&requested)
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, walk)?;
        ended(thread.join(), "the search for packages")
    })
}

/// Returns the candidates with the requested names, in apt's order.
fn requested(universe: &Universe, names: &[String]) -> Result<Vec<usize>> {
    let mut found = BTreeSet::new();
    for name in names {
        let mut providers: Vec<usize> = universe.providers(name).iter().map(|(index, _)| *index).collect();
        providers.dedup();
        let index = match (universe.named(name), providers.as_slice()) {
            (Some(index), _) => index,
            (None, [only]) => *only,
            (None, several) => return Err(explain::no_such_package(universe, name, several)),
        };
        found.insert((universe.mentioned(&universe.get(index).name), index));
    }
    Ok(found.into_iter().map(|(_, index)| index).collect())
}

/// A relation with the candidates that satisfy it.
pub(super) struct Need<'u> {
    pub dependency: Dependency<'u>,
    /// The candidates, for each alternative.
    pub solutions: Vec<Vec<usize>>,
}

/// The reason why a package could not be installed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Failure {
    /// This need of it cannot be met.
    Unmet(usize),
    /// This relation of it forbids that package, which is wanted.
    Conflict(usize, usize),
}

/// The decisions on a package.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    installed: bool,
    /// True if it turned out to be impossible.
    discarded: bool,
    /// True if its state must not change.
    protected: bool,
}

pub(super) struct Solver<'u> {
    pub universe: &'u Universe,
    needs: HashMap<usize, Rc<Vec<Need<'u>>>>,
    states: HashMap<usize, State>,
    /// The package that first required a package, and the number of the relation.
    pub reasons: BTreeMap<usize, (usize, usize)>,
    pub failures: HashMap<usize, Failure>,
    steps: u64,
}

impl<'u> Solver<'u> {
    fn new(universe: &'u Universe) -> Self {
        Self {
            universe,
            needs: HashMap::new(),
            states: HashMap::new(),
            reasons: BTreeMap::new(),
            failures: HashMap::new(),
            steps: 0,
        }
    }

    fn install(&mut self, requested: &[usize]) -> Result<()> {
        for index in requested {
            self.change(*index).protected = true;
            self.change(*index).installed = true;
        }
        for index in requested {
            self.mark(*index, true, true, 0)?;
        }
        Ok(())
    }

    /// Returns the chosen packages. Fails if a relation of one of them does not hold.
    fn result(&mut self, requested: &[usize]) -> Result<Closure> {
        let mut installed: Vec<usize> =
            self.states.iter().filter(|(_, state)| state.installed).map(|(index, _)| *index).collect();
        installed.sort_by_key(|index| &self.universe.get(*index).name);
        let missing = requested.iter().find(|index| !self.state(**index).installed).copied();
        if let Some(broken) = missing {
            return Err(explain::broken(self, broken, requested));
        }
        // The requested packages make the best explanation.
        for index in requested.iter().chain(&installed) {
            if self.is_broken(*index) {
                return Err(explain::broken(self, *index, requested));
            }
        }
        match installed.iter().find(|index| self.universe.get(**index).odd.is_some()) {
            Some(odd) => Err(explain::odd(self, *odd)),
            None => Ok(Closure(installed)),
        }
    }

    fn state(&self, index: usize) -> State {
        self.states.get(&index).copied().unwrap_or_default()
    }

    fn change(&mut self, index: usize) -> &mut State {
        self.states.entry(index).or_default()
    }

    pub fn is_installed(&self, index: usize) -> bool {
        self.state(index).installed
    }

    /// Returns the relations of a package, with the candidates that satisfy them.
    pub fn needs(&mut self, index: usize) -> Rc<Vec<Need<'u>>> {
        if let Some(known) = self.needs.get(&index) {
            return Rc::clone(known);
        }
        let universe = self.universe;
        let needs = universe.dependencies(index).into_iter().map(|dependency| {
            let solutions = dependency.alternatives.iter().map(|relation| universe.solutions(relation)).collect();
            Need { dependency, solutions }
        });
        let needs = Rc::new(needs.collect::<Vec<_>>());
        self.needs.insert(index, Rc::clone(&needs));
        needs
    }

    /// Returns whether a relation of `owner` holds in the current state.
    pub fn holds(&self, owner: usize, need: &Need) -> bool {
        let mut solutions = need.solutions.iter().flatten();
        if need.dependency.kind.is_need() {
            solutions.any(|index| self.is_installed(*index))
        } else {
            // A package may conflict with a name that it provides itself: that means only other packages.
            !solutions.any(|index| *index != owner && self.is_installed(*index))
        }
    }

    fn is_broken(&mut self, index: usize) -> bool {
        let needs = self.needs(index);
        needs.iter().any(|need| !self.holds(index, need))
    }

    /// Returns the remaining candidates for a relation, best first.
    fn choices(&self, need: &Need) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for (relation, solutions) in need.dependency.alternatives.iter().zip(&need.solutions) {
            let mut left: Vec<usize> =
                solutions.iter().copied().filter(|index| !self.state(*index).discarded).collect();
            left.sort_by_key(|index| {
                let candidate = self.universe.get(*index);
                let protected = self.state(*index).protected;
                let mentioned = Reverse(self.universe.mentioned(&candidate.name));
                (!protected, candidate.name != relation.name, candidate.rank, mentioned)
            });
            for index in left {
                if !found.contains(&index) {
                    found.push(index);
                }
            }
        }
        found.retain(|index| !self.state(*index).protected || self.state(*index).installed);
        found
    }

    /// Marks a package for installation, and with `follow` also its dependencies. Returns whether that is possible.
    fn mark(&mut self, index: usize, follow: bool, asked_for: bool, depth: usize) -> Result<bool> {
        self.steps += 1;
        if depth > DEEPEST || self.steps > MOST_STEPS {
            return Err(Error::new(Kind::Invalid, "the dependencies of the packages are too deep to resolve")
                .fact("package", &self.universe.get(index).name));
        }
        let state = self.state(index);
        if state.discarded {
            return Ok(false);
        }
        if !state.protected && state.installed && !self.is_broken(index) {
            return Ok(true);
        }
        let needs = self.needs(index);
        if follow && let Some(unmet) = self.impossible(&needs) {
            self.failures.insert(index, Failure::Unmet(unmet));
            if !state.protected {
                *self.change(index) = State { discarded: true, ..State::default() };
            }
            return Ok(false);
        }
        let was_protected = state.protected;
        let gives_up = !was_protected && !asked_for;
        // Computed before the package itself counts as installed.
        let open: Vec<usize> = (0..needs.len()).filter(|at| was_protected || !self.holds(index, &needs[*at])).collect();
        let mut possible = true;
        if follow {
            for at in open.iter().copied().filter(|at| !needs[*at].dependency.kind.is_need()) {
                if !self.make_room(index, at, &needs[at], was_protected) {
                    possible = false;
                    if gives_up {
                        return Ok(false);
                    }
                }
            }
        }
        self.change(index).installed = true;
        if !follow {
            return Ok(possible);
        }
        self.change(index).protected = true;
        for at in open.into_iter().filter(|at| needs[*at].dependency.kind.is_need()) {
            if !self.meet(index, at, &needs[at], was_protected, depth)? {
                self.failures.entry(index).or_insert(Failure::Unmet(at));
                possible = false;
                if gives_up {
                    break;
                }
            }
        }
        self.change(index).protected = was_protected;
        if !possible && gives_up {
            *self.change(index) = State { discarded: true, ..State::default() };
        }
        Ok(possible)
    }

    /// Returns the first need that no candidate can meet.
    fn impossible(&self, needs: &[Need]) -> Option<usize> {
        needs.iter().position(|need| {
            need.dependency.kind.is_need() && need.solutions.iter().flatten().all(|index| self.state(*index).discarded)
        })
    }

    /// Removes the packages that a package conflicts with, unless they are protected.
    fn make_room(&mut self, index: usize, at: usize, need: &Need, was_protected: bool) -> bool {
        let mut possible = true;
        for other in self.choices(need) {
            let state = self.state(other);
            if other == index {
                continue;
            }
            if state.installed && state.protected {
                self.failures.entry(index).or_insert(Failure::Conflict(at, other));
                possible = false;
                continue;
            }
            if state.installed || was_protected {
                self.failures.insert(other, Failure::Conflict(usize::MAX, index));
            }
            self.change(other).installed = false;
            if was_protected {
                self.change(other).discarded = true;
            }
        }
        possible
    }

    /// Installs a package that meets a need of `index`. Returns whether one was found.
    fn meet(&mut self, index: usize, at: usize, need: &Need, was_protected: bool, depth: usize) -> Result<bool> {
        let choices = self.choices(need);
        if self.holds(index, need) {
            // The only candidate for a need of a protected package is protected too.
            if let ([only], true) = (choices.as_slice(), was_protected)
                && !self.state(*only).protected
            {
                self.change(*only).protected = true;
                return self.mark(*only, true, false, depth + 1);
            }
            return Ok(true);
        }
        for choice in &choices {
            self.reasons.entry(*choice).or_insert((index, at));
            if was_protected && choices.len() == 1 {
                if !self.mark(*choice, false, false, depth + 1)? {
                    continue;
                }
                self.change(*choice).protected = true;
            }
            if self.mark(*choice, true, false, depth + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
