//! Output `cmake`.
//!
//! ```toml
//! [outputs.whisper]
//! type = "cmake"
//! source = "whisper-cpp"               # an input of type git, or a file with `unpack = true`
//! source-directory = "vendor/whisper"  # directory of the project in it; by default the source itself
//! rocm = "rocm"                        # for a project that computes with HIP
//! sysroot = "sysroot"
//! prefix = "/opt/whisper"              # by default /opt and the output's name
//! targets = ["whisper-cli"]            # by default all
//! components = ["runtime"]             # by default all
//! environment = { NAME = "value" }
//!
//! [outputs.whisper.cmake]
//! GGML_NATIVE = false
//! ```

mod page;

use std::process::ExitStatus;

use serde_json::Value;
use toml::Spanned;

use super::fields::{cmake_variables, pairs};
use super::{build, build_lines, build_page};
use crate::error::Result;
use crate::lock::{Derive, Lock, LockedOutput, Parts};
use crate::manifest::{Form, FromFields, rules};
use crate::page::script::Script;
use crate::realize::{Made, Make, Making, Realizer};
use crate::recipe::{CMakeRecipe, Edge, OutputRole};
use crate::report::{Describe, Fact, Found, Rebuilding};

impl FromFields for CMakeRecipe {
    fn from_fields(form: &mut Form) -> Result<Self> {
        form.fields.later(&["source"]);
        Ok(Self {
            source_directory: source_directory(form)?,
            rocm: form.output("rocm", OutputRole::Rocm)?,
            sysroot: form.output("sysroot", OutputRole::Sysroot)?,
            prefix: form.prefix(&format!("/opt/{}", form.name))?,
            targets: parts(form, "targets")?,
            components: parts(form, "components")?,
            cmake: cmake_variables(form.source, form.fields)?,
            environment: pairs(form.source, form.fields, "environment", rules::is_variable)?,
            source: match form.source_tree("source")? {
                Some(source) => source,
                None => return Err(form.fields.missing("source", &[])),
            },
        })
    }
}

/// Reads the directory of the project.
fn source_directory(form: &Form) -> Result<String> {
    let Some(text) = form.fields.text("source-directory")? else { return Ok(String::new()) };
    if rules::is_source_directory(text.get_ref()) {
        return Ok(text.into_inner());
    }
    let message = "invalid directory of a project: expected a clean path below the source";
    Err(form.source.error(text.span(), message, "such as \"vendor/whisper.cpp\""))
}

/// Reads names of targets or components.
fn parts(form: &Form, field: &'static str) -> Result<Vec<String>> {
    let names = form.fields.texts(field)?.unwrap_or_default();
    if let Some(wrong) = names.iter().find(|name| !rules::is_cmake_part(name.get_ref())) {
        return Err(form.source.error(
            wrong.span(),
            format!("invalid name in `{field}`"),
            "letters, digits and `-_.+/:`",
        ));
    }
    Ok(names.into_iter().map(Spanned::into_inner).collect())
}

impl Derive for CMakeRecipe {
    fn adds(&self, parts: &Parts) -> Result<Value> {
        parts.cmake_build(self)
    }

    fn fault(&self) -> Option<String> {
        if self.cmake.keys().any(|name| !rules::is_cmake_name(name)) {
            return Some("invalid name of a CMake variable".to_owned());
        }
        if self.environment.iter().any(|(name, value)| !rules::is_variable(name, value)) {
            return Some("invalid environment variable".to_owned());
        }
        if !self.source_directory.is_empty() && !rules::is_source_directory(&self.source_directory) {
            return Some("invalid directory of a project".to_owned());
        }
        let wrong = self.targets.iter().chain(&self.components).find(|name| !rules::is_cmake_part(name));
        wrong.map(|_| "invalid name of a target or component".to_owned())
    }
}

impl Make for CMakeRecipe {
    fn make(&self, realizer: &Realizer, locked: &LockedOutput, making: Making) -> Result<Made> {
        build::make(self, realizer, locked, making)
    }

    fn edges(&self, realizer: &Realizer, rocm: &str) -> Result<Option<Vec<Edge>>> {
        build::edges(self, realizer, rocm)
    }

    fn shell(&self, realizer: &Realizer) -> Option<Result<ExitStatus>> {
        Some(build::shell(self, realizer))
    }
}

impl Describe for CMakeRecipe {
    const LABELS: &'static [&'static str] = &build_page::labels("left to the project");

    fn describe(&self, page: &mut String, lock: &Lock) {
        page::cmake(page, lock, self);
    }

    fn facts(&self, found: &Found) -> Vec<Fact> {
        build_page::facts(self, Self::LABELS, found)
    }

    fn rebuild(&self, script: &mut Script, rebuilding: &Rebuilding) -> Result<(), String> {
        build_lines::rebuild(self, script, rebuilding)
    }
}
