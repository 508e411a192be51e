//! `[variants]`: the manifest again with some settings changed, beside the manifest itself.
//!
//! A variant changes inputs and outputs. Each of them, and every output that is made from one, gets a second version
//! under `NAME.VARIANT`; all else is shared. So lock, plan and store see ordinary inputs and outputs, each pinned and
//! hashed like any other, and a lock without variants is as it was.
//!
//! A table in a variant has the fields that differ; tables in it, such as `cmake`, are merged too. One with `type` stands
//! in the place of the whole table, and may be new. Images have a version only where the variant names them, and a
//! runtime has none for an engine that does not use ROCm, or Vulkan.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::form::Reference;
use super::freeze::FIELD as FROZEN;
use super::parse::{FOLLOWED, Found, input};
use super::rules;
use crate::error::Result;
use crate::fields::{SourceText, Table};
use crate::inputs::InputKind;
use crate::recipe::{Backend, OutputRole, Recipe, VulkanRecipe};
use crate::suggest::suggest;

/// The name of what the manifest has without any variant.
const DEFAULT: &str = "default";

/// Names that inputs and outputs have in one variant, by their names in the manifest.
#[derive(Debug, Default)]
pub(super) struct Renames {
    inputs: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
}

impl Renames {
    /// Returns the name of an input in the variant.
    pub fn input(&self, name: &str) -> String {
        self.inputs.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    /// Returns the name of an output in the variant.
    pub fn output(&self, name: &str) -> String {
        self.outputs.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }
}

/// The tables of a manifest and of one variant, by name.
struct Tables<'s> {
    own: Option<&'s DeTable<'s>>,
    /// True if the variant names none.
    is_empty: bool,
    changed: BTreeMap<String, (Range<usize>, &'s DeTable<'s>)>,
}

impl<'s> Tables<'s> {
    /// Reads the tables of a variant. Keeps an error for each that is none, or changes something that is not there.
    fn read(source: &SourceText, top: &Table<'s, '_>, fields: &Table<'s, '_>, what: &'static str) -> Result<Self> {
        let own = top.field(what).and_then(|value| value.get_ref().as_table());
        let mut changed = BTreeMap::new();
        let Some(table) = fields.table(what)? else { return Ok(Self { own, is_empty: true, changed }) };
        let is_empty = table.entries().next().is_none();
        for (key, value) in table.entries() {
            let name = key.get_ref().as_ref();
            let DeValue::Table(fields) = value.get_ref() else {
                source.keep(table.wrong_type(value.span(), name, "a table", value.get_ref()));
                continue;
            };
            if own.is_none_or(|own| own.get(name).is_none()) && fields.get("type").is_none() {
                let (singular, known) = (what.trim_end_matches('s'), own.into_iter().flat_map(|own| own.keys()));
                let names: Vec<&str> = known.map(|key| key.get_ref().as_ref()).collect();
                let label = format!("a new one needs `type`; {}", suggest(name, names.into_iter()));
                source.keep(source.error(key.span(), format!("there is no {singular} `{name}` to change"), &label));
                continue;
            }
            changed.insert(name.to_owned(), (key.span(), fields));
        }
        Ok(Self { own, is_empty, changed })
    }

    /// Returns the fields of a table in the variant.
    fn fields(&self, name: &str) -> DeTable<'s> {
        match (self.inherited(name), self.changed.get(name)) {
            (Some(own), Some((_, changed))) => merged(own, changed),
            (None, Some((_, changed))) => DeTable::clone(changed),
            (Some(own), None) => own.clone(),
            (None, None) => DeTable::default(),
        }
    }

    /// Returns the table of the manifest whose fields a table in the variant has, too.
    fn inherited(&self, name: &str) -> Option<&'s DeTable<'s>> {
        let is_whole = self.changed.get(name).is_some_and(|(_, changed)| changed.get("type").is_some());
        self.own.filter(|_| !is_whole)?.get(name)?.get_ref().as_table()
    }
}

/// Returns a table with the fields of another over its own.
fn merged<'s>(own: &DeTable<'s>, over: &DeTable<'s>) -> DeTable<'s> {
    let mut all = own.clone();
    for (key, value) in over {
        let both = all.remove(key.get_ref().as_ref()).map(Spanned::into_inner);
        let value = match (both, value.get_ref()) {
            (Some(DeValue::Table(own)), DeValue::Table(over)) => {
                Spanned::new(value.span(), DeValue::Table(merged(&own, over)))
            }
            _ => value.clone(),
        };
        all.insert(key.clone(), value);
    }
    all
}

