//! Tables of results, laid out for the width of the terminal. Anywhere else they are as wide as their contents.
//!
//! If a table is too wide, columns of text are wrapped first, then names lose their middle, then columns that can be
//! spared are left out; words and numbers stay whole. On a very narrow terminal each row becomes a paragraph: see
//! `layout`.

mod cell;
mod layout;

use anstyle::Style;
use terminal_size::{Height, Width, terminal_size_of};

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    head: &'static str,
    right: bool,
    fit: Fit,
    is_spare: bool,
    style: Style,
}

/// The way in which a column becomes narrower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// Not at all.
    Whole,
    /// Words go to further lines.
    Wrap,
    /// Cells lose their middle.
    Middle,
}

impl Column {
    /// Returns a column of short words, which stay whole.
    pub const fn word(head: &'static str) -> Self {
        Self { head, right: false, fit: Fit::Whole, is_spare: false, style: Style::new() }
    }

    /// Returns a column of numbers, aligned at their ends.
    pub const fn number(head: &'static str) -> Self {
        Self { right: true, ..Self::word(head) }
    }

    /// Returns a column of sentences and lists, which are wrapped.
    pub const fn text(head: &'static str) -> Self {
        Self { fit: Fit::Wrap, ..Self::word(head) }
    }

    /// Returns a column of names and paths, which lose their middle.
    pub const fn name(head: &'static str) -> Self {
        Self { fit: Fit::Middle, ..Self::word(head) }
    }

    /// Returns the column as one that is left out of tables that would be too wide.
    pub const fn spare(self) -> Self {
        Self { is_spare: true, ..self }
    }

    /// Returns the column in this style.
    pub const fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }
}

/// Rows below named columns. Columns without a single name have no heading.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns a table without rows.
    pub fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row<Cell: Into<String>>(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Returns true if there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the lines of the table, in at most `width` columns of the terminal, if that is given. No line ends with
    /// a blank. A column whose cells are all empty is left out.
    pub fn lines(&self, width: Option<usize>) -> Vec<String> {
        let used = |index: &usize| self.rows.iter().any(|row| row.get(*index).is_some_and(|cell| !cell.is_empty()));
        let mut kept: Vec<usize> = (0..self.columns.len()).filter(used).collect();
        loop {
            let (columns, rows) = self.part(&kept);
            if let Some(lines) = layout::lines(&columns, &rows, width) {
                return lines;
            }
            let Some(spare) = columns.iter().rposition(|column| column.is_spare) else {
                // As paragraphs there is room for everything.
                let (columns, rows) = self.part(&(0..self.columns.len()).filter(used).collect::<Vec<_>>());
                return layout::paragraphs(&columns, &rows, width.unwrap_or(usize::MAX));
            };
            kept.remove(spare);
        }
    }

    /// Returns some of the columns, with their cells.
    fn part(&self, kept: &[usize]) -> (Vec<Column>, Vec<Vec<String>>) {
        let columns = kept.iter().filter_map(|index| self.columns.get(*index).copied()).collect();
        let cells = |row: &Vec<String>| kept.iter().map(|index| row.get(*index).cloned().unwrap_or_default()).collect();
        (columns, self.rows.iter().map(cells).collect())
    }
}

/// Returns the columns of the terminal that standard output goes to, if it goes to one.
pub fn stdout_width() -> Option<usize> {
    columns(terminal_size_of(std::io::stdout()))
}

/// Returns the columns of the terminal that standard error goes to, if it goes to one.
pub fn stderr_width() -> Option<usize> {
    columns(terminal_size_of(std::io::stderr()))
}

/// A terminal that does not know its width says 0.
fn columns(size: Option<(Width, Height)>) -> Option<usize> {
    size.map(|(Width(columns), _)| usize::from(columns)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests;
