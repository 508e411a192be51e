//! Parses the manifest.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use semver::VersionReq;
use toml::Spanned;
use toml::de::DeTable;

use super::form::{Form, FromFields, Reference};
use super::variants::Renames;
use super::{Freeze, Manifest, PROGRAM, Policy, rules};
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
    let source = SourceText::new(text, name);
    let document = source.parse().map_err(|error| match conflict(text) {
        None => error,
        Some(span) => source
            .error(span, "unfinished merge", "git's conflict marker")
            .hint("edit the manifest to what it should say and remove the lines `<<<<<<<`, `=======` and `>>>>>>>`"),
    })?;
    // A manifest for another version may have fields that this one does not know, so nothing else is said.
    let top = Table::top(&source, document.get_ref());
    let requires = requires(&source, &top)?;
    let mut found = Found::default();
    let inputs = found.inputs(&source, &top);
    let outputs = found.outputs(&source, &top);
    let variants = found.variants(&source, &top);
    let policy = Policy::parse(&source, &top);
    let top_span = top.span.clone();
    let (policy, decided) = match policy {
        Ok(policy) => (policy, Ok(())),
        Err(error) => (Policy::default(), Err(error)),
    };
    for result in [inputs, outputs, variants, decided, top.finish()] {
        result.unwrap_or_else(|error| source.keep(error));
    }
    let Found { mut inputs, frozen, outputs, references, broken, implied } = found;
    for (name, request) in implied {
        inputs.entry(name).or_insert(request);
    }
    if inputs.is_empty() && outputs.is_empty() && broken.is_empty() {
        source.finish(())?;
        return Err(source.error(top_span, "the manifest is empty", "it needs [inputs.NAME] and [outputs.NAME]"));
    }
    let manifest = Manifest { requires, inputs, frozen, outputs, policy };
    for reference in references.iter().filter(|reference| !broken.contains(reference.name())) {
        reference.check(&source, &manifest, &broken).unwrap_or_else(|error| source.keep(error));
    }
    source.finish(manifest)
}

/// The field of an input with the name of the one that it follows.
pub(super) const FOLLOWED: &str = "for";

/// The parts of a manifest that were read so far.
#[derive(Default)]
pub(super) struct Found {
    pub inputs: BTreeMap<String, InputRequest>,
    pub frozen: BTreeMap<String, Freeze>,
    pub outputs: BTreeMap<String, Recipe>,
    pub references: Vec<Reference>,
    /// Inputs that fields of outputs ask for. Those of the same name in the manifest stand in their place.
    implied: BTreeMap<String, InputRequest>,
    /// Names of inputs and outputs with errors, to which nothing is compared.
    pub broken: BTreeSet<String>,
}

impl Found {
    fn inputs(&mut self, source: &SourceText, top: &Table) -> Result<()> {
        let Some(table) = top.table("inputs")? else { return Ok(()) };
        for (key, value) in table.entries() {
            let name = key.get_ref().as_ref();
            check_name(source, key);
            let fields = value.get_ref().as_table();
            let read = source.gather(fields, || input(source, table.as_table(name, value)?.headed(key.span())));
            if let Some((request, freeze)) = read {
                self.frozen.extend(freeze.map(|freeze| (name.to_owned(), freeze)));
                if let Some(followed) = request.follows() {
                    let span = fields.and_then(|fields| fields.get(FOLLOWED)).map_or(key.span(), Spanned::span);
                    self.references.push(Reference::to_input(Spanned::new(span, followed.to_owned()), InputKind::Git));
                }
                self.inputs.insert(name.to_owned(), request);
            } else {
                self.broken.insert(name.to_owned());
            }
        }
        Ok(())
    }

    fn outputs(&mut self, source: &SourceText, top: &Table) -> Result<()> {
        let Some(table) = top.table("outputs")? else { return Ok(()) };
        for (key, value) in table.entries() {
            let name = key.get_ref().as_ref();
            check_name(source, key);
            let fields = value.get_ref().as_table();
            self.output(source, (name, key.span()), fields, &Renames::default(), || {
                Ok(table.as_table(name, value)?.headed(key.span()))
            });
        }
        Ok(())
    }

    /// Reads an output from the table that `table` makes. `own`: the fields among which a wrong one is looked for.
    pub fn output<'s, 't>(
        &mut self,
        source: &SourceText,
        (name, head): (&str, std::ops::Range<usize>),
        own: Option<&DeTable>,
        renames: &Renames,
        table: impl Fn() -> Result<Table<'s, 't>>,
    ) where
        't: 's,
    {
        let references = RefCell::default();
        let implied = RefCell::default();
        let read = source.gather(own, || {
            let mut own = (Vec::new(), BTreeMap::new());
            let recipe = output(source, name, table()?, renames, &mut own);
            references.replace(own.0);
            implied.replace(own.1);
            recipe
        });
        let mut own = references.into_inner();
        if let Some(recipe) = read {
            self.implied.extend(implied.into_inner());
            self.outputs.insert(name.to_owned(), recipe);
        } else {
            self.broken.insert(name.to_owned());
            // A default may only be asked for since a wrong value is hidden.
            own.retain(|reference| reference.span() != head);
        }
        self.references.append(&mut own);
    }
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

/// Keeps an error for an invalid name. Names become file names, command-line arguments and labels.
fn check_name(source: &SourceText, key: &Spanned<std::borrow::Cow<'_, str>>) {
    if !rules::is_name(key.get_ref()) || rules::is_reserved(key.get_ref()) {
        source.keep(source.error(key.span(), "invalid name", "lower-case letters, digits, `-`, `_` and `.`"));
    }
}

pub(super) fn input(source: &SourceText, fields: Table) -> Result<(InputRequest, Option<Freeze>)> {
    let typed = fields.needed("type")?;
    let Some(kind) = InputKind::ALL.iter().find(|kind| kind.name() == typed.get_ref()) else {
        let label = suggest(typed.get_ref(), InputKind::ALL.iter().map(|kind| kind.name()));
        return Err(source.error(typed.span(), format!("unknown type of input `{}`", typed.get_ref()), &label));
    };
    let freeze = Freeze::parse(source, &fields)?;
    let request = kind.parse(source, &fields)?;
    fields.finish()?;
    Ok((request, freeze))
}

/// References of an output, and the inputs that its fields ask for.
type Own = (Vec<Reference>, BTreeMap<String, InputRequest>);

fn output(source: &SourceText, name: &str, fields: Table, renames: &Renames, own: &mut Own) -> Result<Recipe> {
    type Read = fn(&mut Form) -> Result<Recipe>;
    let kind = fields.needed("type")?;
    let kinds = each_kind!(Kind => (Kind::NAME, read::<Kind> as Read));
    let Some((_, read)) = kinds.into_iter().find(|(name, _)| kind.get_ref() == name) else {
        let label = suggest(kind.get_ref(), Recipe::kinds().into_iter());
        return Err(source.error(kind.span(), format!("unknown type of output `{}`", kind.get_ref()), &label));
    };
    let (references, implied) = (&mut own.0, &mut own.1);
    let recipe = read(&mut Form { source, name, fields: &fields, renames, references, implied })?;
    fields.finish()?;
    Ok(recipe)
}

fn read<Kind: FromFields + Into<Recipe>>(form: &mut Form) -> Result<Recipe> {
    Kind::from_fields(form).map(Into::into)
}
