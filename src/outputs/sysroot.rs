//! Output `sysroot`.

use serde_json::{Value, json};

use crate::error::Result;
use crate::lock::{Derive, Parts};
use crate::manifest::rules;
use crate::recipe::SysrootRecipe;
use crate::recipe::sysroot::LINKS;

impl Derive for SysrootRecipe {
    fn adds(&self, _: &Parts) -> Result<Value> {
        // The layers of a base image come with their links.
        Ok(if self.packages.is_some() { json!({ "links": LINKS }) } else { json!({}) })
    }

    fn fault(&self) -> Option<String> {
        let wrong = self.links.iter().any(|(path, target)| !rules::is_link(path, target));
        wrong.then(|| "its links are not paths and targets".to_owned())
    }
}
