//! Everything that the package lists offer: of each name the version that apt would choose, and who provides what.

use std::collections::HashMap;
use std::io::BufRead;

use super::relation::{self, Operator, Relation};
use super::stanza::{Stanza, Stanzas};
use super::version::DebVersion;
use super::{is_package_name, is_path, is_word};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};

/// More packages than all distributions together have.
const MOST: usize = 1_000_000;

/// The fields that depend on other packages, in the order in which apt reads them.
const RELATIONS: [&str; 8] =
    ["Pre-Depends", "Depends", "Conflicts", "Breaks", "Recommends", "Suggests", "Replaces", "Enhances"];

/// The fields of a package list that are read; descriptions are most of it.
const FIELDS: &[&str] = &[
    "Package",
    "Version",
    "Architecture",
    "Filename",
    "Size",
    "SHA256",
    "Essential",
    "Important",
    "Protected",
    "Priority",
    "Multi-Arch",
    "Provides",
    "Pre-Depends",
    "Depends",
    "Conflicts",
    "Breaks",
    "Recommends",
    "Suggests",
    "Replaces",
    "Enhances",
];

/// A package that could be installed.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: DebVersion,
    /// The architecture that it is for, or `all`.
    pub architecture: String,
    /// Where it is in the archive.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
    /// Which of the releases has it.
    pub source: usize,
    pub(super) rank: Rank,
    /// `Multi-Arch: allowed`: it may stand for itself of any architecture.
    allowed: bool,
    pre_depends: String,
    depends: String,
    conflicts: String,
    breaks: String,
    provides: String,
    /// The priority of its release.
    priority: i32,
}

/// What apt prefers among packages that provide the same thing; less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    not_essential: bool,
    not_important: bool,
    /// From 1, `required`, to 5, `extra`.
    priority: u8,
}

/// A relation of a package to others.
#[derive(Debug, Clone)]
pub struct Dependency<'u> {
    /// How it is related.
    pub kind: Kinship,
    /// Any of these.
    pub alternatives: Vec<Relation<'u>>,
}

/// How a package is related to another.
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
    /// Whether the other package must be there, rather than not.
    #[must_use]
    pub fn is_need(self) -> bool {
        matches!(self, Self::PreDepends | Self::Depends)
    }

    /// The verb, for messages.
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

/// All candidates.
#[derive(Debug, Default)]
pub struct Universe {
    architecture: String,
    candidates: Vec<Candidate>,
    by_name: HashMap<String, usize>,
    /// Who provides a name, and as which version.
    providers: HashMap<String, Vec<(usize, Option<DebVersion>)>>,
    /// Names in the order in which the lists first mention them: what apt decides by when nothing else does.
    mentioned: HashMap<String, u32>,
}

impl Universe {
    /// An empty one for this architecture.
    #[must_use]
    pub fn new(architecture: &str) -> Self {
        Self { architecture: architecture.to_owned(), ..Self::default() }
    }

