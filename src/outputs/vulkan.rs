//! Output `vulkan`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::fields::engine_and_roots;
use crate::error::Result;
use crate::fields::{SourceText, Table};
use crate::lock::{Derive, Lock, LockedOutput, Parts};
use crate::manifest::{Form, FromFields, rules};
use crate::page::fact;
use crate::page::script::Script;
use crate::realize::{Made, Make, Making, Realizer};
use crate::recipe::vulkan::{USUAL_DRIVER, driver_called, driver_data};
use crate::recipe::{OutputKind as _, OutputRole, VulkanRecipe};
use crate::report::{Describe, Rebuilding};

impl FromFields for VulkanRecipe {
    fn from_fields(form: &mut Form) -> Result<Self> {
        let (engine, roots) = engine_and_roots(form)?;
        let sysroot = form.output("sysroot", OutputRole::Sysroot)?;
        Ok(Self {
            engine,
            sysroot,
            drivers: drivers(form.source, form.fields)?,
            roots,
            prefix: form.prefix("/opt/vulkan")?,
        })
    }
}

/// Returns true for the name of a driver: it becomes a part of paths and of a list with `:` between them.
fn is_driver(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn drivers(source: &SourceText, fields: &Table) -> Result<Vec<String>> {
    let Some(all) = fields.texts("drivers")? else { return Ok(vec![USUAL_DRIVER.to_owned()]) };
    if all.is_empty() {
        let message = "missing driver: a Vulkan runtime needs at least one";
        return Err(source.error(fields.span.clone(), message, "such as drivers = [\"radeon\"]"));
    }
    let mut drivers: Vec<String> = Vec::new();
    for name in all {
        let driver = driver_called(name.get_ref());
        if !is_driver(driver) {
            let message = "invalid driver: expected the name of a Vulkan driver";
            return Err(source.error(name.span(), message, "such as \"radeon\" or \"lavapipe\""));
        }
        if drivers.iter().any(|known| known == driver) {
            return Err(source.error(name.span(), "a driver is named twice", "leave it out"));
        }
        drivers.push(driver.to_owned());
    }
    Ok(drivers)
}

impl Derive for VulkanRecipe {
    fn adds(&self, _: &Parts) -> Result<Value> {
        Ok(json!({ "data": driver_data(), "variables": self.part().variables() }))
    }

    fn fault(&self) -> Option<String> {
        if self.roots.is_empty() || self.roots.iter().any(|root| !rules::is_program(root)) {
            return Some("invalid root: expected names of programs".to_owned());
        }
        let unique: BTreeSet<&String> = self.drivers.iter().collect();
        let wrong = self.drivers.iter().any(|driver| !is_driver(driver) || driver_called(driver) != driver);
        if unique.is_empty() || wrong || unique.len() != self.drivers.len() {
            return Some("invalid driver: expected names of Vulkan drivers, each once".to_owned());
        }
        (!rules::is_prefix(&self.prefix)).then(|| "invalid prefix: expected a clean absolute path".to_owned())
    }
}

impl Make for VulkanRecipe {
    fn make(&self, realizer: &Realizer, locked: &LockedOutput, making: Making) -> Result<Made> {
        realizer.vulkan(locked.derivation, self, making.task)
    }
}

impl Describe for VulkanRecipe {
    fn rebuild(&self, _: &mut Script, _: &Rebuilding) -> Result<(), String> {
        Err("strixlock finds out which files are needed; `strixlock why` says why each is there".to_owned())
    }

    fn describe(&self, page: &mut String, lock: &Lock) {
        let root = lock.base_of(self.build_root()).unwrap_or("none");
        let _ = writeln!(
            page,
            "The Vulkan loader, drivers and libraries of output `{root}` that {} of output `{}` need, to stand at `{}`. The \
             bytes are those of the packages, all but the drivers' manifests, in which the path of the library is another.\n",
            self.roots.iter().map(|root| format!("`{root}`")).collect::<Vec<_>>().join(", "),
            self.engine,
            self.prefix,
        );
        fact(page, "drivers", &self.drivers.join(", "));
        for (name, value) in self.part().variables() {
            fact(page, &name, &value);
        }
    }

    fn unverified(&self, _: &Lock) -> Vec<String> {
        vec!["The C library (glibc) is that of the system on which the programs run.".to_owned()]
    }
}
