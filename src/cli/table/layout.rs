//! The layout of a table: the widths of its columns, and its lines.

use super::cell::{width, without_middle, wrapped};
use super::{Column, Fit};

/// Blanks between columns.
const GAP: usize = 2;

/// Steps by which a table becomes narrower: columns that fit in this way, down to this width.
const STEPS: [(Fit, usize); 3] = [(Fit::Wrap, 24), (Fit::Middle, 12), (Fit::Wrap, 12)];

/// Returns the lines of a table.
pub fn lines(columns: &[Column], rows: &[Vec<String>], most: Option<usize>) -> Vec<String> {
    let heads: Option<Vec<String>> =
        columns.iter().any(|column| !column.head.is_empty()).then(|| columns.iter().map(Column::heading).collect());
    let natural: Vec<usize> = (0..columns.len())
        .map(|at| heads.iter().chain(rows).filter_map(|row| row.get(at)).map(|cell| width(cell)).max().unwrap_or(0))
        .collect();
    let Some(widths) = fitted(columns, natural, most) else {
        return rows.iter().flat_map(|row| paragraph(columns, row, most.unwrap_or(usize::MAX))).collect();
    };
    let headings: Vec<Column> = columns.iter().map(|column| column.of_headings()).collect();
    let mut all: Vec<String> = heads.iter().flat_map(|row| row_lines(&headings, row, &widths)).collect();
    all.extend(rows.iter().flat_map(|row| row_lines(columns, row, &widths)));
    all
}

/// Returns widths with which the table fits, or `None` if it cannot.
fn fitted(columns: &[Column], mut widths: Vec<usize>, most: Option<usize>) -> Option<Vec<usize>> {
    let Some(most) = most else { return Some(widths) };
    let gaps = GAP * widths.len().saturating_sub(1);
    let mut over = (widths.iter().sum::<usize>() + gaps).saturating_sub(most);
    for (fit, least) in STEPS {
        while over > 0 {
            let giving = (0..widths.len()).filter(|at| columns[*at].fit == fit && widths[*at] > least);
            let Some(widest) = giving.max_by_key(|at| widths[*at]) else { break };
            widths[widest] -= 1;
            over -= 1;
        }
    }
    (over == 0).then_some(widths)
}

/// Returns the lines of one row: several if a cell is wrapped.
fn row_lines(columns: &[Column], row: &[String], widths: &[usize]) -> Vec<String> {
    let cells: Vec<Vec<String>> = columns
        .iter()
        .zip(row)
        .zip(widths)
        .map(|((column, cell), most)| match column.fit {
            Fit::Whole => vec![cell.clone()],
            Fit::Middle => vec![without_middle(cell, *most)],
            Fit::Wrap => wrapped(cell, *most),
        })
        .collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    (0..height).map(|at| line(columns, widths, |column| cells[column].get(at).map_or("", String::as_str))).collect()
}

/// Returns one line, without blanks at its end.
fn line<'c>(columns: &[Column], widths: &[usize], cell: impl Fn(usize) -> &'c str) -> String {
    let (mut text, mut owed) = (String::new(), 0);
    for (at, column) in columns.iter().enumerate() {
        let shown = cell(at);
        let room = widths[at].saturating_sub(width(shown));
        let (before, behind) = if column.right { (room, 0) } else { (0, room) };
        if shown.is_empty() {
            owed += before + behind;
        } else {
            text.push_str(&" ".repeat(owed + before));
            text.push_str(&painted(column, shown));
            owed = behind;
        }
        owed += GAP;
    }
    text
}

/// Returns a row as a paragraph, for terminals on which no table fits: the first cell, and below it the others with the
/// names of their columns.
fn paragraph(columns: &[Column], row: &[String], most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, (column, cell)) in columns.iter().zip(row).enumerate().filter(|(_, (_, cell))| !cell.is_empty()) {
        let named = if at == 0 || column.head.is_empty() { cell.clone() } else { format!("{} {cell}", column.head) };
        let indent = if at == 0 { "" } else { "  " };
        let room = most.saturating_sub(indent.len());
        lines.extend(wrapped(&named, room).into_iter().map(|line| format!("{indent}{}", painted(column, &line))));
    }
    lines
}

fn painted(column: &Column, text: &str) -> String {
    format!("{0}{text}{0:#}", column.style)
}
