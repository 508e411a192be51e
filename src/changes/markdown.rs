//! Changes as Markdown, for pull requests and reports.

use std::fmt::Write as _;

use super::{Block, Changes, sections, title};
use crate::page::cell;

/// Most rows of a block.
const ROWS: usize = 40;
/// Bytes after which no block is begun: forges refuse the text of a pull request that is longer than 64 KiB.
const ENOUGH: usize = 56 << 10;

/// Returns a page: a title, a sentence about the outputs, and a section for each input and output that differs.
#[must_use]
pub fn markdown(changes: &Changes) -> String {
    let mut page = format!("# {}\n\n{}\n", plain(&title(changes)), plain(&capital(&changes.equality.sentence())));
    let mut left_out = 0_usize;
    for section in sections(changes) {
        if page.len() > ENOUGH {
            left_out += 1;
            continue;
        }
        let _ =
            writeln!(page, "\n## {} {}: {}\n", capital(section.what), plain(&section.name), plain(&section.versions));
        for part in &section.blocks {
            if page.len() <= ENOUGH {
                block(&mut page, part);
            }
        }
    }
    if left_out > 0 || page.len() > ENOUGH {
        page.push_str("\nThe rest is left out: `strixlock diff --all` shows everything.\n");
    }
    page
}

fn block(page: &mut String, block: &Block) {
    let title = block.title.as_deref();
    match (title, &block.link) {
        (Some(title), Some(link)) => drop(writeln!(page, "\n**{}** ([compare]({link}))\n", plain(title))),
        (Some(title), None) => drop(writeln!(page, "\n**{}**\n", plain(title))),
        (None, _) => {}
    }
    for (label, text) in block.rows.iter().take(ROWS) {
        let text = plain(text);
        let _ = match label.as_str() {
            "" => writeln!(page, "  - {text}"),
            sign @ ("+" | "-" | "~") => writeln!(page, "- `{sign}` {text}"),
            label if label.len() >= 12 && label.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                writeln!(page, "- `{label}` {text}")
            }
            label => writeln!(page, "- {}: {text}", plain(label)),
        };
    }
    let more = block.left_out.saturating_add(block.rows.len().saturating_sub(ROWS) as u64);
    if more > 0 {
        let _ = writeln!(page, "- and {more} more");
    }
}

/// Escapes text from outside. Forges would link `#12` to an issue of the wrong repository, and tell `@name` of it.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let escaped = cell(text);
    let mut rest = escaped.chars().peekable();
    while let Some(c) = rest.next() {
        out.push(c);
        if matches!(c, '#' | '@') && rest.peek().is_some_and(char::is_ascii_alphanumeric) {
            out.push_str("&#8203;");
        }
    }
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
