//! Colour: where it is, where it is not, and that all words have one palette.

use std::process::Command;

use super::{Terminal, command};
use crate::support::{FIRST, Project};

/// The styles of `error:` and `hint:`.
const ERROR: &str = "\x1b[1m\x1b[31merror:\x1b[0m ";
const HINT: &str = "\x1b[1m\x1b[36mhint:\x1b[0m ";

fn stderr(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stderr).unwrap()
}

#[test]
fn errors_of_the_program_and_of_its_command_line_have_one_form() {
    let project = Project::empty();
    for arguments in [&["--color", "always", "realize"] as &[&str], &["--color=always", "realize", "--sael"]] {
        let said = stderr(&mut command(&project, arguments));
        assert!(said.starts_with(ERROR) && said.contains(&format!("\n{HINT}")), "{said:?}");
    }
    let ran = project.run(&["realize", "--sael"]).code(2);
    insta::assert_snapshot!(ran.stderr, @r"
    error: unexpected argument '--sael' found
      usage  strixlock realize --seal [OUTPUT]...
    hint: a similar argument exists: '--seal'
    ");
    insta::assert_snapshot!(project.run(&["gc", "--older-than", "30"]).code(2).stderr, @r"
    error: invalid value '30' for '--older-than <AGE>': expected an age such as 30d, 12h or 2w
    hint: `strixlock gc --help` explains the options
    ");
    let help = command(&project, &["--color", "always", "help", "gc"]).output().unwrap().stdout;
    assert!(String::from_utf8(help).unwrap().contains("\x1b[1m\x1b[32mUsage:\x1b[0m"));
}

#[test]
fn marks_below_a_line_of_a_file_are_red() {
    let project = Project::empty();
    project.write("manifests/strix.toml", "requires = \">=0.1\"\n[inputs.rocm]\ntype = \"rcom\"\n");
    let said = stderr(&mut command(&project, &["--color", "always", "update"]));
    assert!(said.contains("| \x1b[1m\x1b[31m") && said.contains("^^^"), "{said:?}");
}

#[test]
fn variables_and_the_option_decide() {
    let project = Project::empty();
    let coloured = |arguments: &[&str], variables: &[(&str, &str)]| {
        stderr(command(&project, arguments).envs(variables.iter().copied())).contains('\x1b')
    };
    let failing = &["realize"] as &[&str];
    for variables in [&[("FORCE_COLOR", "1")], &[("CLICOLOR_FORCE", "1")]] {
        assert!(coloured(failing, variables), "{variables:?}");
    }
    for variables in [&[("FORCE_COLOR", "1"), ("NO_COLOR", "1")] as &[_], &[("FORCE_COLOR", "0")], &[]] {
        assert!(!coloured(failing, variables), "{variables:?}");
    }
    assert!(coloured(&["realize", "--sael"], &[("STRIXLOCK_COLOR", "always"), ("NO_COLOR", "1")]));
    assert!(!coloured(&["realize", "--color", "never"], &[("FORCE_COLOR", "1")]));
    assert!(coloured(&["realize", "--color", "always"], &[("NO_COLOR", "1")]));
    let said = project.run(&["--color", "pink", "realize"]).code(2).stderr;
    assert!(said.starts_with("error: invalid value 'pink' for '--color <WHEN>'"), "{said}");
}

#[test]
fn terminals_get_colour_unless_they_are_plain() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    let raw = |store: &str, variable: (&str, &str)| {
        let mut update = command(&project, &["update"]);
        update.env("STRIXLOCK_STORE", project.store(store)).env(variable.0, variable.1);
        std::fs::remove_file(project.path("lock/strix.lock")).ok();
        let ended = Terminal::run(&update, 80).end().code(0);
        assert!(ended.text().contains("fetched rocm "), "{}", ended.text());
        ended.raw
    };
    assert!(raw("one", ("TERM", "xterm")).contains("\x1b[32m"));
    // Lines are redrawn all the same.
    let plain = raw("two", ("NO_COLOR", "1"));
    assert!(!plain.contains("\x1b[32m") && plain.contains("\x1b[2K"), "{plain:?}");
    assert!(!raw("three", ("TERM", "dumb")).contains('\x1b'));
}
