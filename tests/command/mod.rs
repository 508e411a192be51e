//! The command line itself.

mod paths;

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
