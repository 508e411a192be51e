//! The command line with its help: groups of commands, and examples and a page of the book for each.
//!
//! The commands describe themselves by clap's derive; what stands in [`pages`] is added to that here.

mod fleet;
mod pages;
mod settings;
mod sharing;

use clap::builder::Styles;
use clap::{Command, CommandFactory as _};

use super::Cli;
use pages::{GROUPS, Group, Page};

/// Address of the book's pages.
const BOOK: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/");

/// Layout of the help of `strixlock` itself, up to the groups of commands.
const HEAD: &str = "{about-with-newline}\n{usage-heading} {usage}\n\n";

/// Returns the command line, as it is parsed and described.
#[must_use]
pub fn command() -> Command {
    let pages = GROUPS.iter().flat_map(|group| group.pages);
    let command = pages.fold(Cli::command(), |command, page| {
        let name: Vec<&str> = page.command.split(' ').collect();
        let help = page.help(command.get_styles());
        described(command, &name, help)
    });
    let options = heading("Options", command.get_styles());
    let template = format!("{HEAD}{}{options}\n{{options}}{{after-help}}", listed(&command));
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
    fn help(&self, styles: &Styles) -> String {
        let examples = self.examples.iter().map(|(purpose, typed)| format!("  # {purpose}\n  {typed}"));
        let examples = examples.collect::<Vec<_>>().join("\n\n");
        format!("{}\n{examples}\n\nMore: {BOOK}{}", heading("Examples", styles), self.at)
    }
}

/// Returns the list of all commands by group, with the first clause of what each does.
fn listed(command: &Command) -> String {
    let groups = GROUPS.iter().map(|group| (group.title, rows(command, |name| group.has(name))));
    let others = rows(command, |name| !GROUPS.iter().any(|group| group.has(name)));
    let sections = groups.chain([("Others", others)]).filter(|(_, rows)| !rows.is_empty());
    let sections = sections.map(|(title, rows)| format!("{}\n{rows}\n", heading(title, command.get_styles())));
    sections.collect::<Vec<_>>().concat()
}

impl Group {
    fn has(&self, name: &str) -> bool {
        self.pages.iter().any(|page| page.command == name)
    }
}

/// Returns a heading in clap's style.
fn heading(title: &str, styles: &Styles) -> String {
    let style = styles.get_header();
    format!("{style}{title}:{style:#}")
}

/// Returns a line for each visible command whose name fits.
fn rows(command: &Command, fits: impl Fn(&str) -> bool) -> String {
    let style = command.get_styles().get_literal();
    let members = command.get_subcommands().filter(|one| !one.is_hide_set() && fits(one.get_name()));
    let row = |one: &Command| {
        let about = one.get_about().map(ToString::to_string).unwrap_or_default();
        format!("  {style}{:<12}{style:#} {}\n", one.get_name(), first_clause(&about))
    };
    members.map(row).collect()
}

/// Returns a description up to its first comma, colon or semicolon.
fn first_clause(about: &str) -> &str {
    about.split([',', ':', ';']).next().unwrap_or(about)
}
