//! Fenced commands of the book, run in the order in which they stand.
//!
//! A block ```` ```sh ```` must succeed, a block ```` ```console ```` must also print what stands below each command. All of it is
//! compared but for what is another thing on each run (see `steady`), and a line `...` stands for any lines. `may-exit=10`
//! allows that exit code.
//! `no-run=REASON` says why a block cannot be run here; there may be only so many of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::blocks::{Block, blocks};
use super::session::Session;
use super::steady::steady;
use super::{Page, ROOT, is_update, pages};

/// Reasons for blocks that are not run, and how many there are. A new one needs a reason that is as good.
const NOT_RUN: [(&str, usize); 12] = [
    ("engine", 4),
    ("gpu", 1),
    // Tests live below /tmp, which no build may hide.
    ("home", 5),
    ("long", 2),
    ("model", 4),
    ("network", 25),
    // tests/release.rs runs it.
    ("release", 1),
    ("repository", 4),
    ("root", 4),
    ("serves", 2),
    ("terminal", 1),
    // A test of the reader's; tests/bisect.rs runs others.
    ("test", 5),
];

/// A command or block, with what it should print.
struct Step {
    command: String,
    /// Text below a command of a `console` block, and its place in the page.
    printed: Option<(String, Range<usize>)>,
}

/// The commands of a block.
fn steps(block: &Block) -> Vec<Step> {
    if block.language() == "sh" {
        let command = match block.value("may-exit") {
            Some(code) => format!("( {} ) || [ $? = {code} ]", block.text.trim_end()),
            None => block.text.clone(),
        };
        return vec![Step { command, printed: None }];
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut at = block.place.start;
    for line in block.text.split_inclusive('\n') {
        let place = at..at + line.len();
        at = place.end;
        if let Some(command) = line.strip_prefix("$ ") {
            let printed = Some((String::new(), place.end..place.end));
            steps.push(Step { command: command.to_owned(), printed });
        } else if let Some(Step { printed: Some((text, below)), .. }) = steps.last_mut() {
            text.push_str(line);
            below.end = place.end;
        }
    }
    steps
}

/// Returns true if lines fit those of the book, in which `...` stands for any.
fn fits(wanted: &[String], found: &[String]) -> bool {
    match wanted.split_first() {
        None => found.is_empty(),
        Some((any, rest)) if any == "..." => (0..=found.len()).any(|skipped| fits(rest, &found[skipped..])),
        Some((line, rest)) => found.split_first().is_some_and(|(first, more)| first == line && fits(rest, more)),
    }
}

/// Runs the blocks of a page. Returns the page with what the commands printed.
fn run(session: &Session, page: &Page) -> Result<String, String> {
    let runnable =
        |block: &Block| ["sh", "console", "upstream"].contains(&block.language()) && block.value("no-run").is_none();
    let blocks: Vec<Block> = blocks(&page.text).into_iter().filter(runnable).collect();
    if blocks.is_empty() {
        return Ok(page.text.clone());
    }
    let is_new = blocks.iter().any(|block| block.text.contains("strixlock init"));
    let user = session.user(&page.name, is_new, page.text.contains("strixlock export oci"));
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    for part in blocks.split_inclusive(|block| block.language() == "upstream") {
        let steps: Vec<Step> = part.iter().filter(|block| block.language() != "upstream").flat_map(steps).collect();
        let printed = session.run(&user, steps.iter().map(|step| step.command.as_str()))?;
        for (step, found) in steps.iter().zip(&printed) {
            let Some((wanted, below)) = &step.printed else { continue };
            if !fits(&steady(wanted), &steady(found)) {
                changes.push((below.clone(), format!("{}\n", found.trim_end())));
            }
        }
        if let Some(remark) = part.last().filter(|block| block.language() == "upstream") {
            session.happen(&remark.text);
        }
    }
    let mut text = page.text.clone();
    for (place, printed) in changes.iter().rev() {
        text.replace_range(place.clone(), printed.trim_start_matches('\n'));
    }
    Ok(text)
}

#[test]
fn every_command_of_the_book_does_what_the_book_says() {
    let session = Session::new();
    let mut faults = Vec::new();
    for page in pages() {
        match run(&session, &page) {
            Ok(text) if text == page.text => {}
            Ok(text) if is_update() => std::fs::write(Path::new(ROOT).join(&page.name), text).unwrap(),
            Ok(text) => {
                let differs = page.text.lines().zip(text.lines()).find(|(wanted, found)| wanted != found);
                faults.push(format!("{}: prints something else: {differs:?} (UPDATE_DOCS=1 writes it)", page.name));
            }
            Err(output) => faults.push(format!("{}: {output}", page.name)),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn few_commands_of_the_book_are_not_run_and_each_for_a_reason() {
    let mut found = BTreeMap::new();
    for page in pages() {
        for block in blocks(&page.text) {
            assert!(block.language() != "bash" && block.language() != "shell", "{}: use sh or console", page.name);
            if let Some(reason) = block.value("no-run") {
                *found.entry(reason.to_owned()).or_insert(0_usize) += 1;
            }
        }
    }
    assert_eq!(found, NOT_RUN.map(|(reason, count)| (reason.to_owned(), count)).into());
}

#[test]
fn toml_of_the_book_is_toml() {
    for page in pages() {
        for block in blocks(&page.text).iter().filter(|block| block.language() == "toml") {
            let parsed: Result<toml::Table, _> = toml::from_str(&block.text);
            assert!(parsed.is_ok(), "{}: {}", page.name, parsed.unwrap_err());
        }
    }
}

#[test]
fn three_dots_stand_for_any_lines() {
    let fits = |wanted: &str, found: &str| fits(&steady(wanted), &steady(found));
    assert!(fits("a\n...\nd\n", "a\nb\nc\nd\n") && fits("a\n...\n", "a\n"));
    assert!(!fits("a\n...\nd\n", "a\nb\n") && !fits("a\n", "a\nb\n"));
}