/// Names of what the manifest has besides variants.
struct Own {
    inputs: BTreeSet<String>,
    outputs: BTreeSet<String>,
}

impl Found {
    /// Reads the variants, and adds what they have to the inputs and outputs that were read before.
    pub(super) fn variants(&mut self, source: &SourceText, top: &Table) -> Result<()> {
        let Some(table) = top.table("variants")? else { return Ok(()) };
        let inputs = self.inputs.keys().cloned().collect();
        let own = Own { inputs, outputs: self.outputs.keys().cloned().collect() };
        for (key, value) in table.entries() {
            let name = key.get_ref().as_ref();
            if !rules::is_name(name) || name.contains('.') || name == DEFAULT {
                let label = "lower-case letters, digits, `-` and `_`; `default` is the manifest without a variant";
                source.keep(source.error(key.span(), "invalid name of a variant", label));
                continue;
            }
            let read = || {
                let fields = table.as_table(name, value)?.headed(key.span());
                let inputs = Tables::read(source, top, &fields, "inputs")?;
                let outputs = Tables::read(source, top, &fields, "outputs")?;
                fields.finish()?;
                Ok((inputs, outputs))
            };
            let Some((inputs, outputs)) = source.gather(value.get_ref().as_table(), read) else { continue };
            if inputs.is_empty && outputs.is_empty {
                source.keep(source.error(key.span(), "the variant changes nothing", "needs `inputs` or `outputs`"));
                continue;
            }
            self.variant(source, (name, key.span()), &own, (&inputs, &outputs));
        }
        Ok(())
    }

    fn variant(
        &mut self,
        source: &SourceText,
        (variant, head): (&str, Range<usize>),
        own: &Own,
        (inputs, outputs): (&Tables, &Tables),
    ) {
        let following = own.inputs.iter().filter(|name| {
            let followed = self.inputs.get(*name).and_then(|request| request.follows());
            followed.is_some_and(|followed| inputs.changed.contains_key(followed))
        });
        let names: BTreeSet<String> = inputs.changed.keys().chain(following).cloned().collect();
        let place = |tables: &Tables, name: &str| {
            tables.changed.get(name).map_or_else(|| head.clone(), |(span, _)| span.clone())
        };
        let renamed = |tables: &Tables, taken: &BTreeSet<String>, name: String| {
            let full = format!("{name}.{variant}");
            let problem = if rules::is_name(&full) {
                taken.contains(&full).then_some("the manifest has the name of this variant itself")
            } else {
                Some("the name is too long for a variant")
            };
            if let Some(problem) = problem {
                let label = format!("it is called `{full}` in the lock");
                source.keep(source.error(place(tables, &name), problem, &label));
            }
            (name, full)
        };
        let affected = self.affected(own, &names, outputs);
        let renames = Renames {
            inputs: names.into_iter().map(|name| renamed(inputs, &own.inputs, name)).collect(),
            outputs: affected.into_iter().map(|name| renamed(outputs, &own.outputs, name)).collect(),
        };
        for (name, full) in &renames.inputs {
            if self.broken.contains(name) && inputs.inherited(name).is_some() {
                self.broken.insert(full.clone());
                continue;
            }
            self.variant_input(source, (name, full, place(inputs, name)), inputs, &renames);
        }
        for (name, full) in &renames.outputs {
            if self.broken.contains(name) && outputs.inherited(name).is_some() {
                self.broken.insert(full.clone());
                continue;
            }
            let (fields, head) = (outputs.fields(name), place(outputs, name));
            let changed = outputs.changed.get(name).map(|(_, fields)| *fields);
            self.output(source, (full, head.clone()), changed, &renames, || {
                let table = Table::new(source, &fields, head.clone());
                Ok(outputs.inherited(name).into_iter().fold(table, Table::inheriting))
            });
        }
        self.leave_out_runtimes(&renames, outputs);
    }

