//! The command line with its help: groups of commands, and examples and a page of the book for each.
//!
//! The commands describe themselves by clap's derive; what stands in [`pages`] is added to that here.

mod pages;

use clap::{Command, CommandFactory as _};

use super::Cli;
use pages::{GROUPS, Group, Page};

/// Address of the book's pages.
const BOOK: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/");

/// Layout of the help of `strixlock` itself; the groups stand between these parts.
const TEMPLATE: [&str; 2] = ["{about-with-newline}\n{usage-heading} {usage}\n\n", "Options:\n{options}{after-help}"];

/// Returns the command line, as it is parsed and described.
#[must_use]
pub fn command() -> Command {
    let pages = GROUPS.iter().flat_map(|group| group.pages);
    let command = pages.fold(Cli::command(), |command, page| {
        let name: Vec<&str> = page.command.split(' ').collect();
        described(command, &name, page.help())
    });
    let [head, options] = TEMPLATE;
    let template = format!("{head}{}{options}", listed(&command));
    command.help_template(template)
}

/// Adds text to the help of the command with this name below `command`, if there is one.
fn described(command: Command, name: &[&str], help: String) -> Command {
    match name.split_first() {
        None => command.after_long_help(help),
        Some((first, rest)) if command.find_subcommand(first).is_some() => {
            command.mut_subcommand(first, |below| described(below, rest, help))
        }
        Some(_) => command,
    }
}

impl Page {
    /// Returns the text below the options of the command.
    fn help(&self) -> String {
        let examples: Vec<String> =
            self.examples.iter().map(|(purpose, typed)| format!("  # {purpose}\n  {typed}")).collect();
        format!("Examples:\n{}\n\nMore: {BOOK}{}", examples.join("\n\n"), self.at)
    }
}

/// Returns the list of all commands by group, with the first clause of what each does.
fn listed(command: &Command) -> String {
    let groups = GROUPS.iter().map(|group| (group.title, group.lists(command)));
    let grouped = |name: &str| GROUPS.iter().any(|group| group.has(name));
    let others = rows(command, |name| !grouped(name));
    let sections = groups.chain([("Others", others)]).filter(|(_, rows)| !rows.is_empty());
    sections.map(|(title, rows)| format!("{title}:\n{rows}\n")).collect()
}

impl Group {
    fn has(&self, name: &str) -> bool {
        self.pages.iter().any(|page| page.command == name)
    }

    fn lists(&self, command: &Command) -> String {
        rows(command, |name| self.has(name))
    }
}

/// Returns a line for each visible command whose name fits.
fn rows(command: &Command, fits: impl Fn(&str) -> bool) -> String {
    let members = command.get_subcommands().filter(|one| !one.is_hide_set() && fits(one.get_name()));
    let row = |one: &Command| {
        let about = one.get_about().map(ToString::to_string).unwrap_or_default();
        format!("  {:<12} {}\n", one.get_name(), first_clause(&about))
    };
    members.map(row).collect()
}

/// Returns a description up to its first comma, colon or semicolon.
fn first_clause(about: &str) -> &str {
    about.split([',', ':', ';']).next().unwrap_or(about)
}
