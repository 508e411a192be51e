//! All packages of the lists: for each name the version that apt would choose, and the providers of virtual packages.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use tracing::debug;

use super::candidate::{Candidate, FIELDS, RELATIONS, Read};
use super::ranking::Ranking;
use super::stanza::{Stanza, Stanzas};
use crate::deb::DebVersion;
use crate::deb::relation::{self, Relation};
use crate::error::{Error, Kind, Result};
use crate::log::LISTS;

/// Greatest number of packages in a list, more than all distributions together have.
const MOST: usize = 1_000_000;

/// Greatest number of skipped packages that are remembered, to explain why they are not found.
const REMEMBERED: usize = 10_000;

/// Greatest number of odd packages of a list that a warning names.
const EXAMPLES: usize = 3;

/// A relation of a package to others.
#[derive(Debug, Clone)]
pub struct Dependency<'u> {
    /// The kind of relation.
    pub kind: Kinship,
    /// The alternatives, any of which satisfies it.
    pub alternatives: Vec<Relation<'u>>,
}

/// The kind of a relation between packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// `Pre-Depends`
    PreDepends,
    /// `Depends`
    Depends,
    /// `Conflicts`
    Conflicts,
    /// `Breaks`
    Breaks,
}

impl Kinship {
    /// Returns whether the other package must be installed, rather than absent.
    #[must_use]
    pub fn is_need(self) -> bool {
        matches!(self, Self::PreDepends | Self::Depends)
    }

    /// Returns the verb, for messages.
    #[must_use]
    pub fn verb(self) -> &'static str {
        match self {
            Self::PreDepends => "pre-depends on",
            Self::Depends => "depends on",
            Self::Conflicts => "conflicts with",
            Self::Breaks => "breaks",
        }
    }
}

/// The unusable packages of a list: their number, and some of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PassedOver {
    count: usize,
    examples: Vec<String>,
}

impl PassedOver {
    fn tell(&mut self, name: &str, why: &str) {
        debug!(target: LISTS, "package {name:?} is skipped: {why}");
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("`{}`: {why}", if name.is_empty() { "no name" } else { name }));
        }
    }

    /// Returns the warning about them, if there are any. The list is called `list`.
    #[must_use]
    pub fn told(&self, list: &str) -> Option<String> {
        let what = match self.count {
            0 => return None,
            1 => "1 odd package".to_owned(),
            count => format!("{count} odd packages"),
        };
        let more = if self.count > self.examples.len() { ", and more" } else { "" };
        Some(format!("{what} in {list} ({}{more})", self.examples.join("; ")))
    }
}

/// All candidates.
#[derive(Debug, Default)]
pub struct Universe {
    architecture: String,
    candidates: Vec<Candidate>,
    by_name: HashMap<String, usize>,
    /// The providers of each name, with the version that they provide.
    providers: HashMap<String, Vec<(usize, Option<DebVersion>)>>,
    /// Names of skipped packages, and why they were skipped.
    passed_over: HashMap<String, String>,
    /// Names of packages with versions that a pin forbids.
    forbidden: HashSet<String>,
    /// Names in the order in which the lists first mention them: apt's last criterion.
    mentioned: HashMap<String, u32>,
}

impl Universe {
    /// Returns an empty universe for this architecture.
    #[must_use]
    pub fn new(architecture: &str) -> Self {
        Self { architecture: architecture.to_owned(), ..Self::default() }
    }

    /// Adds a package list of release number `source`, with the ranks of its versions. Returns the unusable packages,
    /// which are an error only once they are wanted.
    pub fn add(&mut self, list: impl BufRead, source: usize, ranking: &Ranking) -> Result<PassedOver> {
        let mut stanzas = Stanzas::new(list, FIELDS);
        let mut passed = PassedOver::default();
        let mut read = 0;
        while let Some(stanza) = stanzas.read_any()? {
            read += 1;
            if read > MOST {
                return Err(Error::new(Kind::Invalid, "the package list is too long"));
            }
            match Candidate::read(&stanza, &self.architecture, source) {
                Read::Foreign => {}
                Read::PassedOver(name, why) => {
                    passed.tell(&name, &why);
                    if self.passed_over.len() < REMEMBERED {
                        self.passed_over.entry(name).or_insert(why);
                    }
                }
                Read::Candidate(candidate) => {
                    if let Some(why) = &candidate.odd {
                        passed.tell(&candidate.name, why);
                    } else if candidate.provides_unequal() {
                        passed.tell(&candidate.name, "what it provides with a version range is ignored");
                    }
                    self.mention(&candidate, &stanza);
                    let priority = ranking.of(&candidate.name, &candidate.version);
                    if priority > 0 {
                        self.offer(Candidate { priority, ..*candidate });
                    } else if self.forbidden.len() < REMEMBERED {
                        self.forbidden.insert(candidate.name);
                    }
                }
            }
        }
        Ok(passed)
    }

