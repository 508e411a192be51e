//! Output `llama`.

mod page;

use std::collections::BTreeMap;
use std::process::ExitStatus;

use serde_json::{Value, json};
use toml::Spanned;
use toml::de::DeValue;

use crate::error::{Error, Kind, Result};
use crate::fields::{SourceText, Table};
use crate::inputs::llama_ui::LlamaUiRequest;
use crate::inputs::{InputKind, InputRequest, LockedInput};
use crate::lock::{Derive, Lock, LockedOutput, Parts};
use crate::manifest::{Form, FromFields, known_edges, rules};
use crate::realize::{Made, Make, Making, Realizer};
use crate::recipe::llama::{self, Hip};
use crate::recipe::{Backend, Edge, LlamaRecipe, OutputRole};
use crate::report::Describe;

/// The usual name of the input with the sources.
const SOURCE: &str = "llama-cpp";
/// The word for the web UI that llama.cpp publishes for the build.
const UPSTREAM: &str = "upstream";

/// Number of compilers in the hashed commands. It does not change the output.
const JOBS: usize = 1;

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
            ui: ui(form)?,
            cmake: cmake(form.source, form.fields)?,
        })
    }
}

/// Parses the processor of a build.
fn cpu(fields: &Table) -> Result<Option<String>> {
    let parse = |text: &str| llama::demand_processor(text).map(|()| Some(text.to_owned()));
    fields.parsed("cpu", None, parse)
}

/// Parses the web UI of a build: `"upstream"`, the name of an input, or false.
fn ui(form: &mut Form) -> Result<Option<String>> {
    match form.fields.field("ui").map(|value| (value.span(), value.get_ref())) {
        None | Some((_, DeValue::Boolean(false))) => Ok(None),
        Some((_, DeValue::String(text))) if text == UPSTREAM => {
            let Some(field) = form.fields.text("ui")? else { return Ok(None) };
            let source = form.fields.text("source")?.map_or_else(|| SOURCE.to_owned(), Spanned::into_inner);
            let request = InputRequest::LlamaUi(LlamaUiRequest::upstream(&source));
            form.implied(&field, &format!("{source}-ui"), request).map(Some)
        }
        Some((_, DeValue::String(_))) => form.input("ui", InputKind::LlamaUi),
        Some((span, other)) => {
            Err(form.fields.wrong_type(span, "ui", "\"upstream\", the name of an input, or false", other))
        }
    }
}

/// Parses the CMake variables of a build.
fn cmake(source: &SourceText, fields: &Table) -> Result<BTreeMap<String, String>> {
    let mut flags = BTreeMap::new();
    let Some(table) = fields.table("cmake")? else { return Ok(flags) };
    for (key, value) in table.entries() {
        let name = key.get_ref();
        if !rules::is_cmake_name(name) {
            return Err(source.error(key.span(), "invalid name of a CMake variable", "letters, digits and `_`"));
        }
        let text = match value.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Boolean(flag) => if *flag { "ON" } else { "OFF" }.to_owned(),
            DeValue::Integer(number) => number.to_string(),
            other => return Err(table.wrong_type(value.span(), name, "a string, a number, true or false", other)),
        };
        flags.insert(name.clone().into_owned(), text);
    }
    Ok(flags)
}

impl Derive for LlamaRecipe {
    fn adds(&self, parts: &Parts) -> Result<Value> {
        let Some(LockedInput::Git(block)) = parts.inputs.get(&self.source) else {
            return Err(Error::new(Kind::Invalid, format!("`{}` is not a git input", self.source)));
        };
        let pin = &block.locked;
        let source = llama::SourceId::of(pin);
        let hip = match &self.rocm {
            None => None,
            Some(name) => {
                let (prefix, target) = parts.rocm(name)?;
                Some(Hip { prefix: prefix.to_owned(), target: target.clone() })
            }
        };
        Ok(json!({
            "environment": llama::environment(&source, hip.as_ref()),
            "commands": llama::commands(&llama::variables(self, &source, hip.as_ref(), None), JOBS),
            // The source decides which of the names it has.
            "decisions": llama::decisions(),
            "launcher": hip.map(|_| llama::HIP_LAUNCHER),
        }))
    }

    fn fault(&self) -> Option<String> {
        if self.cmake.keys().any(|name| !rules::is_cmake_name(name)) {
            return Some("invalid name of a CMake variable".to_owned());
        }
        let unknown = self.cpu.as_deref().filter(|name| llama::demand_processor(name).is_err());
        unknown.map(|name| format!("unknown processor `{name}`"))
    }
}

impl Make for LlamaRecipe {
    fn make(&self, realizer: &Realizer, locked: &LockedOutput, making: Making) -> Result<Made> {
        let (staging, listing) = realizer.llama_build(self)?.run(locked.derivation, making.task)?;
        Ok(Made::Staged(staging, listing))
    }

    /// Returns the known edges, unless a runtime is trimmed from that tree, which has edges of its own.
    fn edges(&self, realizer: &Realizer, rocm: &str) -> Result<Option<Vec<Edge>>> {
        let runs = self.rocm.as_deref() == Some(rocm) && !realizer.is_trimmed(rocm);
        Ok(if runs { Some(known_edges()?.to_vec()) } else { None })
    }

    fn shell(&self, realizer: &Realizer) -> Option<Result<ExitStatus>> {
        Some(realizer.llama_build(self).and_then(|build| build.shell()))
    }
}

impl Describe for LlamaRecipe {
    fn describe(&self, page: &mut String, lock: &Lock) {
        page::llama(page, lock, self);
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
