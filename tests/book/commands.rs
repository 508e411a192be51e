//! Commands that documents and help name, checked against the command line without running them.

use clap::error::ErrorKind;
use pulldown_cmark::{Event, Parser};

use super::blocks::blocks;
use super::pages;

/// Returns the commands of strixlock in a piece of shell, each as words.
pub fn commands(shell: &str) -> Vec<Vec<String>> {
    let whole = shell.replace("\\\n", " ");
    let mut all = Vec::new();
    for line in whole.lines() {
        let words = words(line.strip_prefix("$ ").unwrap_or(line));
        for part in words.split(|word| ["&&", "|", "||", ";", ">", ">>", "&", "&&", "[", "]"].contains(&word.as_str()))
        {
            if let Some(begin) = part.iter().position(|word| word == "strixlock") {
                all.push(part[begin..].to_vec());
            }
        }
    }
    all
}

/// Splits a line into words like a shell, up to a comment. Parentheses and double quotes are no part of words.
fn words(line: &str) -> Vec<String> {
    let (mut all, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (quote, c) {
            (None, '#') if word.is_empty() => break,
            (None, '\'') => quote = Some(c),
            (Some('\''), '\'') => quote = None,
            (None, ' ' | '"' | '(' | ')') => all.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            _ => word.push(c),
        }
    }
    all.extend((!word.is_empty()).then_some(word));
    all
}

/// Returns the fault of a command line that names an unknown command or option. Values may be stand-ins such as `N`.
pub fn fault(command: &[String]) -> Option<String> {
    let error = strixlock::cli::help::command().try_get_matches_from(command).err()?;
    let unknown = matches!(error.kind(), ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand);
    unknown.then(|| error.render().to_string().lines().next().unwrap_or_default().to_owned())
}

#[test]
fn every_command_that_the_book_names_exists() {
    let mut faults = Vec::new();
    for page in pages() {
        let spans = Parser::new(&page.text).filter_map(|event| match event {
            Event::Code(text) => Some(text.into_string()),
            _ => None,
        });
        let fenced = blocks(&page.text).into_iter().filter(|block| ["sh", "console"].contains(&block.language()));
        for shell in spans.chain(fenced.map(|block| block.text)) {
            for command in commands(&shell).iter().filter(|command| command.len() > 1) {
                faults.extend(fault(command).map(|why| format!("{}: {}: {why}", page.name, command.join(" "))));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn unknown_commands_and_options_are_seen() {
    let found = commands("a && strixlock gc --x 'b c' # d\neval \"$(strixlock env)\"\n$ strixlock lock digest | e\n");
    let found: Vec<String> = found.iter().map(|words| words.join(" ")).collect();
    assert_eq!(found, ["strixlock gc --x b c", "strixlock env", "strixlock lock digest"]);
    let fault = |text: &str| fault(&commands(text)[0]);
    assert!(fault("strixlock gc --x").is_some() && fault("strixlock frobnicate").is_some());
    assert!(fault("strixlock switch N").is_none() && fault("strixlock log OUTPUT --about").is_none());
}