    /// Adds a candidate if it is the best of its name so far.
    fn offer(&mut self, candidate: Candidate) {
        match self.by_name.get(&candidate.name) {
            None => {
                self.by_name.insert(candidate.name.clone(), self.candidates.len());
                self.candidates.push(candidate);
            }
            Some(index) => {
                let known = &mut self.candidates[*index];
                let newer = candidate.version.compare(&known.version);
                if candidate.priority.cmp(&known.priority).then(newer).is_gt() {
                    *known = candidate;
                }
            }
        }
    }

    fn mention(&mut self, candidate: &Candidate, stanza: &Stanza) {
        let mut first = |name: &str| {
            if !self.mentioned.contains_key(name) {
                let number = u32::try_from(self.mentioned.len()).unwrap_or(u32::MAX);
                self.mentioned.insert(name.to_owned(), number);
            }
        };
        first(&candidate.name);
        let fields = RELATIONS.iter().filter_map(|field| stanza.get(field)).chain([candidate.provides.as_str()]);
        fields.flat_map(relation::names).for_each(&mut first);
        if candidate.allowed {
            first(&format!("{}:any", candidate.name));
        }
    }

    /// Computes the providers. Call it after the last list.
    pub fn finish(&mut self) {
        let mut providers: HashMap<String, Vec<(usize, Option<DebVersion>)>> = HashMap::new();
        for (index, candidate) in self.candidates.iter().enumerate() {
            for (name, version) in candidate.provided(&self.architecture) {
                providers.entry(name).or_default().push((index, version));
            }
        }
        self.providers = providers;
    }

    /// Returns why a package of this name was skipped, if one was.
    #[must_use]
    pub fn passed_over(&self, name: &str) -> Option<&str> {
        self.passed_over.get(name).map(String::as_str)
    }

    /// Returns whether a pin forbids versions of the package with this name.
    #[must_use]
    pub fn is_forbidden(&self, name: &str) -> bool {
        self.forbidden.contains(name)
    }

    /// Returns the candidate with this number.
    #[must_use]
    pub fn get(&self, index: usize) -> &Candidate {
        &self.candidates[index]
    }

    /// Returns the number of the candidate with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Returns the names of all candidates.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.candidates.iter().map(|candidate| candidate.name.as_str())
    }

    /// Returns the providers of a name, with the version that they provide.
    #[must_use]
    pub fn providers(&self, name: &str) -> &[(usize, Option<DebVersion>)] {
        self.providers.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns the position at which the lists first mention a name.
    #[must_use]
    pub fn mentioned(&self, name: &str) -> u32 {
        self.mentioned.get(name).copied().unwrap_or(u32::MAX)
    }

    /// Returns the relations of a candidate, in apt's order. An invalid field, which makes a candidate odd, has none.
    #[must_use]
    pub fn dependencies(&self, index: usize) -> Vec<Dependency<'_>> {
        let candidate = &self.candidates[index];
        let fields = [
            (Kinship::PreDepends, &candidate.pre_depends),
            (Kinship::Depends, &candidate.depends),
            (Kinship::Conflicts, &candidate.conflicts),
            (Kinship::Breaks, &candidate.breaks),
        ];
        let mut all = Vec::new();
        for (kind, field) in fields {
            let groups = relation::parse(field).unwrap_or_default();
            all.extend(groups.into_iter().map(|alternatives| Dependency { kind, alternatives }));
        }
        all
    }

    /// Returns the candidates that satisfy a relation, each once.
    #[must_use]
    pub fn solutions(&self, relation: &Relation) -> Vec<usize> {
        let qualified;
        let (name, own) = match relation.qualifier {
            None | Some("native") => (relation.name, self.named(relation.name)),
            Some(architecture) if architecture == self.architecture => (relation.name, self.named(relation.name)),
            Some(other) => {
                qualified = format!("{}:{other}", relation.name);
                (qualified.as_str(), None)
            }
        };
        let fits = |version: Option<&DebVersion>| match (&relation.version, version) {
            (None, _) => true,
            // A name provided without a version satisfies no relation with one.
            (Some(_), None) => false,
            (Some((operator, wanted)), Some(version)) => operator.holds(version.compare(wanted)),
        };
        let mut found = Vec::new();
        if let Some(index) = own.filter(|index| fits(Some(&self.candidates[*index].version))) {
            found.push(index);
        }
        for (index, version) in self.providers(name) {
            if fits(version.as_ref()) && !found.contains(index) {
                found.push(*index);
            }
        }
        found
    }
}
