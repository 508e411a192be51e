//! Submodules: found as git finds them, below the address that answered, and from the lock alone once they are pinned.

use strixlock_demo::http::{Incoming, Response};

use super::repository::{Made, wanted};
use crate::support::Project;

/// A repository with a submodule in `vendor/sub`, whose `.gitmodules` has this text.
fn with_submodule(project: &Project, text: &str) -> (Made, git2::Oid) {
    let sub = Made::new(project, "/o/sub.git");
    let commit = sub.commit(sub.tree(&[("100644", "inside", sub.blob(b"of the submodule"))]));
    let made = Made::new(project, "/o/r.git");
    let vendor = made.tree(&[("160000", "sub", commit)]);
    let mut entries = vec![("40000", "vendor", vendor)];
    let modules = made.blob(text.as_bytes());
    if !text.is_empty() {
        entries.insert(0, ("100644", ".gitmodules", modules));
    }
    made.commit(made.tree(&entries));
    made.wanted(project, "");
    (made, commit)
}

fn pinned(project: &Project) -> serde_json::Value {
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    lock["inputs"]["source"]["locked"]["submodules"].clone()
}

#[test]
fn gitmodules_are_read_with_quotes_comments_and_odd_neighbours() {
    let project = Project::empty();
    let text = "[core]\n\tx = y\n[submodule \"gone\"]\n\tpath = gone\n\turl = ../../../../x\n\
                [Submodule \"sub\"] ; here\n\tPath = \"vendor/sub\" # there\n\tURL = \"../sub.git\"\n\tbranch = .\n";
    let (_made, commit) = with_submodule(&project, text);
    project.run(&["update"]).code(0);
    let sub = project.upstream().server().url("/o/sub.git");
    assert_eq!(pinned(&project), serde_json::json!({"vendor/sub": {"commit": commit.to_string(), "url": sub}}));
    let before = project.lock();
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), before);
}

#[test]
fn a_link_that_nothing_explains_is_an_error() {
    let project = Project::empty();
    for (text, message) in [
        ("", "a submodule has no address"),
        ("[submodule \"other\"]\npath = vendor/other\nurl = ../sub.git\n", "a submodule has no address"),
        ("[submodule \"sub\"]\npath = vendor/sub\n", "a submodule has no address"),
        ("[submodule \"sub\"]\npath = vendor/sub\nurl = ../../../sub.git\n", "an address that cannot be used"),
        ("[submodule \"sub\"]\npath = vendor/sub\nurl = /srv/sub\n", "an address that cannot be used"),
        ("[submodule \"sub\"]\npath = vendor/sub\nurl = file:///srv/sub\n", "an address that cannot be used"),
        ("[submodule \"sub\"]\npath = vendor/sub\nurl = --upload-pack=x:@y\n", "an address that cannot be used"),
        (
            "[submodule \"a\"]\npath=vendor/sub\nurl=../a\n[submodule \"b\"]\npath=vendor/sub\nurl=../b\n",
            "several addresses",
        ),
        ("[include]\npath = /etc/passwd\n", "has a section `include`"),
        ("[submodule \"sub\"\n", "cannot be read as git's configuration"),
    ] {
        let (_made, commit) = with_submodule(&project, text);
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains(message), "{text} {}", ran.all());
        if message.contains("no address") {
            assert!(ran.stderr.contains("path        vendor/sub"), "{}", ran.all());
            assert!(ran.stderr.contains(&commit.to_string()), "{}", ran.all());
        }
    }
}

#[test]
fn relative_addresses_are_below_the_address_that_answered() {
    let project = Project::empty();
    let (made, _) = with_submodule(&project, "[submodule \"sub\"]\npath = vendor/sub\nurl = ../sub.git\n");
    let server = project.upstream().server();
    let to = made.url.clone();
    server.handle("/old/name.git/", move |incoming: &Incoming| {
        let rest = incoming.path.strip_prefix("/old/name.git").unwrap_or_default();
        Response::text(301, "moved").header("Location", &format!("{to}{rest}?{}", incoming.query))
    });
    wanted(&project, &server.url("/old/name.git"), "");
    project.run(&["update"]).code(0);
    assert_eq!(pinned(&project)["vendor/sub"]["url"], server.url("/o/sub.git"));
    let before = project.lock();
    for again in [&["update"] as &[_], &["update", "source"]] {
        project.run(again).code(0);
        assert_eq!(project.lock(), before);
    }
}

#[test]
fn a_lock_is_realized_from_the_addresses_in_it() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    let sub = Made::new(&project, "/ggml-org/sub.git");
    let commit = sub.commit(sub.tree(&[("100644", "inside", sub.blob(b"of the submodule"))]));
    let llama = project.upstream().llama_repository();
    strixlock_demo::llama::add_submodule(&llama, "vendor/sub", "../sub.git", &commit.to_string()).unwrap();
    project.upstream().add_llama_commit().unwrap();
    // The address in the manifest leads to the repository; what is relative is found beside that one alone.
    let server = project.upstream().server();
    let (new, old) = (project.upstream().git_url(), server.url("/elsewhere/llama.git"));
    let to = new.clone();
    server.handle("/elsewhere/llama.git/", move |incoming: &Incoming| {
        let rest = incoming.path.strip_prefix("/elsewhere/llama.git").unwrap_or_default();
        Response::text(302, "found").header("Location", &format!("{to}{rest}?{}", incoming.query))
    });
    let manifest = project.read("manifests/strix.toml").replace(&new, &old);
    project.write("manifests/strix.toml", &manifest);
    project.run(&["update"]).code(0);
    assert!(project.lock().contains(&sub.url), "{}", project.lock());
    // The same repository without the redirect: by its `.gitmodules` the submodule would not be found any more.
    let served = strixlock_demo::git_http::GitHttp::new("/elsewhere/llama.git", &llama);
    server.handle("/elsewhere/llama.git/", served);
    project.run_in_store("other", &["realize", "llama"]).code(0);
}