    /// Returns the outputs that a variant changes, and all that are made from them or from its inputs.
    fn affected(&self, own: &Own, inputs: &BTreeSet<String>, outputs: &Tables) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = outputs.changed.keys().cloned().collect();
        loop {
            let is_made_from = |recipe: &Recipe| {
                recipe.inputs().iter().any(|(_, name)| inputs.contains(*name))
                    || recipe.outputs().iter().any(|(_, name)| all.contains(*name))
            };
            let further = self.outputs.iter().filter(|(name, recipe)| {
                !all.contains(*name) && own.outputs.contains(*name) && !recipe.is_image() && is_made_from(recipe)
            });
            let further: Vec<String> = further.map(|(name, _)| name.clone()).collect();
            if further.is_empty() {
                return all;
            }
            all.extend(further);
        }
    }

    fn variant_input(
        &mut self,
        source: &SourceText,
        (name, full, span): (&str, &str, Range<usize>),
        tables: &Tables,
        renames: &Renames,
    ) {
        let mut fields = tables.fields(name);
        let changed = tables.changed.get(name).map(|(_, fields)| *fields);
        drop_alternatives(&mut fields, changed);
        let followed = RefCell::default();
        let read = source.gather(changed, || {
            let (request, freeze) = input(source, Table::new(source, &fields, span.clone()))?;
            let Some(name) = request.follows().map(|followed| renames.input(followed)) else {
                return Ok((request, freeze));
            };
            let place = || span.clone();
            followed.replace(Some(Reference::to_input(Spanned::new(place(), name.clone()), InputKind::Git)));
            let mut fields = fields.clone();
            fields.remove(FOLLOWED);
            let name = Spanned::new(place(), DeValue::String(name.into()));
            fields.insert(Spanned::new(place(), FOLLOWED.into()), name);
            input(source, Table::new(source, &fields, place()))
        });
        self.references.extend(followed.into_inner());
        match read {
            Some((request, freeze)) => {
                // A freeze holds one input: a variant is frozen only where it says so itself.
                let own = freeze.filter(|_| changed.is_some_and(|changed| changed.contains_key(FROZEN)));
                self.frozen.extend(own.map(|freeze| (full.to_owned(), freeze)));
                self.inputs.insert(full.to_owned(), request);
            }
            None => drop(self.broken.insert(full.to_owned())),
        }
    }

    /// Removes runtimes for engines that do not use ROCm, or Vulkan, in the variant, unless the variant names them.
    fn leave_out_runtimes(&mut self, renames: &Renames, tables: &Tables) {
        for (name, full) in renames.outputs.iter().filter(|(name, _)| !tables.changed.contains_key(*name)) {
            let Some(recipe) = self.outputs.get(full).filter(|recipe| recipe.is(OutputRole::Runtime)) else { continue };
            let engines = recipe.outputs().into_iter().filter(|(role, _)| *role == OutputRole::Engine);
            let uses_rocm = |engine: &str| self.outputs.get(engine).is_none_or(|recipe| recipe.rocm().is_some());
            if let Recipe::Vulkan(VulkanRecipe { engine, .. }) = recipe {
                let other =
                    |recipe: &Recipe| matches!(recipe, Recipe::Llama(llama) if llama.backend != Backend::Vulkan);
                if self.outputs.get(engine).is_some_and(other) {
                    self.outputs.remove(full);
                }
                continue;
            }
            // One that the manifest has for an engine without ROCm is left as it is.
            let had_rocm = self.outputs.get(name).is_some_and(|recipe| {
                recipe.outputs().into_iter().any(|(role, engine)| role == OutputRole::Engine && uses_rocm(engine))
            });
            if had_rocm && { engines }.all(|(_, engine)| !uses_rocm(engine)) {
                self.outputs.remove(full);
            }
        }
    }
}

