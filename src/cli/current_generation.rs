//! The current generation, compared with the lock.

use super::versions::{OutputVersion, versions};
use crate::error::Result;
use crate::lock::Lock;
use crate::realize::own_version;
use crate::store::{GenerationOutput, Profile};

/// The current generation of a profile, and where it differs from the lock.
pub(super) struct CurrentGeneration {
    /// Its number.
    pub current: u64,
    /// The newest generation.
    pub newest: u64,
    /// Outputs that differ: those that `realize` makes without being named, and images in the generation.
    pub differs: Vec<String>,
    /// True if all of these are images, which `realize` makes only if they are named.
    named: bool,
    /// Its outputs.
    versions: Vec<OutputVersion>,
}

impl CurrentGeneration {
    /// Compares the current generation with the lock. Returns `None` if there is no generation.
    pub fn of(profile: &Profile, lock: &Lock) -> Result<Option<Self>> {
        let Some(current) = profile.current()? else { return Ok(None) };
        let generation = profile.generation(current)?;
        let versions = versions(profile, current, &generation);
        let trees = generation.outputs;
        let newest = profile.generations()?.last().copied().unwrap_or(current);
        let usual: Vec<&String> = lock.usual_outputs().collect();
        let moved = |name: &String, there: Option<&GenerationOutput>| {
            lock.outputs.get(name).is_none_or(|locked| {
                // A seal decides, whichever recipe the tree was made by.
                there.is_none_or(|there| match locked.tree {
                    Some(tree) => tree != there.tree,
                    None => there.derivation != locked.derivation,
                })
            })
        };
        let unnamed: Vec<String> =
            usual.iter().filter(|name| moved(name, trees.get(**name))).map(|name| (*name).clone()).collect();
        let others = trees.iter().filter(|(name, there)| {
            !usual.contains(name) && lock.outputs.contains_key(*name) && moved(name, Some(there))
        });
        let named: Vec<String> = others.map(|(name, _)| name.clone()).collect();
        let only_named = unnamed.is_empty() && !named.is_empty();
        let differs = unnamed.into_iter().chain(named).collect();
        Ok(Some(Self { current, newest, differs, named: only_named, versions }))
    }

    /// Returns the command that realizes what differs.
    pub fn command(&self) -> String {
        if self.named {
            format!("strixlock realize {}", self.differs.join(" "))
        } else {
            "strixlock realize".to_owned()
        }
    }

    /// Returns a sentence about the generation.
    pub fn text(&self) -> String {
        let Self { current, newest, differs, .. } = self;
        let newer = if newest == current { String::new() } else { format!(" (the newest is {newest})") };
        if differs.is_empty() {
            return format!("generation {current} is current{newer} and up to date with the lock");
        }
        format!("generation {current} is current{newer} and differs from the lock in {}", differs.join(", "))
    }

    /// Returns the versions that the lock pins and the generation does not have, such as `rocm 10.2.0a20261120`; else
    /// the names of the outputs that differ.
    pub fn pinned_instead(&self, lock: &Lock) -> String {
        let other = |name: &&String| {
            let short = own_version(lock, name);
            let here = self.versions.iter().any(|output| output.name == **name && output.short == short);
            (!short.is_empty() && !here).then(|| format!("{name} {short}"))
        };
        let other: Vec<String> = self.differs.iter().filter_map(|name| other(&name)).collect();
        if other.is_empty() { format!("another {}", self.differs.join(", ")) } else { other.join(", ") }
    }
}
