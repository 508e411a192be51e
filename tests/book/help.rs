//! The help of commands: groups, examples, links.

use std::path::Path;

use clap::Command;

use super::links::anchors;
use super::session::Session;
use super::{ROOT, page};
use crate::book::commands::{commands, fault};
use crate::support::Project;

/// All commands with their full names, without those that other tools call and `help`.
fn all() -> Vec<(String, Command)> {
    let mut todo = vec![("strixlock".to_owned(), strixlock::cli::help::command())];
    let mut all = Vec::new();
    while let Some((name, command)) = todo.pop() {
        let below = command.get_subcommands().filter(|below| !below.is_hide_set());
        todo.extend(below.map(|below| (format!("{name} {}", below.get_name()), below.clone())));
        all.push((name, command));
    }
    all.retain(|(name, _)| name != "strixlock");
    all
}

/// Words of examples that cannot be run here: they need a new project, root, a model, a failed validation, a test, a profile,
/// a terminal, an engine, an image, releases, time, another machine or its disk, commits of the project, a merge,
/// somebody's key, or a registry.
const NOT_RUN: [&str; 31] = [
    "--follow",
    "../other",
    "before",
    "bisect",
    "up",
    "base.lock",
    "%O",
    "origin/main",
    "fish",
    "init",
    "stable",
    "/opt",
    "MODEL.gguf",
    "~/models/MODEL.gguf",
    "prod",
    "shell",
    "validate",
    "bench",
    "draft",
    "provision",
    "BASE@sha256:HEX",
    "demo",
    "deploy",
    "/mnt",
    "https://github.com/ann.keys",
    "me",
    "SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s",
    "push",
    "pull",
    "remote",
    "oci://registry.example/team/archive",
];

/// Returns the examples of a command's help, as they are typed.
fn examples(command: &mut Command) -> Vec<String> {
    let help = command.render_long_help().to_string();
    let (_, below) = help.split_once("\nExamples:\n").unwrap_or_default();
    let lines = below.lines().take_while(|line| !line.starts_with("More:")).map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn the_examples_of_the_help_work() {
    let session = Session::new();
    let user = session.user("help", false, true);
    let mut typed = Vec::new();
    for group in strixlock::cli::help::command().get_subcommands_mut() {
        typed.extend(examples(group));
        typed.extend(group.get_subcommands_mut().flat_map(examples));
    }
    typed.retain(|example| !example.split(' ').any(|word| NOT_RUN.contains(&word)));
    assert!(typed.len() > 40, "{typed:#?}");
    // `doctor` finds problems here, and two examples write one file.
    let steps = typed.iter().map(|example| match example.as_str() {
        "strixlock doctor" => "strixlock doctor || [ $? = 10 ]".to_owned(),
        other => format!("rm -f s.tar; {other}"),
    });
    let key = "ssh-keygen -q -t ed25519 -N '' -f ann".to_owned();
    let steps: Vec<String> = std::iter::once(key).chain(steps).collect();
    session.run(&user, steps.iter().map(String::as_str)).unwrap_or_else(|output| panic!("{output}"));
}

#[test]
fn every_command_has_two_examples_that_parse_and_a_page_in_the_book() {
    for (name, mut command) in all() {
        let help = command.render_long_help().to_string();
        let (_, below) = help.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{name} has no examples: {help}"));
        let (examples, more) = below.split_once("\nMore:").unwrap_or_else(|| panic!("{name} has no page"));
        let typed: Vec<Vec<String>> = commands(examples);
        assert!(typed.len() >= 2, "{name}: {typed:?}");
        let own = format!("{name} ");
        for example in &typed {
            assert!(
                format!("{} ", example.join(" ")).contains(own.trim_start_matches("strixlock ")),
                "{name}: {example:?}"
            );
            assert_eq!(fault(example), None, "{name}: {example:?}");
        }
        let (path, anchor) =
            more.trim().split_once("/docs/").map(|(_, at)| at.split_once('#').unwrap_or((at, ""))).unwrap();
        let text = page(&Path::new(ROOT).join("docs").join(path)).text;
        assert!(anchor.is_empty() || anchors(&text).contains(anchor), "{name}: {path} has no heading {anchor}");
        let long = examples.lines().find(|line| line.chars().count() > 80);
        assert!(long.is_none(), "{name}: wider than a terminal: {long:?}");
    }
}

#[test]
fn the_help_lists_every_command_in_a_group_within_eighty_columns() {
    let help = Project::empty().run(&["--help"]).code(0).stdout;
    for title in
        ["Everyday:", "Look and check:", "Images and containers:", "Store:", "Scripts and practice:", "Options:"]
    {
        assert!(help.contains(&format!("\n{title}\n")), "{title}: {help}");
    }
    assert!(!help.contains("\nOthers:\n"), "a command without a group: {help}");
    let list = &help[help.find("\nEveryday:").unwrap()..help.find("\nOptions:").unwrap()];
    let long: Vec<&str> = list.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty(), "{long:#?}");
    for command in strixlock::cli::help::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        assert_eq!(list.matches(&format!("\n  {} ", command.get_name())).count(), 1, "{}", command.get_name());
    }
}
