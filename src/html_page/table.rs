//! Tables. On narrow screens each row becomes a card, whose cells are labelled by the heads of the columns.

use std::fmt::Display;

use super::html::{Element, Html};

/// A table, with the heads of its columns.
pub(super) struct Table {
    /// The caption, for those who hear the page.
    pub caption: &'static str,
    /// The heads; the first column names the row.
    pub columns: &'static [&'static str],
    /// The heads of columns with numbers.
    pub numbers: &'static [&'static str],
}

impl Table {
    /// Writes a table whose rows the function writes.
    pub fn write(&self, html: &mut Html, rows: impl FnOnce(&mut Rows)) {
        html.element("table").class("cards").inside(|html| {
            html.element("caption").text(self.caption);
            html.element("thead").inside(|html| {
                html.element("tr").inside(|html| {
                    for head in self.columns {
                        let cell = html.element("th").attribute("scope", "col");
                        if self.numbers.contains(head) { cell.class("number").text(head) } else { cell.text(head) }
                    }
                });
            });
            html.element("tbody").inside(|html| rows(&mut Rows { html, columns: self.columns }));
        });
    }
}

/// The rows of a table.
pub(super) struct Rows<'h> {
    html: &'h mut Html,
    columns: &'static [&'static str],
}

impl Rows<'_> {
    /// Writes a row. `id` makes it the target of links.
    pub fn row(&mut self, id: Option<&str>, cells: impl FnOnce(&mut Cells)) {
        let row = self.html.element("tr");
        let row = match id {
            Some(id) => row.attribute("id", id),
            None => row,
        };
        row.inside(|html| cells(&mut Cells { html, columns: self.columns.iter(), first: true }));
    }
}

/// The cells of a row, from left to right.
pub(super) struct Cells<'h> {
    html: &'h mut Html,
    columns: std::slice::Iter<'static, &'static str>,
    first: bool,
}

impl Cells<'_> {
    fn cell(&mut self) -> Element<'_> {
        let label = self.columns.next().copied().unwrap_or_default();
        if std::mem::take(&mut self.first) {
            return self.html.element("th").attribute("scope", "row");
        }
        self.html.element("td").attribute("data-label", label)
    }

    /// Writes a cell of text.
    pub fn text(&mut self, text: impl Display) {
        self.cell().text(text);
    }

    /// Writes a cell with a text of one line, such as a day.
    pub fn line(&mut self, text: impl Display) {
        self.cell().class("one-line").text(text);
    }

    /// Writes a cell with a number, or with a number and its unit.
    pub fn number(&mut self, text: impl Display) {
        self.cell().class("number").text(text);
    }

    /// Writes a cell that the function fills.
    pub fn with(&mut self, write: impl FnOnce(&mut Html)) {
        self.cell().inside(write);
    }
}
