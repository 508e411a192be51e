//! Registries whose login a helper program keeps: `docker-credential-mine`, a script on PATH.

use std::os::unix::fs::PermissionsExt as _;

use strixlock_demo::http::{Incoming, Response};

use super::host;
use super::login::{BEARER, LOGIN, guarded, is_me, with_tokens};
use crate::support::{Project, Ran};

/// Prints the login of `me`.
const GOOD: &str = r#"echo '{"ServerURL": "x", "Username": "me", "Secret": "secret"}'"#;

/// Writes docker's configuration, with `[HOST]` in it.
fn configure(project: &Project, text: &str) {
    let file = project.directory.path().join("home/.docker/config.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text.replace("[HOST]", &host(project))).unwrap();
}

/// Puts the helper on PATH: it notes what it was asked, and goes on with these lines.
fn install(project: &Project, lines: &str) {
    let file = project.directory.path().join("bin/docker-credential-mine");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let log = project.directory.path().join("asked");
    let text = format!("#!/bin/sh\necho \"$* $(cat)\" >> {}\n{lines}\n", log.display());
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn run(project: &Project, arguments: &[&str]) -> Ran {
    let usual = std::env::var("PATH").unwrap();
    let path = format!("{}:{usual}", project.directory.path().join("bin").display());
    let ran = project.finish(project.command(arguments).env("PATH", path).output().unwrap());
    for secret in [LOGIN, "secret", "HIDDEN", "Bearer"] {
        assert!(!ran.all().contains(secret), "{secret}: {}", ran.all());
    }
    ran
}

/// How often the helper was asked, and what.
fn asked(project: &Project) -> Vec<String> {
    let text = std::fs::read_to_string(project.directory.path().join("asked")).unwrap_or_default();
    text.replace(&host(project), "[HOST]").lines().map(str::to_owned).collect()
}

#[test]
fn a_helper_s_login_opens_what_is_private_and_is_asked_for_once() {
    for configuration in [r#"{"credHelpers": {"[HOST]": "mine"}, "credsStore": "other"}"#, r#"{"credsStore": "mine"}"#]
    {
        let project = with_tokens(false);
        install(&project, GOOD);
        configure(&project, configuration);
        run(&project, &["update"]).code(0);
        assert_eq!(asked(&project), ["get [HOST]"]);
        // One token runs out on the way.
        run(&project, &["realize", "root"]).code(0);
        assert_eq!(asked(&project), ["get [HOST]"; 2]);
        let found =
            std::process::Command::new("grep").args(["-rlE", "secret|bWU6c2Vj"]).arg(project.store("main")).output();
        assert!(found.unwrap().stdout.is_empty() && !project.lock().contains("secret"));
    }
}

#[test]
fn a_registry_without_tokens_is_shown_the_helper_s_login_too() {
    let project = guarded("Basic realm=\"x\"", is_me);
    install(&project, GOOD);
    configure(&project, r#"{"credsStore": "mine"}"#);
    run(&project, &["update"]).code(0);
    run(&project, &["realize", "root"]).code(0);
    assert_eq!(asked(&project), ["get [HOST]"; 2]);
}

#[test]
fn what_is_public_asks_no_helper() {
    let project = with_tokens(true);
    install(&project, GOOD);
    configure(&project, r#"{"credsStore": "mine"}"#);
    run(&project, &["update"]).code(0);
    run(&project, &["realize", "root"]).code(0);
    assert!(asked(&project).is_empty());
}

#[test]
fn a_token_for_anybody_that_does_not_open_the_repository_is_not_the_last_word() {
    let project = guarded(BEARER, |incoming| incoming.header("authorization") == Some("Bearer good"));
    project.upstream().server().handle("/token", |incoming: &Incoming| {
        Response::text(200, if is_me(incoming) { r#"{"token": "good"}"# } else { r#"{"token": "weak"}"# })
    });
    install(&project, GOOD);
    configure(&project, r#"{"credsStore": "mine"}"#);
    run(&project, &["update"]).code(0);
    assert_eq!(asked(&project).len(), 1);
}

#[test]
fn a_login_in_a_file_asks_no_helper() {
    let project = with_tokens(false);
    install(&project, GOOD);
    configure(
        &project,
        &format!(r#"{{"auths": {{"[HOST]": {{"auth": "{LOGIN}"}}}}, "credHelpers": {{"[HOST]": "mine"}}}}"#),
    );
    run(&project, &["update"]).code(0);
    assert!(asked(&project).is_empty());
}

#[test]
fn a_helper_that_does_not_help_is_told_with_its_place() {
    let project = with_tokens(false);
    let known = r#"{"credHelpers": {"[HOST]": "mine"}}"#;
    for (configuration, lines, why) in [
        (r#"{"credsStore": "missing"}"#, GOOD, "docker-credential-missing"),
        (r#"{"credsStore": "missing"}"#, GOOD, "not on PATH"),
        (r#"{"credsStore": "../bin/mine"}"#, GOOD, "invalid credential helper name"),
        (known, "echo HIDDEN; echo 'no \x1b[31mstore' >&2; exit 1", "no store"),
        (known, "echo HIDDEN", "invalid answer from the credential helper"),
        (known, r#"echo '{"Username": "<token>", "Secret": "HIDDEN"}'"#, "only an identity token is stored"),
        (known, "echo credentials not found in native keychain; exit 1", "has no login for the registry"),
        (known, r#"echo '{"Username": "me", "Secret": "HIDDEN"}'"#, "was not accepted"),
    ] {
        install(&project, lines);
        configure(&project, configuration);
        let ran = run(&project, &["update"]).code(8);
        let login = format!("podman login {}`", host(&project));
        for part in [why, ".docker/config.json", "docker-credential-", &login] {
            assert!(ran.stderr.contains(part), "{part}: {}", ran.all());
        }
    }
    let all = asked(&project);
    assert_eq!(all, ["get [HOST]"; 5]);
}

#[test]
fn a_password_that_is_wrong_is_told_as_the_helper_s_where_there_are_no_tokens() {
    let project = guarded("Basic realm=\"x\"", is_me);
    install(&project, r#"echo '{"Username": "me", "Secret": "HIDDEN"}'"#);
    configure(&project, r#"{"credsStore": "mine"}"#);
    let ran = run(&project, &["update"]).code(8);
    assert!(ran.stderr.contains("the login stored by `docker-credential-mine`, which"), "{}", ran.all());
    assert_eq!(asked(&project), ["get [HOST]"]);
}
