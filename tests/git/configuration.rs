//! The configuration of the user's git: addresses are rewritten as it says, and what is not read of it is named.

use strixlock_demo::git_http::GitHttp;
use strixlock_demo::http::{Handler as _, Incoming, Response};

use super::repository::{Made, wanted};
use crate::support::Project;

fn configure(project: &Project, text: &str) {
    let home = project.directory.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join(".gitconfig"), text).unwrap();
}

fn made(project: &Project) -> Made {
    let made = Made::new(project, "/o/r.git");
    made.commit(made.tree(&[("100644", "a", made.blob(b"content"))]));
    made
}

#[test]
fn an_address_is_rewritten_and_the_lock_keeps_the_one_of_the_manifest() {
    let project = Project::empty();
    let made = made(&project);
    let asked = "https://forge.invalid/o/r.git";
    wanted(&project, asked, "");
    let base = made.path.parent().unwrap().display().to_string();
    configure(&project, &format!("[url \"file://{base}/\"]\ninsteadOf = https://forge.invalid/o/\n"));
    let ran = project.run(&["update"]).code(0);
    let note = "note: source: file://[DIR]/repositories/o/r.git is asked in place of https://forge.invalid/o/r.git: \
                `url.file://[DIR]/repositories/o/.insteadOf=https://forge.invalid/o/` of git's configuration";
    assert_eq!(ran.stderr.matches(note).count(), 1, "{}", ran.all());
    assert!(project.lock().contains(asked) && !project.lock().contains("file:"), "{}", project.lock());
    // Variables count as git's files do, and a path is not an address.
    configure(&project, "");
    let mut command = project.command(&["update"]);
    command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", format!("url.{base}/.insteadOf"));
    command.env("GIT_CONFIG_VALUE_0", "https://forge.invalid/o/");
    let ran = project.finish(command.output().unwrap()).code(3);
    assert!(ran.stderr.contains("this address of a git repository cannot be used"), "{}", ran.all());
    assert!(ran.stderr.contains("`url.[DIR]/repositories/o/.insteadOf` of git's configuration"), "{}", ran.all());
}

#[test]
fn a_login_in_a_rewriting_is_used_and_never_shown() {
    let project = Project::empty();
    let made = made(&project);
    let server = project.upstream().server();
    let served = GitHttp::new("/private/r.git", &made.path);
    server.handle("/private/r.git/", move |incoming: &Incoming| {
        // me:secret
        match incoming.header("authorization") {
            Some("Basic bWU6c2VjcmV0") => served.answer(incoming),
            _ => Response::text(401, "who are you?\n"),
        }
    });
    wanted(&project, &server.url("/private/r.git"), "");
    project.run(&["update"]).code(8);
    let base = project.base();
    let with_login = base.replace("http://", "http://me:secret@");
    configure(&project, &format!("[url \"{with_login}private/\"]\ninsteadOf = {base}private/\n"));
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stderr.contains("is asked in place of"), "{}", ran.all());
    assert!(!ran.all().contains("secret") && !project.lock().contains("secret"), "{}", ran.all());
}

#[test]
fn a_login_goes_to_no_host_that_a_redirect_leads_to() {
    let project = Project::empty();
    let made = made(&project);
    let server = project.upstream().server();
    let base = project.base();
    let other = base.replace("127.0.0.1", "localhost");
    let served = GitHttp::new("/o/r.git", &made.path);
    server.handle("/o/r.git/", move |incoming: &Incoming| match incoming.header("authorization") {
        None => served.answer(incoming),
        Some(_) => Response::text(400, "a login that is not for this host\n"),
    });
    let to = other.clone();
    server.handle("/old/r.git/", move |incoming: &Incoming| {
        let rest = incoming.path.strip_prefix("/old/").unwrap_or_default();
        Response::text(302, "found").header("Location", &format!("{to}o/{rest}?{}", incoming.query))
    });
    let with_login = base.replace("http://", "http://me:secret@");
    configure(&project, &format!("[url \"{with_login}old/\"]\ninsteadOf = {base}old/\n"));
    wanted(&project, &server.url("/old/r.git"), "");
    project.run(&["update"]).code(0);
}

#[test]
fn settings_that_are_not_read_are_named_once() {
    let project = Project::empty();
    let made = made(&project);
    made.wanted(&project, "");
    configure(&project, "[http]\nproxy = http://me:secret@127.0.0.1:9\n");
    let ran = project.run(&["update"]).code(0);
    let told = "warning: source: git's setting `http.proxy` is ignored for [UPSTREAM]/o/r.git: \
                set `http_proxy=http://127.0.0.1:9` in the environment";
    assert_eq!(ran.stderr.matches(told).count(), 1, "{}", ran.all());
    configure(&project, "[http\n");
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("git's configuration cannot be read"), "{}", ran.all());
    assert!(ran.stderr.contains("[DIR]/home/.gitconfig:1"), "{}", ran.all());
}
