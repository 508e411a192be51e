//! The manifest's schema.

use std::collections::BTreeMap;

use semver::VersionReq;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Manifest, PROGRAM, rules};
use crate::error::Result;
use crate::fields::{Source, Table};
use crate::inputs::{InputKind, InputRequest};
use crate::recipe::{Backend, LlamaRecipe, ModelRecipe, Recipe, RocmRecipe, RuntimeRecipe, SysrootRecipe, fits};
use crate::suggest::suggest;

/// Returns the line that git put where two branches changed the same, if there is one.
fn conflict(text: &str) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    text.split_inclusive('\n').find_map(|line| {
        let span = at..at + line.trim_end().len();
        at += line.len();
        (line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ")).then_some(span)
    })
}

pub(super) fn parse(text: &str, name: &str) -> Result<Manifest> {
    let source = Source { text, name };
    let document = DeTable::parse(text).map_err(|error| {
        if let Some(span) = conflict(text) {
            return source.error(span, "a merge was not finished", "git left this").hint(
                "edit the manifest to what it should say and remove the lines `<<<<<<<`, `=======` and `>>>>>>>`",
            );
        }
        let span = error.span().unwrap_or(0..0);
        source.error(span, "this is not TOML", error.message())
    })?;
    let top = Table::new(&source, document.get_ref(), 0..text.lines().next().map_or(0, str::len));
    let requires = requires(&source, &top)?;

    let mut inputs = BTreeMap::new();
    if let Some(table) = top.table("inputs")? {
        for (key, value) in table.entries() {
            check_name(&source, key)?;
            let fields = table.as_table(key.get_ref(), value)?.headed(key.span());
            inputs.insert(key.get_ref().clone().into_owned(), input(&source, fields)?);
        }
    }
    let mut outputs = BTreeMap::new();
    let mut places = Vec::new();
    if let Some(table) = top.table("outputs")? {
        for (key, value) in table.entries() {
            check_name(&source, key)?;
            let fields = table.as_table(key.get_ref(), value)?.headed(key.span());
            let recipe = output(&source, key.get_ref(), fields, &mut places)?;
            outputs.insert(key.get_ref().clone().into_owned(), recipe);
        }
    }
    let top_span = top.span.clone();
    top.finish()?;
    if inputs.is_empty() && outputs.is_empty() {
        return Err(source.error(
            top_span,
            "the manifest asks for nothing",
            "it needs [inputs.NAME] and [outputs.NAME]",
        ));
    }
    let manifest = Manifest { requires, inputs, outputs };
    for reference in &places {
        reference.check(&source, &manifest)?;
    }
    Ok(manifest)
}

fn requires(source: &Source, top: &Table) -> Result<VersionReq> {
    let Some(text) = top.text("requires")? else { return Ok(VersionReq::STAR) };
    let requires = VersionReq::parse(text.get_ref()).map_err(|error| {
        source.error(text.span(), format!("`requires` is not a version range: {error}"), "such as \">=0.1\"")
    })?;
    if requires.matches(&PROGRAM) {
        return Ok(requires);
    }
    let message = format!("this manifest requires strixlock {requires}");
    Err(source
        .error(text.span(), message, &format!("this is strixlock {}", *PROGRAM))
        .hint("install a strixlock that fits"))
}

/// Names become file names, command-line arguments and labels.
fn check_name(source: &Source, key: &Spanned<std::borrow::Cow<'_, str>>) -> Result<()> {
    if rules::is_name(key.get_ref()) && !rules::is_reserved(key.get_ref()) {
        return Ok(());
    }
    Err(source.error(key.span(), "this cannot be a name", "lower-case letters, digits, `-`, `_` and `.`"))
}

fn input(source: &Source, fields: Table) -> Result<InputRequest> {
    let typed = fields.needed("type")?;
    let Some(kind) = InputKind::ALL.iter().find(|kind| kind.name() == typed.get_ref()) else {
        let label = suggest(typed.get_ref(), InputKind::ALL.iter().map(|kind| kind.name()));
        return Err(source.error(typed.span(), format!("unknown type of input `{}`", typed.get_ref()), &label));
    };
    let request = kind.parse(source, &fields)?;
    fields.finish()?;
    Ok(request)
}

/// A name in a recipe that must be somewhere else in the manifest.
pub(super) struct Reference {
    pub name: Spanned<String>,
    pub wanted: Wanted,
}

