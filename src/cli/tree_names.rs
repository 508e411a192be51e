//! Names of the trees in a store, for people: `rocm 10.2.0a20261120`, `runtime of generation 3`.

use std::collections::BTreeMap;

use super::versions::versions;
use crate::digest::TreeDigest;
use crate::lock::Lock;
use crate::realize::own_version;
use crate::store::{Profile, Store};

/// The names of trees that generations and registered locks lead to. Records that cannot be read give no names.
pub(super) struct TreeNames(BTreeMap<TreeDigest, Name>);

struct Name {
    /// Output or input, and its version.
    what: String,
    /// True if `what` has no version.
    is_bare: bool,
    /// The first generation that has the tree, as in `project-12345678/3` for another profile's.
    generation: Option<String>,
}

impl TreeNames {
    /// Reads the names. Generations of `own` have numbers alone.
    pub fn read(store: &Store, own: Option<&Profile>) -> Self {
        let mut names = Self(BTreeMap::new());
        for profile in store.profiles().unwrap_or_default() {
            for number in profile.generations().unwrap_or_default() {
                let Ok(generation) = profile.generation(number) else { continue };
                let is_own = own.is_some_and(|own| own.name() == profile.name());
                let numbered = if is_own { number.to_string() } else { format!("{}/{number}", profile.name()) };
                for output in versions(&profile, number, &generation) {
                    if let Some(there) = generation.outputs.get(&output.name) {
                        names.add(there.tree, &output.name, &output.short, Some(&numbered));
                    }
                }
            }
        }
        for path in store.registered_locks(false, true).unwrap_or_default() {
            if let Ok(lock) = Lock::read(&path) {
                names.add_lock(store, &lock);
            }
        }
        names
    }

    /// Adds the trees of a lock's outputs and inputs.
    pub fn add_lock(&mut self, store: &Store, lock: &Lock) {
        for (name, output) in &lock.outputs {
            let record = store.output_record(output.derivation).ok().flatten();
            for tree in output.tree.into_iter().chain(record.map(|record| record.tree)) {
                self.add(tree, name, &own_version(lock, name), None);
            }
        }
        for (name, input) in &lock.inputs {
            if let Some(tree) = input.tree() {
                self.add(tree.digest, name, &input.short_version(), None);
            }
        }
    }

    fn add(&mut self, tree: TreeDigest, name: &str, version: &str, generation: Option<&str>) {
        let what = format!("{name} {version}").trim_end().to_owned();
        let generation = generation.map(str::to_owned);
        self.0.entry(tree).or_insert(Name { what, is_bare: version.is_empty(), generation });
    }

    /// Returns the name of a tree; `None` if nothing leads to it. The generation is added if the name alone does not
    /// tell which tree is meant.
    pub fn of(&self, tree: TreeDigest) -> Option<String> {
        let name = self.0.get(&tree)?;
        let others = self.0.values().filter(|other| other.what == name.what).count();
        if others == 1 && !name.is_bare {
            return Some(name.what.clone());
        }
        Some(match &name.generation {
            Some(generation) => format!("{} of generation {generation}", name.what),
            None => name.what.clone(),
        })
    }

    /// Returns the name of a tree, or else the beginning of its digest.
    pub fn or_digest(&self, tree: TreeDigest) -> String {
        self.of(tree).unwrap_or_else(|| format!("unused tree {}", &tree.hex()[..12]))
    }
}
