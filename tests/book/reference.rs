//! `docs/reference/commands.md`, generated from the command line.

use clap::{Arg, Command};

use super::demand_equal;

const HEAD: &str = "# Commands

This page is generated from the command line: `--help` of a command prints the same. Results go to stdout, everything else to stderr.

";

/// Returns the name of an argument as the help shows it.
fn name(arg: &Arg) -> String {
    if arg.is_positional() {
        return format!("`{arg}`");
    }
    let short = arg.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    let long = arg.get_long().map(|long| format!("--{long}")).unwrap_or_default();
    let value = arg.get_action().takes_values().then(|| arg.get_value_names().map(|names| format!(" <{}>", names[0])));
    format!("{short}`{long}{}`", value.flatten().unwrap_or_default())
}

fn row(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let values = arg.get_possible_values();
    let values: Vec<String> =
        values.iter().filter(|value| !value.is_hide_set()).map(|value| format!("`{}`", value.get_name())).collect();
    if !values.is_empty() && arg.get_action().takes_values() {
        text.extend([". One of ", &values.join(", ")]);
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        text.extend([" [default: ", &defaults.join(", "), "]"]);
    }
    if let Some(variable) = arg.get_env() {
        text.extend([" [environment: ", &variable.to_string_lossy(), "]"]);
    }
    format!("| {} | {} |\n", name(arg), text.replace('|', "\\|").replace('<', "\\<"))
}

/// Returns a table of arguments, or nothing if there are none.
fn table<'a>(args: impl Iterator<Item = &'a Arg>) -> String {
    let rows: String = args.filter(|arg| !arg.is_hide_set()).map(row).collect();
    if rows.is_empty() { rows } else { format!("| argument | meaning |\n| --- | --- |\n{rows}\n") }
}

fn section(name: &str, command: &mut Command, page: &mut Vec<String>) {
    let usage = command.render_usage().to_string();
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let usage = usage.trim_start_matches("Usage: ");
    page.push(format!("## {name}\n\n{}\n\n```text\n{usage}\n```\n\n", about.trim().replace('<', "\\<")));
    page.push(table(command.get_arguments().filter(|arg| !arg.is_global_set() && arg.get_id() != "help")));
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    if let Some((examples, _)) = help.trim_start_matches("Examples:\n").split_once("\n\nMore: ") {
        let examples: Vec<&str> = examples.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        page.push(format!("```text\n{}\n```\n\n", examples.join("\n")));
    }
    for below in command.get_subcommands_mut().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        section(&format!("{name} {}", below.get_name()), below, page);
    }
}

#[test]
fn the_list_of_commands_is_what_the_command_line_says() {
    let mut command = strixlock::cli::help::command();
    command.build();
    let global = table(command.get_arguments().filter(|arg| arg.is_global_set()));
    let mut page = vec![HEAD.to_owned(), format!("## Options of every command\n\n{global}")];
    for below in command.get_subcommands_mut().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        section(&format!("strixlock {}", below.get_name()), below, &mut page);
    }
    demand_equal("docs/reference/commands.md", &format!("{}\n", page.concat().trim_end()));
}