pub(super) enum Wanted {
    Input(&'static str),
    Output(&'static str),
}

impl Reference {
    fn check(&self, source: &Source, manifest: &Manifest) -> Result<()> {
        let name = self.name.get_ref().as_str();
        let (what, kind, found, names): (_, _, _, Vec<&str>) = match self.wanted {
            Wanted::Input(kind) => {
                let found = manifest.inputs.get(name).map(|input| input.kind().name());
                let fitting = manifest.inputs.iter().filter(|(_, input)| fits(kind, input.kind().name()));
                ("input", kind, found, fitting.map(|(name, _)| name.as_str()).collect())
            }
            Wanted::Output(kind) => {
                let found = manifest.outputs.get(name).map(Recipe::kind);
                let fitting = manifest.outputs.iter().filter(|(_, output)| output.kind() == kind);
                ("output", kind, found, fitting.map(|(name, _)| name.as_str()).collect())
            }
        };
        match found {
            Some(found) if fits(kind, found) => Ok(()),
            Some(found) => {
                let message =
                    format!("`{name}` is an {what} of type `{found}`, and one of type `{kind}` is needed here");
                Err(source.error(self.name.span(), message, &suggest(name, names.into_iter())))
            }
            None => {
                let message = format!("there is no {what} `{name}`");
                Err(source.error(self.name.span(), message, &suggest(name, names.into_iter())))
            }
        }
    }
}

fn output(source: &Source, name: &str, fields: Table, references: &mut Vec<Reference>) -> Result<Recipe> {
    let kind = fields.needed("type")?;
    let mut refer = |field: &'static str, default: &str, wanted: Wanted| -> Result<String> {
        let name = fields.text(field)?.unwrap_or_else(|| Spanned::new(fields.span.clone(), default.to_owned()));
        let text = name.get_ref().clone();
        references.push(Reference { name, wanted });
        Ok(text)
    };
    let recipe = match kind.get_ref().as_str() {
        "sysroot" if fields.field("image").is_some() => Recipe::Sysroot(SysrootRecipe {
            packages: None,
            image: Some(refer("image", "", Wanted::Input("oci"))?),
            links: BTreeMap::new(),
        }),
        "sysroot" => Recipe::Sysroot(SysrootRecipe {
            packages: Some(refer("packages", "sysroot", Wanted::Input("debs"))?),
            image: None,
            links: super::links::links(source, &fields)?,
        }),
        "rocm" => Recipe::Rocm(RocmRecipe {
            input: refer("input", "rocm", Wanted::Input("rocm"))?,
            prefix: prefix(source, &fields, "/opt/rocm")?,
        }),
        "llama" => {
            let backend = fields.parsed("backend", Backend::Hip, str::parse)?;
            let recipe = LlamaRecipe {
                source: refer("source", "llama-cpp", Wanted::Input("git"))?,
                rocm: if backend == Backend::Hip { Some(refer("rocm", "rocm", Wanted::Output("rocm"))?) } else { None },
                sysroot: if fields.field("sysroot").is_some() {
                    Some(refer("sysroot", "", Wanted::Output("sysroot"))?)
                } else {
                    None
                },
                backend,
                prefix: prefix(source, &fields, "/opt/llama")?,
                cmake: cmake(source, &fields)?,
            };
            Recipe::Llama(recipe)
        }
        "runtime" => {
            let roots = roots(source, &fields)?;
            Recipe::Runtime(RuntimeRecipe {
                rocm: refer("rocm", "rocm", Wanted::Output("rocm"))?,
                llama: refer("llama", "llama", Wanted::Output("llama"))?,
                roots,
                edges: super::edges::edges(source, &fields, "edges")?,
                own_edges_only: fields.flag("own-edges-only")?,
            })
        }
        "model" => Recipe::Model(ModelRecipe { input: refer("input", "model", Wanted::Input("huggingface"))? }),
        "image" => Recipe::Image(super::image::recipe(source, name, &fields, references)?),
        other => {
            let label = suggest(other, Recipe::kinds().into_iter());
            return Err(source.error(kind.span(), format!("unknown type of output `{other}`"), &label));
        }
    };
    fields.finish()?;
    Ok(recipe)
}

fn roots(source: &Source, fields: &Table) -> Result<Vec<String>> {
    let Some(roots) = fields.texts("roots")? else {
        return Ok(["llama-bench", "llama-cli", "llama-server"].map(str::to_owned).to_vec());
    };
    if roots.is_empty() {
        return Err(source.error(
            fields.span.clone(),
            "a runtime needs at least one root",
            "such as roots = [\"llama-cli\"]",
        ));
    }
    if let Some(wrong) = roots.iter().find(|root| !rules::is_program(root.get_ref())) {
        return Err(source.error(wrong.span(), "a root is the name of a program", "such as \"llama-cli\""));
    }
    Ok(roots.into_iter().map(Spanned::into_inner).collect())
}

fn prefix(source: &Source, fields: &Table, default: &str) -> Result<String> {
    let Some(text) = fields.text("prefix")? else { return Ok(default.to_owned()) };
    if rules::is_prefix(text.get_ref()) {
        return Ok(text.into_inner());
    }
    Err(source.error(
        text.span(),
        "a prefix is a clean absolute path that hides nothing of the system",
        "such as \"/opt/llama\"",
    ))
}

fn cmake(source: &Source, fields: &Table) -> Result<BTreeMap<String, String>> {
    let mut flags = BTreeMap::new();
    let Some(table) = fields.table("cmake")? else { return Ok(flags) };
    for (key, value) in table.entries() {
        let name = key.get_ref();
        if !rules::is_cmake_name(name) {
            return Err(source.error(key.span(), "this cannot be a CMake variable", "letters, digits and `_`"));
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
