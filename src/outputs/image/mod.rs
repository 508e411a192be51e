//! Output `image`.

mod fields;
mod page;

use serde_json::{Value, json};

use crate::error::Result;
use crate::lock::{Derive, Lock, LockedOutput, Parts, labels};
use crate::manifest::{Form, FromFields, rules};
use crate::oci::{Config, is_repository};
use crate::page::script::Script;
use crate::realize::{Made, Make, Making, Realizer};
use crate::recipe::image::{CREATED, MODES, SET_UP};
use crate::recipe::{ImageRecipe, base_files};
use crate::report::{Describe, Fact, Found, Rebuilding};

impl Derive for ImageRecipe {
    fn adds(&self, parts: &Parts) -> Result<Value> {
        let prefixes = self.prefixes(|name| parts.recipe(name));
        let labels = labels(self, parts.inputs, |name| parts.recipe(name));
        Ok(json!({
            "compressor": self.compression.compressor(),
            // Without that of a base image, which the digests of its input cover.
            "config": self.config(prefixes, labels, Config::default()),
            "created": CREATED,
            "base": self.base.as_ref().map(|_| json!({ "modes": MODES, "files": base_files::tables() })),
            "profile": String::from_utf8_lossy(&base_files::profile(&self.variables(prefixes))),
            "set-up": self.is_toolbox().then_some(SET_UP),
        }))
    }

    fn fault(&self) -> Option<String> {
        let sound = is_repository(&self.name)
            && self.program.as_deref().is_none_or(rules::is_program)
            && self.user.as_deref().is_none_or(rules::is_user)
            && self.environment.iter().all(|(name, value)| rules::is_variable(name, value))
            && self.labels.iter().all(|(name, value)| rules::is_label(name, value));
        (!sound).then(|| "invalid name, program, user, variable or label of an image".to_owned())
    }
}

impl FromFields for ImageRecipe {
    fn from_fields(form: &mut Form) -> Result<Self> {
        fields::recipe(form)
    }
}

impl Make for ImageRecipe {
    fn make(&self, realizer: &Realizer, locked: &LockedOutput, making: Making) -> Result<Made> {
        realizer.image(locked, self, making.anew)
    }
}

impl Describe for ImageRecipe {
    const LABELS: &'static [&'static str] = &page::LABELS;

    fn describe(&self, page: &mut String, _: &Lock) {
        page::image(page, self);
    }

    fn facts(&self, found: &Found) -> Vec<Fact> {
        page::facts(found)
    }

    fn checks(&self, place: &str, fact: &dyn Fn(&str) -> Option<Vec<String>>) -> Vec<String> {
        page::checks(place, fact)
    }

    fn rebuild(&self, _: &mut Script, _: &Rebuilding) -> Result<(), String> {
        Err("layers are packed and compressed by rules of strixlock; `strixlock export oci` makes them".to_owned())
    }
}
