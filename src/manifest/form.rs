//! Reads the fields of an output, and checks its references to inputs and other outputs of the manifest.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;

use super::variants::Renames;
use super::{Manifest, rules};
use crate::error::Result;
use crate::fields::{SourceText, Table};
use crate::inputs::{InputKind, InputRequest};
use crate::recipe::{OutputKind, OutputRole, fits};
use crate::suggest::suggest;

/// The part of every kind of output that reads it from a manifest.
pub(crate) trait FromFields: OutputKind + Sized {
    /// Reads the recipe. The caller then refuses fields that were not read.
    fn from_fields(form: &mut Form) -> Result<Self>;
}

/// The table of one output.
pub(crate) struct Form<'f, 's, 't> {
    /// The text of the manifest, for errors.
    pub source: &'f SourceText<'t>,
    /// The name of the output.
    pub name: &'f str,
    /// The fields of the output.
    pub fields: &'f Table<'s, 't>,
    pub(super) renames: &'f Renames,
    pub(super) references: &'f mut Vec<Reference>,
    pub(super) implied: &'f mut BTreeMap<String, InputRequest>,
}

impl Form<'_, '_, '_> {
    /// Reads the name of an input of this kind, if the field is present.
    pub fn input(&mut self, field: &'static str, kind: InputKind) -> Result<Option<String>> {
        self.refer(field, Wanted::Input(kind))
    }

    /// Reads the names of inputs of this kind; none without the field.
    pub fn inputs(&mut self, field: &'static str, kind: InputKind) -> Result<Vec<String>> {
        let names = self.fields.texts(field)?.unwrap_or_default();
        Ok(names.into_iter().map(|name| self.needs_input(&name, kind)).collect())
    }

    /// Reads the name of an input that can be the source of a build: a commit or an archive, if the field is present.
    pub fn source_tree(&mut self, field: &'static str) -> Result<Option<String>> {
        self.refer(field, Wanted::Source)
    }

    /// Reads the name of an output with this role, if the field is present.
    pub fn output(&mut self, field: &'static str, role: OutputRole) -> Result<Option<String>> {
        self.refer(field, Wanted::Output(role))
    }

    /// Reads the name of an input of this kind. Returns `default` without the field.
    pub fn input_or(&mut self, field: &'static str, kind: InputKind, default: &str) -> Result<String> {
        Ok(self.input(field, kind)?.unwrap_or_else(|| self.usual(default, Wanted::Input(kind))))
    }

    /// Reads the name of an output with this role. Returns `default` without the field.
    pub fn output_or(&mut self, field: &'static str, role: OutputRole, default: &str) -> Result<String> {
        Ok(self.output(field, role)?.unwrap_or_else(|| self.usual(default, Wanted::Output(role))))
    }

    /// Returns a default name of an output with this role.
    pub fn usual_output(&mut self, name: &str, role: OutputRole) -> String {
        self.usual(name, Wanted::Output(role))
    }

    /// Demands of an engine that the names of its programs are known, since the output names none.
    pub fn demand_known_programs(&mut self, engine: &str) {
        self.usual(engine, Wanted::KnownPrograms);
    }

    /// Refers to an input that a field asks for in one word. The manifest may have it in so many words.
    pub fn implied(&mut self, field: &Spanned<String>, name: &str, request: InputRequest) -> Result<String> {
        if !rules::is_name(name) {
            let label = "name an input for it in its place";
            return Err(self.source.error(
                field.span(),
                format!("`{name}` is too long for the name of an input"),
                label,
            ));
        }
        let name = name.to_owned();
        self.references.push(Reference::to_input(Spanned::new(field.span(), name.clone()), request.kind()));
        self.implied.insert(name.clone(), request);
        Ok(name)
    }

    /// Reads the directory at which the output is used. Returns `default` without the field `prefix`.
    pub fn prefix(&self, default: &str) -> Result<String> {
        let Some(text) = self.fields.text("prefix")? else { return Ok(default.to_owned()) };
        if rules::is_prefix(text.get_ref()) {
            return Ok(text.into_inner());
        }
        Err(self.source.error(
            text.span(),
            "invalid prefix: expected a clean absolute path that hides no system directory",
            "such as \"/opt/llama\"",
        ))
    }

    /// Demands an output with this role under a name that is not a field's own value. Returns its name in this variant
    /// of the manifest.
    pub fn needs_output(&mut self, name: &Spanned<String>, role: OutputRole) -> String {
        self.need(name, Wanted::Output(role))
    }

    /// Demands an input of this kind under a name that is not a field's own value. Returns its name in this variant of
    /// the manifest.
    pub fn needs_input(&mut self, name: &Spanned<String>, kind: InputKind) -> String {
        self.need(name, Wanted::Input(kind))
    }

    /// Returns the name of an input in this variant of the manifest.
    #[must_use]
    pub fn renamed_input(&self, name: &str) -> String {
        self.renames.input(name)
    }

    fn need(&mut self, name: &Spanned<String>, wanted: Wanted) -> String {
        let renamed = match wanted {
            Wanted::Input(_) | Wanted::Source => self.renames.input(name.get_ref()),
            Wanted::Output(_) | Wanted::KnownPrograms => self.renames.output(name.get_ref()),
        };
        self.references.push(Reference { name: Spanned::new(name.span(), renamed.clone()), wanted });
        renamed
    }

    fn refer(&mut self, field: &'static str, wanted: Wanted) -> Result<Option<String>> {
        let Some(name) = self.fields.text(field)? else { return Ok(None) };
        Ok(Some(self.need(&name, wanted)))
    }

    /// Refers to a default name. If it does not exist, the error points to the head of the output.
    fn usual(&mut self, name: &str, wanted: Wanted) -> String {
        self.need(&Spanned::new(self.fields.span.clone(), name.to_owned()), wanted)
    }
}

