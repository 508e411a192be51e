//! The log: requests, decisions and commands.

use strixlock_demo::Fault;
use strixlock_demo::hub::{Access, MEMBER};

use crate::models::hub;
use crate::support::{Project, REQUIRES, Ran};

const VERSION: &str = "10.1.0a20260901";
const TARBALL: &str = "/rocm/core/tarball/therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz";

/// A project with ROCm alone.
fn project() -> Project {
    let project = Project::new();
    project.rocm_manifest(VERSION);
    project
}

/// Runs a command with these environment variables.
fn run_with(project: &Project, (name, value): (&str, &str), arguments: &[&str]) -> Ran {
    project.finish(project.command(arguments).env(name, value).output().unwrap())
}

/// Returns the lines of a topic, without the level.
fn lines<'r>(ran: &'r Ran, topic: &str) -> Vec<&'r str> {
    let begin = format!("{topic}: ");
    ran.stderr.lines().filter_map(|line| line.trim_start().split_once(' ')?.1.strip_prefix(&begin)).collect()
}

/// Fails the test unless a line has all of these parts.
#[track_caller]
fn has(ran: &Ran, topic: &str, parts: &[&str]) {
    let found = lines(ran, topic);
    assert!(found.iter().any(|line| parts.iter().all(|part| line.contains(part))), "{parts:?}: {}", ran.all());
}

#[test]
fn each_request_and_each_decision_is_told_with_v() {
    let project = project();
    let ran = project.run(&["-v", "update"]).code(0);
    has(&ran, "fetch", &["GET [UPSTREAM]/", ": 200 OK, ", " in ", " ms"]);
    has(&ran, "cache", &["input rocm: asking upstream: it is not locked yet"]);
    has(&ran, "cache", &["input rocm: fetch: 10.1.0a20260901 is new"]);
    has(&ran, "cache", &["rocm: fetch: the tarball is not in the store"]);
    assert!(!ran.stderr.contains("DEBUG"), "{}", ran.all());
    let ran = project.run(&["update", "-vv"]).code(0);
    has(&ran, "cache", &["input rocm: asking upstream: there may be something newer"]);
    has(&ran, "cache", &["input rocm: have: 10.1.0a20260901 is the locked version"]);
    assert!(ran.stderr.contains("DEBUG fetch: GET [UPSTREAM]/"), "{}", ran.all());
    let ran = project.run(&["-v", "realize"]).code(0);
    has(&ran, "cache", &["output rocm: have: its tree is sha256:"]);
    assert_eq!(lines(&ran, "fetch"), Vec::<&str>::new(), "{}", ran.all());
    let ran = project.run_in_store("other", &["-v", "status"]).code(0);
    has(&ran, "cache", &["output rocm: build: its tree sha256:", " is not in the store"]);
    has(&ran, "cache", &["input rocm: fetch: 10.1.0a20260901"]);
}

#[test]
fn what_goes_wrong_on_the_way_is_told_with_v() {
    let project = project();
    project.run(&["update"]).code(0);
    let server = project.upstream().server();
    server.fault(TARBALL, Fault::status(503, 1));
    let ran = project.run_in_store("second", &["-v", "realize"]).code(0);
    has(&ran, "fetch", &["GET ", ".tar.gz: 503 Service Unavailable"]);
    has(&ran, "fetch", &["rocm: [UPSTREAM]/", "the server answered 503"]);
    has(&ran, "fetch", &["rocm: asked again in ", "after 1 of 5 rounds"]);
    server.heal_all();
    server.fault(TARBALL, Fault::DisconnectOnce { after: 40_000 });
    let ran = project.run_in_store("third", &["-v", "realize"]).code(0);
    has(&ran, "fetch", &["rocm: [UPSTREAM]/", "the download broke off"]);
    has(&ran, "fetch", &["GET ", ": 206 Partial Content"]);
    server.heal_all();
    // A signed URL must not be logged.
    server.fault(TARBALL, Fault::Redirect(server.url("/elsewhere?Signature=hush")));
    let ran = project.run_in_store("fourth", &["-vv", "realize"]).code(9);
    has(&ran, "fetch", &[".tar.gz: 302 Found leads to [UPSTREAM]/elsewhere?..."]);
    assert!(!ran.all().contains("hush"), "{}", ran.all());
}

#[test]
fn a_token_is_never_logged() {
    let (project, hub) = hub::project_with("model = \"demo/tiny-GGUF:F32\"", Access::Gated);
    for arguments in [["-vv", "update"], ["-vv", "realize"]] {
        let mut command = project.command(&arguments);
        command.env("HF_TOKEN", MEMBER).env("HF_ENDPOINT", hub.endpoint()).env("STRIXLOCK_LOG", "trace");
        let ran = project.finish(command.output().unwrap()).code(0);
        has(&ran, "fetch", &["GET [UPSTREAM]/hub/", "/resolve/"]);
        has(&ran, "fetch", &[" leads to "]);
        assert!(!ran.all().contains(MEMBER) && !ran.all().to_lowercase().contains("bearer"), "{}", ran.all());
    }

    let project = self::project();
    project.run(&["update"]).code(0);
    let server = project.upstream().server();
    server.fault(TARBALL, Fault::BasicAuth { user: "me".into(), password: "hush".into() });
    std::fs::create_dir_all(project.directory.path().join("home")).unwrap();
    let login = "machine 127.0.0.1 login me password hush\n";
    std::fs::write(project.directory.path().join("home/.netrc"), login).unwrap();
    let ran = project.run_in_store("other", &["-vv", "realize"]).code(0);
    has(&ran, "fetch", &[".tar.gz: 200 OK"]);
    // The second is `me:hush` as encoded in a header.
    for secret in ["hush", "bWU6aHVzaA"] {
        assert!(!ran.all().contains(secret), "{}", ran.all());
    }
}

