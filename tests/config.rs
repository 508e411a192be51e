//! Settings: options, environment variables and files, and `config show`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Project, Ran};

/// Runs a command with these environment variables.
fn run(project: &Project, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = project.command(arguments);
    command.envs(variables.iter().copied());
    project.finish(command.output().unwrap())
}

/// Returns value and origin of each setting. Of a list it is the last element.
fn settings(ran: &Ran) -> BTreeMap<String, (Value, Value)> {
    let all = ran.json()["settings"].as_array().unwrap().clone();
    let name = |setting: &Value| setting["name"].as_str().unwrap().to_owned();
    all.into_iter().map(|setting| (name(&setting), (setting["value"].clone(), setting["origin"].clone()))).collect()
}

#[test]
fn option_environment_project_and_user_count_in_this_order() {
    let project = Project::empty();
    let show = |arguments: &[&str], variables: &[(&str, &str)]| {
        let ran = run(&project, &[&["config", "show", "--json"], arguments].concat(), variables).code(0);
        settings(&ran)["profile"].clone()
    };
    let origin = |kind: &str, name: &str, value: &str| serde_json::json!({ "kind": kind, name: value });
    assert_eq!(show(&[], &[]), (Value::Null, serde_json::json!({ "kind": "default" })));
    let home = project.directory.path().join("home/.config/strixlock");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join("config.toml"), "# mine\nprofile = \"user\"\nrounds = 7\n").unwrap();
    let file =
        |path: &str, line: u64| serde_json::json!({ "kind": "file", "file": format!("[DIR]/{path}"), "line": line });
    assert_eq!(show(&[], &[]), ("user".into(), file("home/.config/strixlock/config.toml", 2)));
    project.write("strixlock.toml", "profile = \"project\"\n");
    assert_eq!(show(&[], &[]), ("project".into(), file("project/strixlock.toml", 1)));
    let variable = [("STRIXLOCK_PROFILE", "variable")];
    assert_eq!(show(&[], &variable), ("variable".into(), origin("environment", "variable", "STRIXLOCK_PROFILE")));
    assert_eq!(show(&["--profile", "typed"], &variable), ("typed".into(), origin("option", "option", "--profile")));
}