/// Removes the manifest's choice among fields of which a table has one, where the variant makes another.
fn drop_alternatives(fields: &mut DeTable, changed: Option<&DeTable>) {
    let typed = fields.get("type").and_then(|value| value.get_ref().as_str());
    let kind = InputKind::ALL.iter().find(|kind| Some(kind.name()) == typed);
    let Some((alternatives, changed)) = kind.map(|kind| kind.alternatives()).zip(changed) else { return };
    if alternatives.iter().any(|name| changed.get(*name).is_some()) {
        for name in alternatives.iter().filter(|name| changed.get(**name).is_none()) {
            fields.remove(*name);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::Manifest;

    /// ROCm, sources and the outputs that people have, with these lines behind.
    fn manifest(variants: &str) -> Manifest {
        let text = format!("{HEAD}{variants}");
        Manifest::parse(&text, "x.toml").unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn refused(variants: &str) -> String {
        Manifest::parse(&format!("{HEAD}{variants}"), "x.toml").unwrap_err().to_string()
    }

    const HEAD: &str = r#"
[inputs.rocm]
type = "rocm"
target = "gfx1151"
version = "10.1.0a20260901"
[inputs.llama-cpp]
type = "git"
url = "https://host/llama.cpp"
branch = "master"
[inputs.packages]
type = "debs"
archive = "https://host/debian"
suite = "bookworm"
packages = ["g++"]
[outputs.rocm]
type = "rocm"
[outputs.sysroot]
type = "sysroot"
packages = "packages"
[outputs.llama]
type = "llama"
rocm = "rocm"
sysroot = "sysroot"
cmake = { GGML_HIP_GRAPHS = true }
[outputs.runtime]
type = "runtime"
[outputs.server]
type = "image"
runtime = "runtime"
engine = "llama"
"#;

    /// Returns the names that a variant adds, inputs first.
    fn added(variants: &str) -> Vec<String> {
        let (own, with) = (manifest(""), manifest(variants));
        assert!(own.inputs.iter().all(|one| with.inputs.get(one.0) == Some(one.1)));
        assert!(own.outputs.iter().all(|one| with.outputs.get(one.0) == Some(one.1)));
        let inputs = with.inputs.keys().filter(|name| !own.inputs.contains_key(*name));
        let outputs = with.outputs.keys().filter(|name| !own.outputs.contains_key(*name));
        inputs.map(|name| format!("input {name}")).chain(outputs.cloned()).collect()
    }

    #[test]
    fn another_channel_gives_a_second_version_of_all_that_is_made_from_it() {
        let stable = "[variants.stable]\ninputs.rocm = { channel = \"stable\", version = \"latest\" }\n";
        assert_eq!(added(stable), ["input rocm.stable", "llama.stable", "rocm.stable", "runtime.stable"]);
        let all = manifest(stable);
        let json = |name: &str| serde_json::to_value(&all.outputs[name]).unwrap();
        let (own, variant) = (json("llama"), json("llama.stable"));
        assert_eq!((&variant["rocm"], &variant["sysroot"]), (&"rocm.stable".into(), &"sysroot".into()));
        assert_eq!((&variant["cmake"], &variant["prefix"]), (&own["cmake"], &own["prefix"]));
        assert_eq!(
            (&json("runtime.stable")["llama"], &json("runtime.stable")["rocm"]),
            (&"llama.stable".into(), &"rocm.stable".into())
        );
        assert_eq!(json("rocm.stable")["input"], "rocm.stable");
        let input = serde_json::to_value(&all.inputs["rocm.stable"]).unwrap();
        assert_eq!((&input["channel"], &input["target"]), (&"stable".into(), &"gfx1151".into()));
    }

    #[test]
    fn another_backend_or_commit_changes_no_more_than_it_must() {
        // A runtime is a part of ROCm, which a build for Vulkan does not use, and `rocm` is none of its fields.
        let vulkan = "[variants.vulkan.outputs.llama]\nbackend = \"vulkan\"\ncmake = { A = true }\n";
        assert_eq!(added(vulkan), ["llama.vulkan"]);
        let json = serde_json::to_value(&manifest(vulkan).outputs["llama.vulkan"]).unwrap();
        assert_eq!(json["cmake"], serde_json::json!({ "A": "ON", "GGML_HIP_GRAPHS": "ON" }));
        let commit = format!("[variants.old]\ninputs.llama-cpp = {{ commit = \"{}\" }}\n", "a".repeat(40));
        assert_eq!(added(&commit), ["input llama-cpp.old", "llama.old", "runtime.old"]);
        // A table with `type` stands in the place of the runtime of ROCm, and is left out again for another backend.
        let drivers = format!("{vulkan}[variants.vulkan.outputs.runtime]\ntype = \"vulkan\"\n");
        assert_eq!(added(&drivers), ["llama.vulkan", "runtime.vulkan"]);
        let own = "[outputs.llama-vulkan]\ntype = \"llama\"\nbackend = \"vulkan\"\n[outputs.drivers]\n\
                   type = \"vulkan\"\nengine = \"llama-vulkan\"\n";
        let cpu = format!("{own}[variants.cpu.outputs.llama-vulkan]\nbackend = \"cpu\"\n");
        assert_eq!(added(&cpu), ["drivers", "llama-vulkan", "llama-vulkan.cpu"]);
        let both = format!("{vulkan}{commit}");
        assert_eq!(added(&both), ["input llama-cpp.old", "llama.old", "llama.vulkan", "runtime.old"]);
    }

    #[test]
    fn a_table_with_a_type_stands_in_the_place_of_the_whole_or_is_new() {
        let archive = r#"
[variants.ci.inputs.llama-release]
type = "release"
url = "https://github.com/ggml-org/llama.cpp"
asset = "llama-b{number}-bin-ubuntu-rocm-{rocm}-x64.tar.gz"
[variants.ci.outputs.llama]
type = "prebuilt"
rocm = "rocm"
"#;
        assert_eq!(added(archive), ["input llama-release.ci", "llama.ci", "runtime.ci"]);
        let json = serde_json::to_value(&manifest(archive).outputs["llama.ci"]).unwrap();
        assert_eq!((&json["input"], &json["type"]), (&"llama-release.ci".into(), &"prebuilt".into()));
    }

    #[test]
    fn the_web_ui_of_a_variant_follows_its_commit() {
        let text = HEAD.replace("rocm = \"rocm\"\n", "rocm = \"rocm\"\nui = \"upstream\"\n");
        let variant = "[variants.old]\ninputs.llama-cpp = { tag = \"b9000\" }\n";
        let all = Manifest::parse(&format!("{text}{variant}"), "x.toml").unwrap();
        assert_eq!(all.inputs["llama-cpp.old-ui"].follows(), Some("llama-cpp.old"));
        assert_eq!(all.inputs["llama-cpp-ui"].follows(), Some("llama-cpp"));
        let own = "[inputs.llama-cpp-ui]\ntype = \"llama-ui\"\n";
        let named = text.replace("ui = \"upstream\"", "ui = \"llama-cpp-ui\"");
        let all = Manifest::parse(&format!("{named}{own}{variant}"), "x.toml").unwrap();
        assert_eq!(all.inputs["llama-cpp-ui.old"].follows(), Some("llama-cpp.old"));
        assert_eq!(serde_json::to_value(&all.outputs["llama.old"]).unwrap()["ui"], "llama-cpp-ui.old");
    }

    #[test]
    fn what_makes_no_sense_is_refused_at_its_place() {
        for (variants, told) in [
            ("[variants]\nx = 1\n", "`x` must be a table"),
            ("[variants.x]\n", "the variant changes nothing"),
            ("[variants.default.outputs.llama]\nbackend = \"cpu\"\n", "invalid name of a variant"),
            ("[variants.\"a.b\".outputs.llama]\nbackend = \"cpu\"\n", "invalid name of a variant"),
            ("[variants.x.outputs.lama]\nbackend = \"cpu\"\n", "there is no output `lama` to change"),
            ("[variants.x.outputs.llama]\nbackend = \"vlkan\"\n", "vlkan"),
            ("[variants.x.outputs.llama]\nbackned = \"cpu\"\n", "unknown field `backned`"),
            ("[variants.x.outputs.llama]\nsysroot = \"none\"\n", "there is no output `none`"),
            ("[variants.x.ouputs.llama]\nbackend = \"cpu\"\n", "unknown field `ouputs`"),
            ("[variants.x.inputs]\nrocm = \"stable\"\n", "`rocm` must be a table"),
            (
                "[outputs.\"llama.x\"]\ntype = \"llama\"\n[variants.x.outputs.llama]\nbackend = \"cpu\"\n",
                "the manifest has the name of this variant itself",
            ),
            (
                "[variants.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.outputs.llama]\nbackend = \"cpu\"\n",
                "the name is too long for a variant",
            ),
        ] {
            let error = refused(variants);
            assert!(error.contains(told), "{told}: {error}");
        }
    }

    #[test]
    fn a_variant_is_frozen_only_where_it_says_so() {
        let frozen = |fields: &str| -> Vec<String> {
            let own = "[inputs.rocm]\ntype = \"rocm\"\ntarget = \"gfx1151\"\nfrozen = {}\n";
            let text = format!("{own}[variants.a]\ninputs.rocm = {{ channel = \"stable\"{fields} }}\n");
            crate::manifest::Manifest::parse(&text, "x.toml").unwrap().frozen.into_keys().collect()
        };
        assert_eq!(frozen(""), ["rocm"]);
        assert_eq!(frozen(", frozen = {}"), ["rocm", "rocm.a"]);
    }
}
