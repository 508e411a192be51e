//! Reads TOML tables field by field, with the place of everything for errors.
//!
//! Fields that nobody read are unknown. They are reported at the end, with the most similar known name.

mod urls;

use std::cell::RefCell;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Kind, Result};
use crate::suggest::{nearest, suggest};

pub use urls::{login, urls};

/// The text of a manifest, for errors that show a place in it.
pub struct SourceText<'t> {
    /// The text.
    pub text: &'t str,
    /// The name that errors give it.
    pub name: &'t str,
}

impl SourceText<'_> {
    /// Returns an error at a place: `message` in the first line, `label` beside the caret.
    #[must_use]
    pub fn error(&self, span: Range<usize>, message: impl Into<String>, label: &str) -> Error {
        let start = span.start.min(self.text.len());
        let before = self.text.get(..start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let snippet = Snippet::source(self.text).annotation(AnnotationKind::Primary.span(span).label(label.to_owned()));
        let excerpt = Renderer::plain().render(&[Group::with_level(Level::ERROR).element(snippet)]);
        Error::new(Kind::Invalid, message).about(format!("{}:{line}:{column}", self.name)).excerpt(excerpt)
    }

    /// Returns the error for text that is not TOML.
    #[must_use]
    pub fn invalid_toml(&self, error: &toml::de::Error) -> Error {
        self.error(error.span().unwrap_or(0..0), "invalid TOML", error.message())
    }

    /// Adds the place of a value to an error of the value's parser.
    #[must_use]
    pub fn at(&self, span: Range<usize>, error: &Error) -> Error {
        self.error(span, error.message(), error.advice().unwrap_or_default())
    }
}

/// Returns true if one of two names is probably the other, mistyped.
fn is_like(typed: &str, name: &str) -> bool {
    nearest(typed, std::iter::once(name)).is_some()
}

/// A table of the manifest.
pub struct Table<'s, 't> {
    source: &'s SourceText<'t>,
    fields: &'s DeTable<'s>,
    /// The place of the table's head, which errors about missing fields show.
    pub span: Range<usize>,
    known: RefCell<Vec<&'static str>>,
}

impl<'s, 't> Table<'s, 't> {
    /// Returns the table of a whole document. Its head is the first line.
    #[must_use]
    pub fn top(source: &'s SourceText<'t>, fields: &'s DeTable<'s>) -> Self {
        Self::new(source, fields, 0..source.text.lines().next().map_or(0, str::len))
    }

    /// Returns a table with its head at `span`.
    #[must_use]
    pub fn new(source: &'s SourceText<'t>, fields: &'s DeTable<'s>, span: Range<usize>) -> Self {
        Self { source, fields, span, known: RefCell::default() }
    }

    /// Returns the value of a field.
    pub fn field(&self, name: &'static str) -> Option<&'s Spanned<DeValue<'s>>> {
        self.known.borrow_mut().push(name);
        self.fields.get(name)
    }

    /// Returns all fields with their places, for tables with free names.
    pub fn entries(&self) -> impl Iterator<Item = (&'s Spanned<std::borrow::Cow<'s, str>>, &'s Spanned<DeValue<'s>>)> {
        self.fields.iter()
    }

    /// Returns the text of a field.
    pub fn text(&self, name: &'static str) -> Result<Option<Spanned<String>>> {
        let Some(value) = self.field(name) else { return Ok(None) };
        match value.get_ref() {
            DeValue::String(text) => Ok(Some(Spanned::new(value.span(), text.clone().into_owned()))),
            other => Err(self.wrong_type(value.span(), name, "a string", other)),
        }
    }

    /// Returns the text of a required field.
    pub fn needed(&self, name: &'static str) -> Result<Spanned<String>> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// Returns the error for a missing field. It points to a field that is probably this one, mistyped, else to the
    /// head.
    #[must_use]
    pub fn missing(&self, name: &str) -> Error {
        let typo = self
            .fields
            .keys()
            .find(|key| !self.known.borrow().contains(&key.get_ref().as_ref()) && is_like(key.get_ref(), name));
        if let Some(typo) = typo {
            return self.source.error(
                typo.span(),
                format!("the field `{name}` is missing"),
                &format!("did you mean `{name}`?"),
            );
        }
        self.source.error(self.span.clone(), format!("the field `{name}` is missing"), &format!("needs `{name}`"))
    }

    /// Parses the text of a field. Returns a default if it is missing.
    pub fn parsed<T>(&self, name: &'static str, default: T, parse: impl Fn(&str) -> Result<T>) -> Result<T> {
        match self.text(name)? {
            None => Ok(default),
            Some(text) => parse(text.get_ref()).map_err(|error| self.source.at(text.span(), &error)),
        }
    }

    /// Returns a boolean field, false if it is missing.
    pub fn flag(&self, name: &'static str) -> Result<bool> {
        match self.field(name) {
            None => Ok(false),
            Some(value) => match value.get_ref() {
                DeValue::Boolean(flag) => Ok(*flag),
                other => Err(self.wrong_type(value.span(), name, "true or false", other)),
            },
        }
    }

    /// Returns the strings of an array, if the field is present.
    pub fn texts(&self, name: &'static str) -> Result<Option<Vec<Spanned<String>>>> {
        let Some(value) = self.field(name) else { return Ok(None) };
        let DeValue::Array(array) = value.get_ref() else {
            return Err(self.wrong_type(value.span(), name, "an array of strings", value.get_ref()));
        };
        let texts = array.iter().map(|element| match element.get_ref() {
            DeValue::String(text) => Ok(Spanned::new(element.span(), text.clone().into_owned())),
            other => Err(self.wrong_type(element.span(), name, "an array of strings", other)),
        });
        texts.collect::<Result<_>>().map(Some)
    }

    /// Returns a table in this one, if the field is present.
    pub fn table(&self, name: &'static str) -> Result<Option<Table<'s, 't>>> {
        let Some(value) = self.field(name) else { return Ok(None) };
        self.as_table(name, value).map(Some)
    }

    /// Returns the tables of an array such as `[[edge]]`; none if the field is missing.
    pub fn tables(&self, name: &'static str) -> Result<Vec<Table<'s, 't>>> {
        let Some(value) = self.field(name) else { return Ok(Vec::new()) };
        let DeValue::Array(array) = value.get_ref() else {
            return Err(self.wrong_type(value.span(), name, "an array of tables", value.get_ref()));
        };
        array.iter().map(|element| self.as_table(name, element)).collect()
    }

    /// Reads a value that must be a table.
    pub fn as_table(&self, name: &str, value: &'s Spanned<DeValue<'s>>) -> Result<Table<'s, 't>> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(Table::new(self.source, table, value.span())),
            other => Err(self.wrong_type(value.span(), name, "a table", other)),
        }
    }

    /// Sets the place of the head to `span`, such as the table's name.
    #[must_use]
    pub fn headed(self, span: Range<usize>) -> Self {
        Self { span, ..self }
    }

    /// Fails if the table has a field that was not read.
    pub fn finish(self) -> Result<()> {
        let known = self.known.borrow();
        for key in self.fields.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let label = suggest(key.get_ref(), known.iter().copied());
                return Err(self.source.error(key.span(), format!("unknown field `{}`", key.get_ref()), &label));
            }
        }
        Ok(())
    }

    /// Returns the error for a field whose value does not have the type `wanted`.
    #[must_use]
    pub fn wrong_type(&self, span: Range<usize>, name: &str, wanted: &str, found: &DeValue<'_>) -> Error {
        let found = match found {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        self.source.error(span, format!("`{name}` must be {wanted}"), &format!("this is {found}"))
    }
}