#[test]
fn every_setting_is_shown_with_its_origin() {
    let project = Project::empty();
    let file = "rounds = 3\ninsecure-hosts = [\"a.lan\"]\nmirrors = [{ of = \"https://a/\", at = \"here\" }]\n";
    let builder =
        "builder = \"reapis://build.lan/main\"\nbuilder-token = \"token\"\nbuilder-platform = [\"OSFamily=linux\"]\n";
    project.write("strixlock.toml", &format!("{file}{builder}"));
    let variables = [
        ("STRIXLOCK_BUSY_SECONDS", "9"),
        ("STRIXLOCK_MIRRORS", "https://b/=https://c/"),
        ("STRIXLOCK_OFFLINE", "yes"),
        ("STRIXLOCK_BUILDER_PLATFORM", "ISA=x86-64"),
    ];
    let text = run(&project, &["config", "show"], &variables).code(0).stdout;
    let rows: Vec<String> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    insta::assert_snapshot!(rows.join("\n"), @"
    manifest manifests/strix.toml default
    lock lock/strix.lock default
    store [DIR]/stores/main STRIXLOCK_STORE
    profile none default
    config [DIR]/home/.config/strixlock/config.toml default
    offline true STRIXLOCK_OFFLINE
    json false default
    quiet false default
    no-progress true STRIXLOCK_NO_PROGRESS
    color auto default
    log-filter none default
    log-file none default
    archive [DIR]/home/.local/share/strixlock/archive default
    insecure-hosts a.lan [DIR]/project/strixlock.toml:2
    mirrors https://b/ -> https://c/ STRIXLOCK_MIRRORS
    mirrors https://a/ -> file://[DIR]/project/here/ [DIR]/project/strixlock.toml:3
    remotes none default
    ask-remotes true default
    compile-cache false STRIXLOCK_COMPILE_CACHE
    builder-calls true default
    builder reapis://build.lan:443/main [DIR]/project/strixlock.toml:4
    builder-authorities none default
    builder-certificate none default
    builder-key none default
    builder-token [DIR]/project/token [DIR]/project/strixlock.toml:5
    builder-platform ISA=x86-64 STRIXLOCK_BUILDER_PLATFORM
    builder-platform OSFamily=linux [DIR]/project/strixlock.toml:6
    rounds 3 [DIR]/project/strixlock.toml:1
    window-seconds 30 default
    floor-bytes 30720 default
    largest-bytes 17179869184 default
    silence-seconds 3600 default
    log-bytes 268435456 default
    compile-cache-bytes 5000000000 default
    builder-seconds 0 default
    busy-seconds 9 STRIXLOCK_BUSY_SECONDS
    ");
}

#[test]
fn every_setting_has_a_variable_that_counts() {
    let project = Project::empty();
    let show = |variables: &[(&str, &str)]| {
        let all = [&[("STRIXLOCK_JSON", "1")], variables].concat();
        run(&project, &["config", "show"], &all).code(0)
    };
    let value = |name: &str| match name {
        "offline" | "quiet" | "no-progress" | "verbose" | "compile-cache" | "ask-remotes" | "builder-calls" => "1",
        "json" => "true",
        "mirrors" => "https://a/=https://b/",
        "remotes" => "team=oci://r.example/a",
        "log-filter" => "fetch=info",
        "color" => "never",
        "store" | "archive" | "config" | "log-file" | "manifest" | "lock" => "some/path",
        "profile" | "insecure-hosts" => "some",
        "compile-cache-bytes" => "5000000",
        "builder" => "local",
        "builder-platform" => "OSFamily=linux",
        _ => "5",
    };
    std::fs::create_dir_all(project.path("some")).unwrap();
    project.write("some/path", "");
    for setting in show(&[]).json()["settings"].as_array().unwrap() {
        let (name, variable) = (setting["name"].as_str().unwrap(), setting["variable"].as_str().unwrap());
        let ran = show(&[(variable, value(name))]);
        let (_, origin) = settings(&ran)[name].clone();
        assert_eq!(origin, serde_json::json!({ "kind": "environment", "variable": variable }), "{name}: {}", ran.all());
    }
}

#[test]
fn an_invalid_variable_is_named() {
    let project = Project::empty();
    project.rocm_manifest("latest");
    for (name, value, code) in [
        ("STRIXLOCK_ROUNDS", "many", 3),
        ("STRIXLOCK_ROUNDS", "0", 3),
        ("STRIXLOCK_MIRRORS", "https://a/", 3),
        ("STRIXLOCK_OFFLINE", "perhaps", 2),
        ("STRIXLOCK_STORE", "~you/store", 2),
        ("STRIXLOCK_PROFILE", "a b", 2),
    ] {
        let ran = run(&project, &["update"], &[(name, value)]).code(code);
        assert!(ran.stderr.contains(name) && ran.stderr.contains(value), "{}", ran.all());
        let ran = run(&project, &["update"], &[(name, value), ("STRIXLOCK_JSON", "1")]).code(code);
        assert!(ran.json()["error"].to_string().contains(name), "{}", ran.all());
    }
}

#[test]
fn variables_do_what_their_options_do() {
    let project = Project::new();
    project.rocm_manifest("latest");
    run(&project, &["update"], &[("STRIXLOCK_OFFLINE", "true")]).code(8);
    let ran = run(&project, &["update"], &[("STRIXLOCK_OFFLINE", "false"), ("STRIXLOCK_JSON", "on")]).code(0);
    assert_eq!(ran.json()["written"], true);
    let ran = run(&project, &["update", "rocm", "--sael"], &[("STRIXLOCK_JSON", "1")]).code(2);
    assert_eq!(ran.json()["error"]["kind"], "usage");
}

#[test]
fn all_errors_of_a_file_are_shown() {
    let project = Project::empty();
    project.rocm_manifest("latest");
    project.write("strixlock.toml", "rounds = 0\nstore = \"~you/x\"\nmirors = []\nbusy-seconds = \"long\"\nmirrors = [{ of = \"https://a/\" }, { at = \"b\" }]\n");
    insta::assert_snapshot!(project.run(&["update"]).code(3).stderr, @r#"
    error: strixlock.toml:1:10: invalid value of `rounds`
      |
    1 | rounds = 0
      |          ^ expected a number from 1 to 4294967295
    error: strixlock.toml:2:9: invalid configuration: `~you` is not expanded: write the full path, or `./~you` for a directory of that name
      |
    2 | store = "~you/x"
      |         ^^^^^^^^ here
    error: strixlock.toml:3:1: unknown field `mirors`
      |
    3 | mirors = []
      | ^^^^^^ did you mean `mirrors`?
    error: strixlock.toml:4:16: `busy-seconds` must be an integer
      |
    4 | busy-seconds = "long"
      |                ^^^^^^ this is a string
    error: strixlock.toml:5:12: the field `at` is missing
      |
    5 | mirrors = [{ of = "https://a/" }, { at = "b" }]
      |            ^^^^^^^^^^^^^^^^^^^^^ needs `at`
    error: strixlock.toml:5:35: the field `of` is missing
      |
    5 | mirrors = [{ of = "https://a/" }, { at = "b" }]
      |                                   ^^^^^^^^^^^^ needs `of`
    "#);
}

#[test]
fn a_command_can_be_run_in_another_directory() {
    let project = Project::new();
    project.rocm_manifest("10.1.0a20260901").write("sub/below/x", "");
    let outside = project.directory.path().join("stores");
    std::fs::create_dir_all(&outside).unwrap();
    let from = |directory: &std::path::Path, arguments: &[&str]| {
        project.finish(project.command(arguments).current_dir(directory).output().unwrap())
    };
    let place = project.path("");
    from(&outside, &["-C", place.to_str().unwrap(), "update"]).code(0);
    assert!(project.path("lock/strix.lock").is_file());
    // Each is relative to the one before, and so is what other options name.
    from(&outside, &["-C", "../project", "-C", "sub", "--store", "here", "realize"]).code(0);
    assert!(project.path("sub/here/version").is_file());
    from(&outside, &["status", "-C", "../project/sub/below"]).code(0);
    let ran = from(&outside, &["-C", "nowhere", "status"]).code(9);
    assert!(ran.stderr.contains("cannot enter the directory of -C") && ran.stderr.contains("nowhere"), "{}", ran.all());
}

#[test]
fn the_version_names_everything_that_is_written() {
    let project = Project::empty();
    let json = project.run(&["version", "--json"]).code(0).json();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        json["formats"],
        serde_json::json!({ "lock": 1, "store": 2, "listing": "strix-tree-1", "snapshot": 2, "json": 1 })
    );
    let recipes: BTreeMap<&str, u32> = strixlock::parts::revisions().into_iter().collect();
    assert_eq!(json["recipes"], serde_json::json!(recipes));
    assert!(json["target"].as_str().unwrap().contains("linux"));
    let text = project.run(&["version"]).code(0).stdout;
    assert!(text.starts_with(&format!("strixlock {}\n", env!("CARGO_PKG_VERSION"))), "{text}");
    let short = project.run(&["--version"]).code(0).stdout;
    assert_eq!(short, format!("strixlock {}\n", env!("CARGO_PKG_VERSION")));
}
