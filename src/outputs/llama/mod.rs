//! Output `llama`: a build with CMake, and what is known of llama.cpp.

mod page;

use std::process::ExitStatus;

use serde_json::{Value, json};
use toml::Spanned;
use toml::de::DeValue;

use super::fields::cmake_variables;
use super::{build, build_lines, build_page};
use crate::error::{Error, Result};
use crate::fields::{SourceText, Table};
use crate::gfx::GfxTarget;
use crate::inputs::llama_ui::LlamaUiRequest;
use crate::inputs::{InputKind, InputRequest};
use crate::lock::{Derive, Lock, LockedOutput, Parts};
use crate::manifest::{Form, FromFields, rules};
use crate::page::script::Script;
use crate::realize::{Made, Make, Making, Realizer};
use crate::recipe::llama;
use crate::recipe::{Backend, Edge, LlamaRecipe, OutputRole};
use crate::report::{Describe, Fact, Found, Rebuilding};

/// The usual name of the input with the sources.
const SOURCE: &str = "llama-cpp";
/// The word for the web UI that llama.cpp publishes for the build.
const UPSTREAM: &str = "upstream";

impl FromFields for LlamaRecipe {
    fn from_fields(form: &mut Form) -> Result<Self> {
        let backend = form.fields.parsed("backend", Backend::Hip, str::parse)?;
        Ok(Self {
            source: form.input_or("source", InputKind::Git, SOURCE)?,
            rocm: if backend == Backend::Hip { Some(form.output_or("rocm", OutputRole::Rocm, "rocm")?) } else { None },
            sysroot: form.output("sysroot", OutputRole::Sysroot)?,
            backend,
            prefix: form.prefix("/opt/llama")?,
            cpu: cpu(form.fields)?,
            targets: if backend == Backend::Hip { targets(form.source, form.fields)? } else { Vec::new() },
            ui: ui(form)?,
            cmake: cmake_variables(form.source, form.fields)?,
        })
    }
}

/// Parses the processor of a build.
fn cpu(fields: &Table) -> Result<Option<String>> {
    let parse = |text: &str| llama::demand_processor(text).map(|()| Some(text.to_owned()));
    fields.parsed("cpu", None, parse)
}

/// Parses the GPUs of a build.
fn targets(source: &SourceText, fields: &Table) -> Result<Vec<GfxTarget>> {
    let mut all: Vec<GfxTarget> = Vec::new();
    let Some(texts) = fields.texts("targets")? else { return Ok(all) };
    if texts.is_empty() {
        let span = fields.field("targets").map_or_else(|| fields.span.clone(), toml::Spanned::span);
        return Err(source.error(span, "`targets` names no GPU", "leave it out, or name one such as \"gfx1151\""));
    }
    for text in texts {
        let target = text.get_ref().parse().map_err(|error: Error| source.at(text.span(), &error))?;
        if all.contains(&target) {
            return Err(source.error(text.span(), format!("repeated GPU `{target}`"), "each is named once"));
        }
        all.push(target);
    }
    Ok(all)
}

/// Parses the web UI of a build: `"upstream"`, the name of an input, or false.
fn ui(form: &mut Form) -> Result<Option<String>> {
    match form.fields.field("ui").map(|value| (value.span(), value.get_ref())) {
        None | Some((_, DeValue::Boolean(false))) => Ok(None),
        Some((_, DeValue::String(text))) if text == UPSTREAM => {
            let Some(field) = form.fields.text("ui")? else { return Ok(None) };
            let source = form.fields.text("source")?.map_or_else(|| SOURCE.to_owned(), Spanned::into_inner);
            let source = form.renamed_input(&source);
            let request = InputRequest::LlamaUi(LlamaUiRequest::upstream(&source));
            form.implied(&field, &format!("{source}-ui"), request).map(Some)
        }
        Some((_, DeValue::String(_))) => form.input("ui", InputKind::LlamaUi),
        Some((span, other)) => {
            Err(form.fields.wrong_type(span, "ui", "\"upstream\", the name of an input, or false", other))
        }
    }
}

impl Derive for LlamaRecipe {
    fn adds(&self, parts: &Parts) -> Result<Value> {
        let mut adds = parts.cmake_build(self)?;
        // The source decides which of the names it has.
        adds["decisions"] = json!(llama::decisions());
        Ok(adds)
    }

    fn fault(&self) -> Option<String> {
        if self.cmake.keys().any(|name| !rules::is_cmake_name(name)) {
            return Some("invalid name of a CMake variable".to_owned());
        }
        let repeated = (1..self.targets.len()).any(|at| self.targets[..at].contains(&self.targets[at]));
        if repeated || (self.rocm.is_none() && !self.targets.is_empty()) {
            return Some("invalid targets: expected GPUs of a ROCm tree, each once".to_owned());
        }
        let unknown = self.cpu.as_deref().filter(|name| llama::demand_processor(name).is_err());
        unknown.map(|name| format!("unknown processor `{name}`"))
    }
}

impl Make for LlamaRecipe {
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

impl Describe for LlamaRecipe {
    const LABELS: &'static [&'static str] = &build_page::labels("left to llama.cpp");

    fn describe(&self, page: &mut String, lock: &Lock) {
        page::llama(page, lock, self);
    }

    fn lists(&self, name: &str, page: &mut String) {
        page::lists(name, page, self);
    }

    fn facts(&self, found: &Found) -> Vec<Fact> {
        build_page::facts(self, Self::LABELS, found)
    }

    fn unverified(&self, _: &Lock) -> Vec<String> {
        page::unverified(self)
    }

    fn rebuild(&self, script: &mut Script, rebuilding: &Rebuilding) -> Result<(), String> {
        build_lines::rebuild(self, script, rebuilding)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn variables_environment_and_commands_of_the_recipe_are_part_of_the_id() {
        let (digest, commit) = (format!("sha256:{}", "0".repeat(64)), "1".repeat(40));
        let input = json!({
            "type": "git", "requested": { "url": "https://demo.invalid/llama.git", "ref": "head" }, "entry": digest,
            "locked": {
                "url": "https://demo.invalid/llama.git", "commit": commit, "tree": commit, "time": 1_780_000_000,
                "number": 7,
                "content": { "digest": digest, "nar": digest, "entries": 1, "size": 1 },
            },
        });
        let recipe =
            json!({ "source": "llama-cpp", "backend": "cpu", "prefix": "/opt/llama", "cmake": { "MINE": "1" } });
        let recipe: LlamaRecipe = serde_json::from_value(recipe).unwrap();
        let inputs = BTreeMap::from([("llama-cpp".to_owned(), serde_json::from_value(input).unwrap())]);
        let adds = recipe.adds(&Parts { inputs: &inputs, recipes: &BTreeMap::new() }).unwrap();
        let configure: Vec<&str> = adds["commands"][0].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for word in ["-DMINE=1", "-DGGML_HIP=OFF", "-DGGML_NATIVE=OFF", "-DLLAMA_BUILD_NUMBER=7"] {
            assert!(configure.contains(&word), "{word} {configure:?}");
        }
        assert_eq!(adds["environment"]["SOURCE_DATE_EPOCH"], "1780000000");
        assert_eq!(adds["commands"][2][2], "cmake");
        assert_eq!(adds["launcher"], Value::Null);
    }
}
