//! The layout of a table: the widths of its columns, and its lines.

use super::cell::{width, without_middle, wrapped};
use super::{Column, Fit};
use crate::cli::ui::DIM;

/// Blanks between columns.
const GAP: usize = 2;

/// Width down to which text is wrapped: `rocm 10.2.0a20261120,` stays on one line.
const LEAST_TEXT: usize = 21;
/// Width down to which names lose their middle.
const LEAST_NAME: usize = 20;

/// Returns the lines of a table; `None` if it is wider than `most` however its columns are laid out.
pub fn lines(columns: &[Column], rows: &[Vec<String>], most: Option<usize>) -> Option<Vec<String>> {
    let has_heads = columns.iter().any(|column| !column.head.is_empty());
    let heads: Option<Vec<String>> = has_heads.then(|| columns.iter().map(|column| column.head.to_owned()).collect());
    let natural: Vec<usize> = (0..columns.len())
        .map(|at| heads.iter().chain(rows).filter_map(|row| row.get(at)).map(|cell| width(cell)).max().unwrap_or(0))
        .collect();
    let widths = fitted(columns, natural, most)?;
    let headings: Vec<Column> = columns.iter().map(|column| column.styled(DIM)).collect();
    let mut all: Vec<String> = heads.iter().flat_map(|row| row_lines(&headings, row, &widths)).collect();
    all.extend(rows.iter().flat_map(|row| row_lines(columns, row, &widths)));
    Some(all)
}

/// Returns widths with which the table fits, or `None` if there are none: text becomes narrower first, then names.
fn fitted(columns: &[Column], mut widths: Vec<usize>, most: Option<usize>) -> Option<Vec<usize>> {
    let Some(most) = most else { return Some(widths) };
    let gaps = GAP * widths.len().saturating_sub(1);
    let mut over = (widths.iter().sum::<usize>() + gaps).saturating_sub(most);
    for (fit, least) in [(Fit::Wrap, LEAST_TEXT), (Fit::Middle, LEAST_NAME)] {
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

/// Returns each row as a paragraph, for terminals on which no table fits.
pub fn paragraphs(columns: &[Column], rows: &[Vec<String>], most: usize) -> Vec<String> {
    rows.iter().flat_map(|row| paragraph(columns, row, most)).collect()
}

/// Returns a title, and below it the other cells with the names of their columns. The title is the first cell, and the
/// next one too if the first is only a mark without a heading.
fn paragraph(columns: &[Column], row: &[String], most: usize) -> Vec<String> {
    let titles = if columns.first().is_some_and(|column| column.head.is_empty()) { 2 } else { 1 };
    let title: Vec<&str> = row.iter().take(titles).map(String::as_str).filter(|cell| !cell.is_empty()).collect();
    let mut lines = wrapped(&title.join(" "), most);
    for (column, cell) in columns.iter().zip(row).skip(titles).filter(|(_, cell)| !cell.is_empty()) {
        let named = format!("{} {cell}", column.head);
        let room = most.saturating_sub(2);
        lines.extend(wrapped(named.trim_start(), room).into_iter().map(|line| format!("  {}", painted(column, &line))));
    }
    lines
}

fn painted(column: &Column, text: &str) -> String {
    format!("{0}{text}{0:#}", column.style)
}
