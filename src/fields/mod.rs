//! Reads TOML tables field by field, with the place of everything for errors.
//!
//! Fields that nobody read are unknown. They are reported at the end, with the most similar known name.
//!
//! All errors of a file are reported at once: after an error, the table is read again without the wrong value (see
//! [`SourceText::gather`]). A parser reads required fields last, so that a missing one does not hide other errors.

mod source;
mod urls;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::error::{Error, Kind, Result};
use crate::suggest::{nearest, suggest};

pub use source::SourceText;
pub use urls::{login, urls};

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
    /// Places of fields that need not be read.
    inherited: BTreeSet<usize>,
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
        Self { source, fields, span, known: RefCell::default(), inherited: BTreeSet::new() }
    }

    /// Returns the value of a field.
    pub fn field(&self, name: &'static str) -> Option<&'s Spanned<DeValue<'s>>> {
        self.later(&[name]);
        self.fields.get(name).filter(|value| !self.source.is_hidden(value))
    }

    /// Returns all fields with their places, for tables with free names.
    pub fn entries(&self) -> impl Iterator<Item = (&'s Spanned<Cow<'s, str>>, &'s Spanned<DeValue<'s>>)> {
        self.fields.iter().filter(|(_, value)| !self.source.is_hidden(value))
    }

    /// Returns the elements of an array.
    fn elements(&self, array: &'s DeArray<'s>) -> impl Iterator<Item = &'s Spanned<DeValue<'s>>> {
        array.iter().filter(|element| !self.source.is_hidden(element))
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
        self.text(name)?.ok_or_else(|| self.missing(name, &[]))
    }

    /// Returns the error for a missing field, which points to a field that is probably this one, mistyped, else to the
    /// head. `instead`: fields that could stand in its place.
    ///
    /// Keeps it at once, and errors for unknown fields, since the caller reads no further.
    #[must_use]
    pub fn missing(&self, name: &'static str, instead: &[&'static str]) -> Error {
        self.later(&[name]);
        let is_wrong = |name: &&str| self.fields.get(*name).is_some_and(|value| self.source.is_touched(value));
        let is_there = instead.iter().chain([&name]).any(is_wrong);
        let typo = self.unknown().find(|key| !is_there && is_like(key.get_ref(), name));
        for key in self.unknown().filter(|key| Some(key.span()) != typo.map(Spanned::span)) {
            self.source.keep(self.unknown_field(key));
        }
        if is_there {
            // Without a place, since its value was hidden after an error, which is enough.
            return Error::new(Kind::Invalid, format!("the value of `{name}` is wrong"));
        }
        let (span, label) = match typo {
            Some(typo) => (typo.span(), format!("did you mean `{name}`?")),
            None => (self.span.clone(), format!("needs `{name}`")),
        };
        let error = self.source.error(span, format!("the field `{name}` is missing"), &label);
        self.source.keep(error.clone());
        error
    }

    /// Declares fields that are read last, so that they are known where reading ends before.
    pub fn later(&self, names: &[&'static str]) {
        let mut known = self.known.borrow_mut();
        for name in names {
            if !known.contains(name) {
                known.push(name);
            }
        }
    }

    /// Returns the names of the fields that were not read.
    fn unknown(&self) -> impl Iterator<Item = &'s Spanned<Cow<'s, str>>> {
        let is_read = |key: &Spanned<Cow<'s, str>>| self.known.borrow().contains(&key.get_ref().as_ref());
        self.fields.keys().filter(move |key| !is_read(key) && !self.inherited.contains(&key.span().start))
    }

    /// Sets the fields that need not be read: those that a table has from another one, where each was.
    #[must_use]
    pub fn inheriting(self, from: &DeTable) -> Self {
        Self { inherited: from.keys().map(|key| key.span().start).collect(), ..self }
    }

    fn unknown_field(&self, key: &Spanned<Cow<'s, str>>) -> Error {
        let label = suggest(key.get_ref(), self.known.borrow().iter().copied());
        self.source.error(key.span(), format!("unknown field `{}`", key.get_ref()), &label)
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
        let texts = self.elements(array).map(|element| match element.get_ref() {
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
        self.elements(array).map(|element| self.as_table(name, element)).collect()
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

    /// Fails if the table has a field that was not read. Keeps the errors for all but the first such field.
    pub fn finish(self) -> Result<()> {
        let mut unknown = self.unknown();
        let Some(first) = unknown.next() else { return Ok(()) };
        for key in unknown {
            self.source.keep(self.unknown_field(key));
        }
        Err(self.unknown_field(first))
    }

    /// Returns an integer field that is not negative.
    pub fn number(&self, name: &'static str) -> Result<Option<Spanned<u64>>> {
        let Some(value) = self.field(name) else { return Ok(None) };
        let DeValue::Integer(integer) = value.get_ref() else {
            return Err(self.wrong_type(value.span(), name, "an integer", value.get_ref()));
        };
        match u64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Ok(Some(Spanned::new(value.span(), number))),
            Err(_) => {
                Err(self.source.error(value.span(), format!("`{name}` must not be negative or huge"), "out of range"))
            }
        }
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