    /// Takes in a package list of release number `source`, whose priority is this.
    pub fn add(&mut self, list: impl BufRead, source: usize, priority: i32) -> Result<()> {
        let mut stanzas = Stanzas::new(list, FIELDS);
        while let Some(stanza) = stanzas.read()? {
            let Some(candidate) = self.candidate(&stanza, source, priority)? else { continue };
            self.mention(&candidate, &stanza);
            if self.candidates.len() >= MOST {
                return Err(Error::new(Kind::Invalid, "the package list is far longer than it can be"));
            }
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
        Ok(())
    }

    /// The package of a stanza; nothing, where it is for another architecture.
    fn candidate(&self, stanza: &Stanza, source: usize, priority: i32) -> Result<Option<Candidate>> {
        let name = stanza.get("Package").unwrap_or_default();
        let wrong = |field: &str| {
            Error::new(Kind::Invalid, format!("the package list has a package without a sound `{field}`"))
                .fact("package", name.chars().take(80).collect::<String>())
        };
        let architecture =
            stanza.get("Architecture").filter(|text| is_word(text)).ok_or_else(|| wrong("Architecture"))?;
        if architecture != self.architecture && architecture != "all" {
            return Ok(None);
        }
        if !is_package_name(name) {
            return Err(wrong("Package"));
        }
        let text = |field: &str| stanza.get(field).unwrap_or_default().to_owned();
        let version = stanza.get("Version").and_then(DebVersion::parse).ok_or_else(|| wrong("Version"))?;
        let digest = stanza.get("SHA256").and_then(Sha256Digest::from_hex).ok_or_else(|| wrong("SHA256"))?;
        let path = stanza.get("Filename").map(|path| path.trim_start_matches("./")).filter(|path| is_path(path));
        Ok(Some(Candidate {
            name: name.to_owned(),
            version,
            architecture: architecture.to_owned(),
            path: path.ok_or_else(|| wrong("Filename"))?.to_owned(),
            size: stanza.get("Size").and_then(|size| size.parse().ok()).ok_or_else(|| wrong("Size"))?,
            sha256: digest,
            source,
            rank: Rank {
                not_essential: !stanza.says_yes("Essential"),
                not_important: !(stanza.says_yes("Important") || stanza.says_yes("Protected")),
                priority: match stanza.get("Priority") {
                    Some("required") => 1,
                    Some("important") => 2,
                    Some("standard") => 3,
                    Some("optional") => 4,
                    _ => 5,
                },
            },
            allowed: stanza.get("Multi-Arch") == Some("allowed"),
            pre_depends: text("Pre-Depends"),
            depends: text("Depends"),
            conflicts: text("Conflicts"),
            breaks: text("Breaks"),
            provides: text("Provides"),
            priority,
        }))
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

    /// Works out who provides what, once all lists are in.
    pub fn finish(&mut self) -> Result<()> {
        let mut providers: HashMap<String, Vec<(usize, Option<DebVersion>)>> = HashMap::new();
        for (index, candidate) in self.candidates.iter().enumerate() {
            let provided = relation::parse(&candidate.provides).map_err(|text| unreadable(candidate, &text))?;
            for relation in provided.into_iter().filter_map(|group| group.into_iter().next()) {
                let version = match relation.version {
                    Some((Operator::Equal, version)) => Some(version),
                    _ => None,
                };
                if candidate.allowed {
                    providers.entry(format!("{}:any", relation.name)).or_default().push((index, version.clone()));
                }
                providers.entry(relation.name.to_owned()).or_default().push((index, version));
            }
            if candidate.allowed {
                let own = (index, Some(candidate.version.clone()));
                providers.entry(format!("{}:any", candidate.name)).or_default().push(own);
            }
        }
        self.providers = providers;
        Ok(())
    }

    /// The candidate with this number.
    #[must_use]
    pub fn get(&self, index: usize) -> &Candidate {
        &self.candidates[index]
    }

    /// The number of the candidate with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// All names of candidates.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.candidates.iter().map(|candidate| candidate.name.as_str())
    }

    /// Who provides a name, and as which version.
    #[must_use]
    pub fn providers(&self, name: &str) -> &[(usize, Option<DebVersion>)] {
        self.providers.get(name).map_or(&[], Vec::as_slice)
    }

    /// When the lists first mention a name.
    #[must_use]
    pub fn mentioned(&self, name: &str) -> u32 {
        self.mentioned.get(name).copied().unwrap_or(u32::MAX)
    }

    /// What a candidate needs and what it cannot stand, in apt's order.
    pub fn dependencies(&self, index: usize) -> Result<Vec<Dependency<'_>>> {
        let candidate = &self.candidates[index];
        let fields = [
            (Kinship::PreDepends, &candidate.pre_depends),
            (Kinship::Depends, &candidate.depends),
            (Kinship::Conflicts, &candidate.conflicts),
            (Kinship::Breaks, &candidate.breaks),
        ];
        let mut all = Vec::new();
        for (kind, field) in fields {
            let groups = relation::parse(field).map_err(|text| unreadable(candidate, &text))?;
            all.extend(groups.into_iter().map(|alternatives| Dependency { kind, alternatives }));
        }
        Ok(all)
    }

    /// The candidates that a relation is satisfied by, each once.
    #[must_use]
    pub fn solutions(&self, relation: &Relation) -> Vec<usize> {
        let any = format!("{}:any", relation.name);
        let name = match relation.qualifier {
            None | Some("native") => relation.name,
            Some("any") => any.as_str(),
            Some(architecture) if architecture == self.architecture => relation.name,
            Some(_) => return Vec::new(),
        };
        let fits = |version: Option<&DebVersion>| match (&relation.version, version) {
            (None, _) => true,
            // What is provided without a version satisfies no wish for one.
            (Some(_), None) => false,
            (Some((operator, wanted)), Some(version)) => operator.holds(version.compare(wanted)),
        };
        let mut found = Vec::new();
        if let Some(index) = self.named(name).filter(|index| fits(Some(&self.candidates[*index].version))) {
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

fn unreadable(candidate: &Candidate, text: &str) -> Error {
    Error::new(Kind::Invalid, "the package list has a relation that cannot be read")
        .fact("package", format!("{} {}", candidate.name, candidate.version))
        .fact("relation", text)
}
