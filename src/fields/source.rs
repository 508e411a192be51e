//! The text of a TOML file, and all errors that were found in it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Kind, Result};

/// Number of errors that are shown. Whoever has more will run the command again anyway.
const SHOWN: usize = 20;

/// The text of a manifest or a configuration file, for errors that show a place in it.
pub struct SourceText<'t> {
    /// The text.
    pub text: &'t str,
    /// The name that errors give it.
    pub name: &'t str,
    state: RefCell<State>,
}

/// Mistakes found in the text so far.
#[derive(Default)]
struct State {
    errors: Vec<Error>,
    /// Places of values that are wrong, and that tables do not show any more.
    hidden: BTreeSet<usize>,
}

impl<'t> SourceText<'t> {
    /// Creates the text of a file. Errors call the file `name`.
    #[must_use]
    pub fn new(text: &'t str, name: &'t str) -> Self {
        Self { text, name, state: RefCell::default() }
    }

    /// Parses the text as TOML. Fails with all errors of syntax.
    pub fn parse(&self) -> Result<Spanned<DeTable<'t>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.keep(self.error(error.span().unwrap_or(0..0), "invalid TOML", error.message()));
        }
        self.finish(table)
    }

    /// Returns an error at a place: `message` in the first line, `label` beside the caret.
    #[must_use]
    pub fn error(&self, span: Range<usize>, message: impl Into<String>, label: &str) -> Error {
        let before = self.before(span.start);
        let line = self.line(span.start);
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let place = span.start;
        let snippet = Snippet::source(self.text).annotation(AnnotationKind::Primary.span(span).label(label.to_owned()));
        let excerpt = Renderer::plain().render(&[Group::with_level(Level::ERROR).element(snippet)]);
        Error::new(Kind::Invalid, message).about(format!("{}:{line}:{column}", self.name)).excerpt(excerpt).at(place)
    }

    /// Returns the line that a place is in, from 1.
    #[must_use]
    pub fn line(&self, place: usize) -> usize {
        self.before(place).matches('\n').count() + 1
    }

    fn before(&self, place: usize) -> &str {
        self.text.get(..place.min(self.text.len())).unwrap_or(self.text)
    }

    /// Adds the place of a value to an error of the value's parser.
    #[must_use]
    pub fn at(&self, span: Range<usize>, error: &Error) -> Error {
        self.error(span, error.message(), error.advice().unwrap_or_default())
    }

    /// Keeps an error for [`Self::finish`].
    pub fn keep(&self, error: Error) {
        let errors = &mut self.state.borrow_mut().errors;
        // A table that is read twice gives some errors twice.
        if !errors.iter().any(|kept| kept.place() == error.place() && kept.message() == error.message()) {
            errors.push(error);
        }
    }

    /// Reads a table, and keeps all errors in it: after each, reads it again without the part of it that is wrong.
    /// Returns `None` if there was an error.
    pub fn gather<T>(&self, table: Option<&DeTable>, read: impl Fn() -> Result<T>) -> Option<T> {
        let mut hidden = 0;
        loop {
            let error = match read() {
                Ok(read) if hidden == 0 => return Some(read),
                Ok(_) => return None,
                Err(error) => error,
            };
            let place = error.place();
            match table.zip(place).and_then(|(table, place)| self.part(table, place)) {
                Some(part) if hidden < SHOWN => {
                    self.keep(error);
                    self.state.borrow_mut().hidden.insert(part);
                    hidden += 1;
                }
                // About the whole table. That something is missing may follow from what was hidden.
                _ => {
                    if hidden == 0 {
                        self.keep(error);
                    }
                    return None;
                }
            }
        }
    }

    /// Returns the start of the innermost value in a table that a place lies in, or whose key it lies in.
    fn part(&self, table: &DeTable, place: usize) -> Option<usize> {
        table.iter().find_map(|(key, value)| {
            let named = || (key.span().contains(&place) && !self.is_hidden(value)).then(|| value.span().start);
            self.within(value, place).or_else(named)
        })
    }

    /// Returns the start of a value that a place lies in, or of the innermost one in it.
    fn within(&self, value: &Spanned<DeValue>, place: usize) -> Option<usize> {
        let inner = match value.get_ref() {
            _ if self.is_hidden(value) => return None,
            DeValue::Table(table) => self.part(table, place),
            DeValue::Array(array) => array.iter().find_map(|element| self.within(element, place)),
            _ => None,
        };
        inner.or_else(|| value.span().contains(&place).then(|| value.span().start))
    }

    /// Returns true for a value that was found wrong before.
    pub(super) fn is_hidden(&self, value: &Spanned<DeValue>) -> bool {
        self.state.borrow().hidden.contains(&value.span().start)
    }

    /// Returns true for a value that was found wrong before, or an element of which was.
    pub(super) fn is_touched(&self, value: &Spanned<DeValue>) -> bool {
        let inner = value.get_ref().as_array();
        self.is_hidden(value) || inner.is_some_and(|array| array.iter().any(|element| self.is_hidden(element)))
    }

    /// Returns the value, or all errors that were kept, in the order of the text.
    pub fn finish<T>(&self, value: T) -> Result<T> {
        let mut errors = std::mem::take(&mut self.state.borrow_mut().errors);
        errors.sort_by_key(Error::place);
        let more = errors.len().saturating_sub(SHOWN);
        let mut errors = errors.into_iter().take(SHOWN);
        let Some(first) = errors.next() else { return Ok(value) };
        let mut others: Vec<Error> = errors.collect();
        if more > 0 {
            others.push(Error::new(Kind::Invalid, format!("{more} more errors are not shown")).about(self.name));
        }
        Err(first.beside(others))
    }
}