#[test]
fn commands_are_told_with_v() {
    // The sandbox is looked for on any machine.
    let ran = Project::empty().run(&["-v", "doctor"]);
    has(&ran, "run", &["on this machine: bwrap --unshare-all"]);
}

#[test]
fn the_ssh_and_git_that_bring_a_repository_are_told_with_v() {
    let project = Project::new();
    let repository = project.upstream().llama_repository();
    let path = repository.display();
    project.program("bin/ssh", "#!/bin/sh\nfor last; do :; done\nexec sh -c \"$last\"\n");
    let update = |url: &str| {
        let input = format!("{REQUIRES}[inputs.source]\ntype = \"git\"\nurl = \"{url}\"\n");
        project.write("manifests/strix.toml", &input);
        let mut command = project.command(&["-v", "update"]);
        command.env("PATH", project.search_path());
        project.finish(command.output().unwrap()).code(0)
    };
    let ran = update(&format!("me@h.example:{path}"));
    has(&ran, "run", &["on this machine: ", "ssh -o BatchMode=yes ", " me@h.example ", "git-upload-pack"]);
    let ran = update(&format!("file://{path}"));
    has(&ran, "run", &["on this machine: ", "git ", " upload-pack "]);
}

#[test]
fn files_that_are_passed_over_are_told_with_vv() {
    let project = project();
    let index = project.upstream().server().url("/listing/");
    let page = "<title>Index of /</title><a href=\"therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz\">a</a>\
                <a href=\"therock-notes.txt\">b</a>";
    project
        .upstream()
        .server()
        .handle("/listing/", move |_: &strixlock_demo::http::Incoming| strixlock_demo::http::Response::text(200, page));
    let ran = project.run(&["-vv", "list", "rocm", "--source", &index]).code(0);
    has(&ran, "lists", &["therock-notes.txt is skipped: "]);
    let ran = project.run(&["-v", "list", "rocm", "--source", &index]).code(0);
    assert_eq!(lines(&ran, "lists"), Vec::<&str>::new(), "{}", ran.all());
}

#[test]
fn a_filter_chooses_topics_and_levels() {
    let project = project();
    project.run(&["update"]).code(0);
    let silent = project.run(&["update"]).code(0);
    let ran = run_with(&project, ("STRIXLOCK_LOG", "off"), &["-v", "update"]).code(0);
    assert_eq!(ran.stderr, silent.stderr);
    let ran = run_with(&project, ("STRIXLOCK_LOG", "cache=debug"), &["update"]).code(0);
    has(&ran, "cache", &["input rocm: have"]);
    assert_eq!(lines(&ran, "fetch"), Vec::<&str>::new(), "{}", ran.all());
    let ran = project.run(&["--log-filter", "fetch=info", "update"]).code(0);
    has(&ran, "fetch", &["GET "]);
    assert_eq!(lines(&ran, "cache"), Vec::<&str>::new(), "{}", ran.all());
    for (filter, said) in [
        ("loud", "unknown topic `loud`: expected a level, or fetch, cache, run, lists"),
        ("fetsh=debug", "did you mean `fetch`?"),
        ("fetch=loud", "unknown level `loud`"),
    ] {
        let ran = run_with(&project, ("STRIXLOCK_LOG", filter), &["update"]).code(2);
        assert!(ran.stderr.contains(said), "{}", ran.all());
    }
}

#[test]
fn a_file_takes_the_log_in_place_of_the_screen() {
    let project = project();
    let silent = project.run(&["update", "--log-file", "log.txt"]).code(0);
    assert!(!silent.stderr.contains("fetch: "), "{}", silent.all());
    let first = project.read("log.txt");
    assert!(first.contains(" INFO fetch: GET ") && first.contains("DEBUG fetch: GET "), "{first}");
    assert!(first.lines().all(|line| line.starts_with("20") && line.contains('T')), "{first}");
    project.run(&["update", "-v", "--log-file", "log.txt"]).code(0);
    let both = project.read("log.txt");
    let second = both.strip_prefix(&first).expect("the second run goes on behind the first");
    assert!(second.contains(" INFO fetch: GET ") && !second.contains("DEBUG"), "{second}");
    let ran = project.run(&["update", "--log-file", "missing/log.txt"]).code(1);
    assert!(ran.stderr.contains("error: cannot write the log\n"), "{}", ran.all());
}

#[test]
fn results_stay_what_they_are() {
    let project = project();
    project.run(&["update"]).code(0);
    let (plain, logged) = (project.run(&["update", "--json"]), project.run(&["update", "--json", "-vv", "--quiet"]));
    assert_eq!(plain.json(), logged.json());
    has(&logged, "fetch", &["GET "]);
}

#[test]
fn the_options_of_the_log_are_in_every_help() {
    let help = Project::empty().run(&["hash", "--help"]).code(0).stdout;
    let (_, options) = help.split_once("  -v, ").expect("the options of the log are in the help");
    let options: Vec<&str> = options.lines().map(str::trim_end).take_while(|line| *line != "Examples:").collect();
    insta::assert_snapshot!(format!("  -v, {}", options.join("\n").trim_end()), @r"
      -v, --verbose...
              Log requests, cache decisions and commands to standard error; -vv for details

          --log-filter <FILTER>
              Log these topics: fetch, cache, run, lists; such as `fetch=debug,run=info`

              [env: STRIXLOCK_LOG=]

          --log-file <FILE>
              Append the log to this file instead of standard error; with details unless -v or
              --log-filter is given

              [env: STRIXLOCK_LOG_FILE=]
    ");
}