/// Returns the kinds of inputs that are taken where one of this kind is wanted, as in "`file` or `git`".
fn taken(wanted: InputKind) -> String {
    let names = InputKind::ALL.iter().filter(|kind| fits(wanted, **kind)).map(|kind| format!("`{}`", kind.name()));
    names.collect::<Vec<_>>().join(" or ")
}

/// A name in a recipe that must be an input or output of the manifest.
pub(super) struct Reference {
    name: Spanned<String>,
    wanted: Wanted,
}

enum Wanted {
    Input(InputKind),
    Output(OutputRole),
    /// The source of a build.
    Source,
    /// An engine whose programs are known by name.
    KnownPrograms,
}

impl Reference {
    /// Refers to an input of a kind.
    pub fn to_input(name: Spanned<String>, kind: InputKind) -> Self {
        Self { name, wanted: Wanted::Input(kind) }
    }

    /// Returns the name of the input or output.
    pub fn name(&self) -> &str {
        self.name.get_ref()
    }

    /// Returns the place of the name, or of the output's head if the name is a default.
    pub fn span(&self) -> std::ops::Range<usize> {
        self.name.span()
    }

    /// Fails if there is no input or output of the wanted kind with this name.
    ///
    /// `broken`: names of inputs and outputs with errors of their own, which can be meant, too.
    pub fn check(&self, source: &SourceText, manifest: &Manifest, broken: &BTreeSet<String>) -> Result<()> {
        let name = self.name.get_ref().as_str();
        let (what, kinds, found, mut names): (_, _, _, Vec<&str>) = match self.wanted {
            Wanted::KnownPrograms => {
                // If there is no such output, the reference to it says so.
                return match manifest.outputs.get(name) {
                    Some(output) if !output.has_known_programs() => {
                        let message = format!("the programs of `{name}` are not known");
                        let label = format!("needs `roots`: the programs of `{name}` that must run");
                        Err(source.error(self.name.span(), message, &label))
                    }
                    _ => Ok(()),
                };
            }
            Wanted::Input(kind) => {
                let found = manifest.inputs.get(name).map(|input| (input.kind().name(), fits(kind, input.kind())));
                let fitting = manifest.inputs.iter().filter(|(_, input)| fits(kind, input.kind()));
                ("input", taken(kind), found, fitting.map(|(name, _)| name.as_str()).collect())
            }
            Wanted::Source => {
                let is_source = |kind| [InputKind::Git, InputKind::File].contains(&kind);
                let found = manifest.inputs.get(name).map(|input| (input.kind().name(), is_source(input.kind())));
                let fitting = manifest.inputs.iter().filter(|(_, input)| is_source(input.kind()));
                let kinds = format!("`{}` or `{}`", InputKind::Git.name(), InputKind::File.name());
                ("input", kinds, found, fitting.map(|(name, _)| name.as_str()).collect())
            }
            Wanted::Output(role) => {
                let found = manifest.outputs.get(name).map(|output| (output.kind(), output.is(role)));
                let fitting = manifest.outputs.iter().filter(|(_, output)| output.is(role));
                ("output", role.kinds(), found, fitting.map(|(name, _)| name.as_str()).collect())
            }
        };
        names.extend(broken.iter().map(String::as_str));
        match found {
            Some((_, true)) => Ok(()),
            Some((found, false)) => {
                let message = format!("expected an {what} of type {kinds}, but `{name}` has type `{found}`");
                Err(source.error(self.name.span(), message, &suggest(name, names.into_iter())))
            }
            None => {
                let message = format!("there is no {what} `{name}`");
                Err(source.error(self.name.span(), message, &suggest(name, names.into_iter())))
            }
        }
    }
}
