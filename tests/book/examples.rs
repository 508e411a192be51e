//! Fenced commands of the book, run in the order in which they stand.
//!
//! A block ```` ```sh ```` must succeed, a block ```` ```console ```` must also print what stands below each command: numbers,
//! digests and times are not compared, and a line `...` stands for any lines. `may-exit=10` allows that exit code.
//! `no-run=REASON` says why a block cannot be run here; there may be only so many of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::blocks::{Block, blocks};
use super::session::Session;
use super::{Page, ROOT, is_update, pages};

/// Reasons for blocks that are not run, and how many there are. A new one needs a reason that is as good.
const NOT_RUN: [(&str, usize); 12] = [
    ("engine", 4),
    ("gpu", 1),
    // Tests live below /tmp, which no build may hide.
    ("home", 4),
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

/// Returns lines without what differs between runs.
fn lines(text: &str) -> Vec<String> {
    let seen = text.lines().filter(|line| !line.contains("is probably not updated any more"));
    seen.map(loose).filter(|line| !line.is_empty()).collect()
}

/// Returns a line with `0` in place of every number, digest, size, date and time, and single spaces.
fn loose(line: &str) -> String {
    let part = |c: char| c.is_ascii_hexdigit() || ".:".contains(c);
    let (mut text, mut run) = (String::new(), String::new());
    for c in line.chars().chain(['\n']) {
        if part(c) {
            run.push(c);
            continue;
        }
        text += if run.chars().any(|c| c.is_ascii_digit()) { "0" } else { &run };
        run.clear();
        text.push(c);
    }
    let is_unit = |word: &str| ["B", "kB", "MB", "GB", "ms", "s", "min"].contains(&word.trim_end_matches(')'));
    let mut words: Vec<&str> = text.split_whitespace().collect();
    // A size that changed too little to be seen is printed once: builds of some days are as large as others.
    while let Some(from) = words
        .windows(5)
        .position(|five| (five[0], five[2], five[3]) == ("0", "->", "0") && is_unit(five[1]) && is_unit(five[4]))
    {
        words.drain(from..from + 3);
    }
    words.retain(|word| !is_unit(word));
    // Some builds are smaller than the one before, others larger.
    words.join(" ").replace("(+0", "(0").replace("(-0", "(0")
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
            if !fits(&lines(wanted), &lines(found)) {
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
fn what_differs_between_runs_is_not_compared() {
    assert_eq!(loose("rocm  10.2.0a20261120  2.1 GB in 4:10"), loose("rocm 10.1.0a20260901 629 kB in 12 s"));
    assert_eq!(loose("b8 (c97263)"), "0 (0)");
    assert_eq!(loose("  tarball  218 kB -> 219 kB"), loose("  tarball  219 kB"));
    assert_eq!(loose("size 219 kB -> 218 kB (-1.27 kB)"), loose("size 218 kB (+625 B)"));
    assert_ne!(loose("rocm 1.0 -> 2.0"), loose("rocm 1.0"));
    assert_ne!(loose("switched to generation 2"), loose("switched back to generation 2"));
    let lines = |text: &str| lines(text);
    assert!(fits(&lines("a\n...\nd\n"), &lines("a\nb\nc\nd\n")) && fits(&lines("a\n...\n"), &lines("a\n")));
    assert!(!fits(&lines("a\n...\nd\n"), &lines("a\nb\n")) && !fits(&lines("a\n"), &lines("a\nb\n")));
}
