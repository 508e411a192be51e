//! The command line itself.

mod codes;
mod paths;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::support::Project;

#[test]
fn the_command_line_is_documented() {
    let project = Project::empty();
    let help = project.run(&["--help"]).code(0).stdout;
    for command in [
        "init",
        "update",
        "status",
        "outdated",
        "realize",
        "run",
        "env",
        "runtime",
        "why",
        "audit",
        "hash",
        "list",
        "generations",
        "rollback",
        "doctor",
        "provision",
        "export",
        "demo",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in the help");
        let own = project.run(&[command, "--help"]).code(0).stdout;
        assert!(own.contains("Usage: strixlock"), "{own}");
    }
    assert!(help.contains("Exit codes:"));
    project.run(&["frobnicate"]).code(2);
}

#[test]
fn errors_are_json_where_results_are() {
    let project = Project::empty();
    let ran = project.run(&["--json", "realize"]).code(9);
    let json = ran.json();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["error"]["kind"], "not-found");
    assert_eq!(json["error"]["exit_code"], 9);
    assert!(ran.stderr.starts_with("error: there is no lock"));
}

#[test]
fn a_wrong_command_line_is_json_too() {
    let project = Project::empty();
    for (words, message) in [
        (["--json", "realize", "--sael"].as_slice(), "unexpected argument '--sael' found"),
        (&["frobnicate", "--json"], "unrecognized subcommand 'frobnicate'"),
        (&["--json", "log"], "the following required arguments were not provided: <OUTPUT>"),
        (
            &["--json", "list", "rocm", "--count", "0"],
            "invalid value '0' for '--count <N>': number would be zero for non-zero type",
        ),
        (&["--json"], "a command is missing"),
        (
            &["--json", "realize", "--to", "a", "--prefix", "b"],
            "the argument '--to <DIR>' cannot be used with '--prefix <DIR>'",
        ),
    ] {
        let ran = project.run(words).code(2);
        let json = ran.json();
        assert_eq!(json["error"]["message"], message);
        assert_eq!(
            (&json["error"]["kind"], &json["error"]["exit_code"], &json["schema"]),
            (&"usage".into(), &2.into(), &1.into())
        );
        assert!(!ran.stderr.is_empty(), "a person is told as well");
    }
    let json = project.run(&["--json", "realize", "--sael"]).json();
    assert_eq!(json["error"]["hint"], "a similar argument exists: '--seal'");
    assert!(json["error"]["facts"][0]["value"].as_str().unwrap().starts_with("strixlock realize"), "{json}");
    assert_eq!(project.run(&["realize", "--sael"]).code(2).stdout, "");
    assert!(project.run(&["--json", "--version"]).code(0).stdout.starts_with("strixlock "));
}

#[test]
fn what_the_demo_writes_is_named_in_json() {
    let project = Project::empty();
    let json = project.run(&["--json", "demo", "--make-model", "a.gguf"]).code(0).json();
    assert_eq!(json["wrote"], serde_json::json!(["a.gguf"]));
    let json = project.run(&["--json", "demo", "--make-model", "b.gguf", "--split", "4"]).code(0).json();
    let parts = json["wrote"].as_array().unwrap();
    assert!(parts.len() > 1 && parts.iter().all(|part| project.path(part.as_str().unwrap()).is_file()), "{json}");
    assert_eq!(project.run(&["demo", "--make-model", "c.gguf"]).code(0).stdout, "");
}

#[test]
fn the_practice_upstream_ends_with_the_day_that_the_variable_says() {
    let project = Project::empty();
    let at = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        command.env("STRIXLOCK_NOW", "2027-02-03");
        command
    };
    let mut serving = at(&["demo", "--serve", "--dir", "upstream"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(serving.stdout.take().unwrap()).lines().map(Result::unwrap);
    let index = lines.take_while(|line| line.starts_with("index ")).last().unwrap();
    let list = at(&["list", "rocm", "--json", "--source", index.trim_start_matches("index ")]).output().unwrap();
    serving.kill().unwrap();
    serving.wait().unwrap();
    let listed = project.finish(list).code(0).json();
    assert!(listed.to_string().contains("\"10.3.0a20270203\""), "{listed:#}");
}

#[test]
fn there_is_no_colour_without_a_terminal() {
    let project = Project::new();
    project.rocm_manifest("10.1.0a20260901");
    assert!(!project.run(&["update"]).code(0).all().contains('\x1b'));
}

#[test]
fn a_bad_configuration_is_told() {
    let project = Project::new();
    project.rocm_manifest("latest").write("strixlock.toml", "mirors = []\n");
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("unknown field `mirors`"), "{}", ran.all());
}

#[test]
fn a_store_of_another_format_is_left_alone() {
    let project = Project::new();
    project.rocm_manifest("10.1.0a20260901");
    std::fs::create_dir_all(project.store("main")).unwrap();
    std::fs::write(project.store("main").join("version"), "strixlock-store 9\n").unwrap();
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("strixlock-store 9"), "{}", ran.all());
}

#[test]
fn the_demo_says_all_that_it_lacks_before_it_writes_anything() {
    let project = Project::empty();
    let mut inside = std::process::Command::new("bwrap");
    inside.args(["--ro-bind", "/", "/", "--bind"]).args([project.path(""), project.path("")]);
    inside.args(["--tmpfs", "/usr/bin", "--", env!("CARGO_BIN_EXE_strixlock"), "demo", "--dir", "here"]);
    let ran = project.finish(inside.current_dir(project.path("")).output().unwrap()).code(10);
    assert!(ran.stderr.contains("missing from /usr/bin  bwrap, cmake, ninja, cc, c++, diff"), "{}", ran.all());
    assert!(ran.stderr.contains("apt-get install bubblewrap cmake ninja-build gcc g++ diffutils"), "{}", ran.all());
    assert!(!project.path("here").exists());
}
