//! Pins of a lock that are known to be bad.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Lock;
use crate::advisories::{self, Advisory, Pinned, Software, Use};
use crate::inputs::LockedInput;
use crate::recipe::{Backend, Recipe};

/// A pin that is known to be bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The name of the input.
    pub input: String,
    /// Its version.
    pub version: String,
    /// The entry that says so.
    pub advisory: Advisory,
}

/// A pin that an advisory can be about.
#[derive(Debug, Clone)]
pub struct Judged<'l> {
    /// The name of the input.
    pub input: &'l str,
    /// Its version.
    pub version: String,
    /// Its version in comparable form.
    pub pinned: Pinned<'l>,
    /// The outputs that are made from it.
    pub used: Use<'l>,
}

impl Advice {
    /// Returns one line for a person, with the source.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}: {} is {}", self.input, self.version, self.advisory.text())
    }

    /// Returns the command that takes another version.
    #[must_use]
    pub fn remedy(&self) -> String {
        match (self.advisory.about, &self.advisory.until) {
            (Software::Rocm, _) => format!("strixlock update {} --skip-bad", self.input),
            (Software::LlamaCpp, Some(_)) => format!("strixlock update {}", self.input),
            (Software::Linux | Software::Firmware, _) => "strixlock doctor".to_owned(),
            (Software::LlamaCpp, None) => format!("name an earlier `tag` of {} in the manifest", self.input),
        }
    }
}

/// Returns the advisories of the program and of the documents among these inputs.
#[must_use]
pub fn known(inputs: &BTreeMap<String, LockedInput>) -> Vec<Advisory> {
    advisories::with(inputs.values().filter_map(|input| match input {
        LockedInput::Advisories(block) => Some(block.locked.entries.as_slice()),
        _ => None,
    }))
}

impl Lock {
    /// Returns the pins that are known to be bad for the outputs that are made from them, in the order of the inputs.
    #[must_use]
    pub fn advice(&self) -> Vec<Advice> {
        let known = known(&self.inputs);
        let mut all = Vec::new();
        for pin in self.judged() {
            let bad = known.iter().filter(|one| one.applies(pin.pinned, &pin.used));
            all.extend(bad.map(|one| Advice {
                input: pin.input.to_owned(),
                version: pin.version.clone(),
                advisory: one.clone(),
            }));
        }
        all
    }

    /// Returns the pins that an advisory can be about, in the order of the inputs.
    #[must_use]
    pub fn judged(&self) -> Vec<Judged<'_>> {
        let mut all = Vec::new();
        for (name, input) in &self.inputs {
            let (pinned, used) = match input {
                LockedInput::Rocm(block) => (
                    Pinned::Rocm(&block.locked.version, input.day()),
                    Use { backends: Vec::new(), targets: vec![block.requested.target.clone()] },
                ),
                LockedInput::Git(block) => {
                    let Some(used) = self.use_of(name) else { continue };
                    (Pinned::LlamaCpp(block.locked.number, input.day()), used)
                }
                LockedInput::Release(block) => {
                    let (Some(used), Some(number)) = (self.use_of(name), block.locked.number) else { continue };
                    (Pinned::LlamaCpp(number, input.day()), used)
                }
                _ => continue,
            };
            all.push(Judged { input: name, version: input.short_version(), pinned, used });
        }
        all
    }

    /// Returns the backends and GPUs of the engines that are made from an input; `None` if nothing is made from it.
    fn use_of(&self, input: &str) -> Option<Use<'_>> {
        let mut used = Use::default();
        for output in self.outputs.values() {
            let backend = match &output.recipe {
                Recipe::Llama(recipe) if recipe.source == input => recipe.backend.name(),
                Recipe::Prebuilt(recipe) if recipe.input == input && recipe.rocm.is_some() => Backend::Hip.name(),
                Recipe::Prebuilt(recipe) if recipe.input == input => Backend::Cpu.name(),
                _ => continue,
            };
            used.backends.push(backend);
            used.targets.extend(self.targets(&output.recipe));
        }
        (!used.backends.is_empty()).then_some(used)
    }
}
