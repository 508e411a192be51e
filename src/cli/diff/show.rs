//! Changes on the terminal.

use crate::changes::{Block, Changes, Section, sections};
use crate::cli::Ui;
use crate::cli::table::{Column, Table};
use crate::cli::ui::GOOD;
use crate::text;

/// Number of rows of a list that are shown.
const SHOWN: usize = 10;

/// Prints everything that differs; with `all`, every row of each list.
pub fn show_changes(ui: &Ui, changes: &Changes, all: bool) {
    for section in sections(changes) {
        let Section { what, name, versions, blocks } = section;
        ui.line(format!("{what} {GOOD}{name}{GOOD:#} {versions}"));
        for block in &blocks {
            show_block(ui, block, all);
        }
    }
}

fn show_block(ui: &Ui, block: &Block, all: bool) {
    let indent = if block.title.is_some() { "    " } else { "  " };
    if let Some(title) = &block.title {
        ui.line(format!("  {title}"));
    }
    let shown = if all { block.rows.len() } else { SHOWN };
    let mut table = Table::new([Column::word(""), Column::text("")]);
    for (label, text) in block.rows.iter().take(shown) {
        table.row([format!("{indent}{label}"), text.clone()]);
    }
    ui.table(&table);
    let hidden = block.rows.len().saturating_sub(shown);
    if hidden > 0 {
        let sign = block.rows.first().map(|(label, _)| label.as_str()).filter(|label| ["+", "-", "~"].contains(label));
        ui.line(format!(
            "{indent}{}and {hidden} more (--all)",
            sign.map(|sign| format!("{sign}  ")).unwrap_or_default()
        ));
    }
    if block.left_out > 0 {
        ui.line(format!("{indent}and {} more, which are too many to show", block.left_out));
    }
}

/// Returns the versions and sizes of inputs that differ.
pub(super) fn input_table(changes: &Changes) -> Table {
    let mut table = Table::new([
        Column::name("input"),
        Column::text("before"),
        Column::text("after"),
        Column::number("commits"),
        Column::number("packages"),
        Column::number("size"),
    ]);
    for input in &changes.inputs {
        let (from, to) = input.versions();
        let version = |text: Option<&str>| text.map_or_else(|| "nothing".to_owned(), text::visible);
        let commits = input.commits.as_ref().and_then(|commits| commits.added).map(|count| count.to_string());
        let packages = Some(input.packages.len()).filter(|count| *count > 0).map(|count| count.to_string());
        table.row([
            text::visible(&input.input),
            version(from),
            version(to),
            commits.unwrap_or_default(),
            packages.unwrap_or_default(),
            input.to_size.map(text::bytes).unwrap_or_default(),
        ]);
    }
    table
}

/// Returns the sizes of outputs that differ, and the numbers of their added, removed and changed files.
pub(super) fn output_table(changes: &Changes) -> Table {
    let mut table = Table::new([
        Column::name("output"),
        Column::number("before"),
        Column::number("after"),
        Column::number("added"),
        Column::number("removed"),
        Column::number("changed"),
    ]);
    for output in &changes.outputs {
        let sizes = (output.files.from_size, output.files.to_size);
        let (Some(from), Some(to)) = sizes else {
            table.row([text::visible(&output.output), "?".to_owned(), "?".to_owned()]);
            continue;
        };
        let counts = output.files.lists().map(|(_, files)| files.len().to_string());
        table.row([text::visible(&output.output), text::bytes(from), text::bytes(to)].into_iter().chain(counts));
    }
    table
}
