//! Parses the manifest.

use std::collections::BTreeMap;

use semver::VersionReq;
use toml::Spanned;
use toml::de::DeTable;

use super::form::{Form, FromFields, Reference};
use super::{Manifest, PROGRAM, rules};
use crate::error::Result;
use crate::fields::{SourceText, Table};
use crate::inputs::{InputKind, InputRequest};
use crate::recipe::{OutputKind as _, Recipe, each_kind};
use crate::suggest::suggest;

/// Returns the place of git's first conflict marker, if there is one.
fn conflict(text: &str) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    text.split_inclusive('\n').find_map(|line| {
        let span = at..at + line.trim_end().len();
        at += line.len();
        (line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ")).then_some(span)
    })
}

pub(super) fn parse(text: &str, name: &str) -> Result<Manifest> {
    let source = SourceText { text, name };
    let document = DeTable::parse(text).map_err(|error| {
        if let Some(span) = conflict(text) {
            return source.error(span, "unfinished merge", "git's conflict marker").hint(
                "edit the manifest to what it should say and remove the lines `<<<<<<<`, `=======` and `>>>>>>>`",
            );
        }
        source.invalid_toml(&error)
    })?;
    let top = Table::top(&source, document.get_ref());
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
    let mut references = Vec::new();
    if let Some(table) = top.table("outputs")? {
        for (key, value) in table.entries() {
            check_name(&source, key)?;
            let fields = table.as_table(key.get_ref(), value)?.headed(key.span());
            let recipe = output(&source, key.get_ref(), fields, &mut references)?;
            outputs.insert(key.get_ref().clone().into_owned(), recipe);
        }
    }
    let top_span = top.span.clone();
    top.finish()?;
    if inputs.is_empty() && outputs.is_empty() {
        return Err(source.error(top_span, "the manifest is empty", "it needs [inputs.NAME] and [outputs.NAME]"));
    }
    let manifest = Manifest { requires, inputs, outputs };
    for reference in &references {
        reference.check(&source, &manifest)?;
    }
    Ok(manifest)
}

fn requires(source: &SourceText, top: &Table) -> Result<VersionReq> {
    let Some(text) = top.text("requires")? else { return Ok(VersionReq::STAR) };
    let requires = VersionReq::parse(text.get_ref()).map_err(|error| {
        source.error(text.span(), format!("invalid version range in `requires`: {error}"), "such as \">=0.1\"")
    })?;
    if requires.matches(&PROGRAM) {
        return Ok(requires);
    }
    let message = format!("this manifest requires strixlock {requires}");
    Err(source
        .error(text.span(), message, &format!("this is strixlock {}", *PROGRAM))
        .hint("install a matching version of strixlock"))
}

/// Fails for an invalid name. Names become file names, command-line arguments and labels.
fn check_name(source: &SourceText, key: &Spanned<std::borrow::Cow<'_, str>>) -> Result<()> {
    if rules::is_name(key.get_ref()) && !rules::is_reserved(key.get_ref()) {
        return Ok(());
    }
    Err(source.error(key.span(), "invalid name", "lower-case letters, digits, `-`, `_` and `.`"))
}

fn input(source: &SourceText, fields: Table) -> Result<InputRequest> {
    let typed = fields.needed("type")?;
    let Some(kind) = InputKind::ALL.iter().find(|kind| kind.name() == typed.get_ref()) else {
        let label = suggest(typed.get_ref(), InputKind::ALL.iter().map(|kind| kind.name()));
        return Err(source.error(typed.span(), format!("unknown type of input `{}`", typed.get_ref()), &label));
    };
    let request = kind.parse(source, &fields)?;
    fields.finish()?;
    Ok(request)
}

fn output(source: &SourceText, name: &str, fields: Table, references: &mut Vec<Reference>) -> Result<Recipe> {
    type Read = fn(&mut Form) -> Result<Recipe>;
    let kind = fields.needed("type")?;
    let kinds = each_kind!(Kind => (Kind::NAME, read::<Kind> as Read));
    let Some((_, read)) = kinds.into_iter().find(|(name, _)| kind.get_ref() == name) else {
        let label = suggest(kind.get_ref(), Recipe::kinds().into_iter());
        return Err(source.error(kind.span(), format!("unknown type of output `{}`", kind.get_ref()), &label));
    };
    let recipe = read(&mut Form { source, name, fields: &fields, references })?;
    fields.finish()?;
    Ok(recipe)
}

fn read<Kind: FromFields + Into<Recipe>>(form: &mut Form) -> Result<Recipe> {
    Kind::from_fields(form).map(Into::into)
}
