//! `strixlock diff` of locks: files and git revisions, with what the store has of commits; and the reports of `update`.
//! Generations are compared in `store`.

use std::process::Command;

use crate::support::{FIRST, Project, SECOND};

/// Runs git in the project, with nobody's configuration.
#[track_caller]
pub fn git(project: &Project, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@example.org"]).args(arguments);
    command.current_dir(project.path("")).env("HOME", project.directory.path()).env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A project in git whose lock was committed, and then updated: another nightly, and one commit more of llama.cpp.
fn updated() -> Project {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    git(&project, &["init", "-q", "-b", "main"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "-q", "-m", "the first lock"]);
    project.upstream().add_llama_commit().unwrap();
    project.full_manifest(SECOND);
    let reports = ["--report", "report.md", "--commit-message-file", "message"];
    let ran = project.run(&[&["update", "--json"], reports.as_slice()].concat()).code(0);
    let title = ran.json()["title"].as_str().unwrap().to_owned();
    assert_eq!(project.read("message").lines().next(), Some(title.as_str()));
    assert!(title.starts_with("rocm 10.1.0a20260901 -> 10.1.0a20260902, llama"), "{title}");
    project
}

#[test]
fn locks_are_compared_by_what_moved_in_them() {
    let project = updated();
    let ran = project.run(&["diff"]).code(0);
    let commit = git(&project, &["rev-parse", "HEAD"]);
    let expected = [
        format!("{}:lock/strix.lock -> lock/strix.lock\n", &commit[..12]),
        "outputs different: rocm; made anew, not realized here: llama, runtime\n".to_owned(),
        "\ninput rocm 10.1.0a20260901 -> 10.1.0a20260902\n  made       2026-09-01 -> 2026-09-02\n".to_owned(),
        "\n  1 commit\n".to_owned(),
        "  demo : revision 9\n".to_owned(),
        "\noutput llama b8 -> b9\n  through  llama-cpp, rocm\n".to_owned(),
    ];
    for text in expected {
        assert!(ran.stdout.contains(&text), "{text}{}", ran.all());
    }
    // However the same two are named.
    let json = |arguments: &[&str]| {
        let mut value = project.run(&[&["--json", "diff"], arguments].concat()).code(0).json();
        value["first"]["name"].take();
        value["second"]["name"].take();
        value["first"]["commit"].take();
        value
    };
    git(&project, &["show", "HEAD:lock/strix.lock"]);
    project.write("old.lock", &format!("{}\n", git(&project, &["show", "HEAD:lock/strix.lock"])));
    let first = json(&[]);
    for arguments in [
        ["before", "now"].as_slice(),
        &["HEAD", "now"],
        &["main"],
        &["HEAD:lock/strix.lock", "lock/strix.lock"],
        &["old.lock"],
    ] {
        assert_eq!(json(arguments), first, "{arguments:?}");
    }
    assert_eq!(first["inputs"][0]["commits"]["added"], 1);
    assert_eq!(first["inputs"][1]["therock"]["field"], "TheRock");
    // The way back is a downgrade, and the commit is taken back.
    let back = project.run(&["diff", "now", "HEAD"]).code(0);
    assert!(back.stdout.contains("input llama-cpp b9 -> b8 (downgrade)\n"), "{}", back.all());
    assert!(back.stdout.contains("\n  1 commit taken back\n"), "{}", back.all());
    assert!(back.stdout.contains("input rocm 10.1.0a20260902 -> 10.1.0a20260901 (downgrade)\n"), "{}", back.all());
    let equal = project.run(&["diff", "HEAD", "old.lock"]).code(0).stdout;
    assert_eq!(equal, "HEAD and old.lock pin the same\n");
    let page = project.run(&["diff", "before", "now", "--markdown"]).code(0).stdout;
    assert_eq!(page, project.read("report.md"));
    assert!(page.contains("\n## Input rocm: 10.1.0a20260901 -\\> 10.1.0a20260902\n\n- made: "), "{page}");
}

#[test]
fn what_the_store_lacks_is_said_and_fetched_when_asked() {
    let project = updated();
    let elsewhere = |arguments: &[&str]| project.run_in_store("other", &[&["diff", "HEAD", "now"], arguments].concat());
    let ran = elsewhere(&[]).code(0);
    assert!(ran.stdout.contains("the store does not have both commits with their history"), "{}", ran.all());
    assert!(!project.store("other").exists(), "a comparison makes no store");
    let ran = elsewhere(&["--fetch", "--offline"]);
    assert_eq!(ran.code, 8, "{}", ran.all());
    let ran = elsewhere(&["--fetch"]).code(0);
    assert!(ran.stdout.contains("\n  1 commit\n") && !ran.stdout.contains("does not have both"), "{}", ran.all());
}

#[test]
fn what_names_no_lock_is_refused_with_the_words_that_do() {
    let project = updated();
    project.write("broken.lock", "{");
    git(&project, &["rm", "-q", "--cached", "lock/strix.lock"]);
    git(&project, &["commit", "-q", "-m", "no lock"]);
    for (arguments, code, text) in [
        (["diff", "nothing", "now"], 9, "error: `nothing` is no generation, lock file or git revision\nhint: a number"),
        (["diff", "HEAD", "now"], 9, "error: the revision `HEAD` has no file `lock/strix.lock`\n"),
        (["diff", "HEAD:nothing", "now"], 9, "error: the revision `HEAD` has no file `nothing`\n"),
        (["diff", "HEAD~1:manifests/strix.toml", "now"], 3, "error: HEAD~1:manifests/strix.toml: invalid JSON"),
        (["diff", "broken.lock", "now"], 3, "error: broken.lock: invalid JSON"),
        (["diff", "7", "now"], 9, "error: there is no generation 7\n"),
        (["diff", "previous", "now"], 9, "error: there is no generation that was current before\n"),
    ] {
        let ran = project.run(&arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.all());
        assert!(ran.stderr.starts_with(text), "{arguments:?}: {}", ran.all());
    }
}
