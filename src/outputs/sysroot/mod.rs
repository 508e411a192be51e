//! Output `sysroot`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use toml::de::DeValue;

use crate::error::Result;
use crate::fields::{SourceText, Table};
use crate::inputs::InputKind;
use crate::lock::{Derive, Lock, LockedOutput, Parts};
use crate::manifest::{Form, FromFields, rules};
use crate::page::fact;
use crate::page::script::Script;
use crate::realize::{Made, Make, Making, Realizer};
use crate::recipe::SysrootRecipe;
use crate::recipe::sysroot::LINKS;
use crate::report::{Describe, Rebuilding};

impl FromFields for SysrootRecipe {
    fn from_fields(form: &mut Form) -> Result<Self> {
        if let Some(image) = form.input("image", InputKind::Oci)? {
            return Ok(Self { packages: None, image: Some(image), links: BTreeMap::new() });
        }
        let packages = form.input_or("packages", InputKind::Debs, "sysroot")?;
        Ok(Self { packages: Some(packages), image: None, links: links(form.source, form.fields)? })
    }
}

/// Parses the links of the manifest: path and target.
fn links(source: &SourceText, fields: &Table) -> Result<BTreeMap<String, String>> {
    let mut links = BTreeMap::new();
    let Some(table) = fields.table("links")? else { return Ok(links) };
    for (key, value) in table.entries() {
        let path = key.get_ref();
        let DeValue::String(target) = value.get_ref() else {
            return Err(table.wrong_type(value.span(), path, "a string", value.get_ref()));
        };
        if !rules::is_link(path, target) {
            let message = "invalid link: expected a path below the root and a target";
            return Err(source.error(key.span(), message, "such as \"usr/bin/cc\" = \"gcc\""));
        }
        links.insert(path.clone().into_owned(), target.clone().into_owned());
    }
    Ok(links)
}

impl Derive for SysrootRecipe {
    fn adds(&self, _: &Parts) -> Result<Value> {
        // The layers of a base image have their own links.
        Ok(if self.packages.is_some() { json!({ "links": LINKS }) } else { json!({}) })
    }

    fn fault(&self) -> Option<String> {
        let wrong = self.links.iter().any(|(path, target)| !rules::is_link(path, target));
        wrong.then(|| "invalid link: expected paths and targets".to_owned())
    }
}

impl Make for SysrootRecipe {
    fn make(&self, realizer: &Realizer, _: &LockedOutput, _: Making) -> Result<Made> {
        realizer.sysroot(self)
    }
}

impl Describe for SysrootRecipe {
    fn describe(&self, page: &mut String, _: &Lock) {
        if let Some(packages) = &self.packages {
            let _ = writeln!(
                page,
                "The packages of input `{packages}`, unpacked without running anything of them, with a merged `/usr` \
                 and dpkg's database.",
            );
        }
        if let Some(image) = &self.image {
            let _ = writeln!(page, "The layers of input `{image}`, laid over each other.");
        }
        if !self.links.is_empty() {
            let _ = writeln!(page, "\nLinks from the manifest:\n");
            for (path, target) in &self.links {
                fact(page, path, target);
            }
        }
    }

    fn unverified(&self, _: &Lock) -> Vec<String> {
        let scripts = "Maintainer scripts of packages are not run, so the root is not one that dpkg would have made.";
        self.packages.iter().map(|_| scripts.to_owned()).collect()
    }

    fn rebuild(&self, script: &mut Script, rebuilding: &Rebuilding) -> Result<(), String> {
        let packages = self.packages.as_ref().ok_or("it has no packages")?;
        let (root, packages) = (rebuilding.place(), format!("inputs/{packages}"));
        script.functions(include_str!("rebuild.sh"));
        script.run(&["unpack_packages", &root, &packages]);
        for (path, target) in &self.links {
            script.run(&["make_link", &root, path, target]);
        }
        for (path, target) in LINKS {
            script.run(&["usual_link", &root, path, target]);
        }
        script.run(&["record_packages", &root, &packages]);
        Ok(())
    }
}
