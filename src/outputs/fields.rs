//! Fields that several kinds of outputs have.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeValue;

use crate::error::Result;
use crate::fields::{SourceText, Table};
use crate::llama_source::default_roots;
use crate::manifest::{Form, rules};
use crate::recipe::OutputRole;

/// Reads the name of the engine: the field `engine`, or `llama`, as it was called when there was no other.
pub(super) fn engine(form: &mut Form) -> Result<Option<String>> {
    let (engine, llama) = (form.output("engine", OutputRole::Engine)?, form.output("llama", OutputRole::Engine)?);
    if engine.is_some()
        && let Some(both) = form.fields.field("llama").filter(|_| llama.is_some())
    {
        let message = "`engine` and `llama` are two names of one field";
        return Err(form.source.error(both.span(), message, "leave out one of them"));
    }
    Ok(engine.or(llama))
}

/// Reads the engine and the programs of it that must run. Without the field `roots` these are the usual ones, whose names
/// must be known then.
pub(super) fn engine_and_roots(form: &mut Form) -> Result<(String, Vec<String>)> {
    let roots = roots(form.source, form.fields)?;
    let engine = engine(form)?.unwrap_or_else(|| form.usual_output("llama", OutputRole::Engine));
    if roots.is_none() {
        form.demand_known_programs(&engine);
    }
    Ok((engine, roots.unwrap_or_else(|| default_roots().to_vec())))
}

/// Reads the programs that must run, if the field is present.
fn roots(source: &SourceText, fields: &Table) -> Result<Option<Vec<String>>> {
    let Some(roots) = fields.texts("roots")? else { return Ok(None) };
    if roots.is_empty() {
        return Err(source.error(
            fields.span.clone(),
            "missing root: a runtime needs at least one",
            "such as roots = [\"llama-cli\"]",
        ));
    }
    if let Some(wrong) = roots.iter().find(|root| !rules::is_program(root.get_ref())) {
        return Err(source.error(
            wrong.span(),
            "invalid root: expected the name of a program",
            "such as \"llama-cli\"",
        ));
    }
    Ok(Some(roots.into_iter().map(Spanned::into_inner).collect()))
}

/// Parses the CMake variables of a build.
pub(super) fn cmake_variables(source: &SourceText, fields: &Table) -> Result<BTreeMap<String, String>> {
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

/// Parses a table of names and strings.
pub(super) fn pairs(
    source: &SourceText,
    fields: &Table,
    field: &'static str,
    fits: fn(&str, &str) -> bool,
) -> Result<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    let Some(table) = fields.table(field)? else { return Ok(pairs) };
    for (key, value) in table.entries() {
        let name = key.get_ref();
        let DeValue::String(text) = value.get_ref() else {
            return Err(table.wrong_type(value.span(), name, "a string", value.get_ref()));
        };
        if !fits(name, text) {
            let message = format!("invalid entry in `{field}`");
            return Err(source.error(key.span(), message, "names of letters, digits and signs; values of one line"));
        }
        pairs.insert(name.clone().into_owned(), text.clone().into_owned());
    }
    Ok(pairs)
}
