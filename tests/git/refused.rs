//! Things that a repository can hold and no tree may, and that a request can find in place of a commit: told by name.

use super::repository::{Made, wanted};
use crate::support::Project;

#[test]
fn entries_that_no_checkout_could_have_are_refused_by_name() {
    let project = Project::empty();
    let made = Made::new(&project, "/o/odd.git");
    let canary = project.directory.path().join("canary");
    std::fs::write(&canary, "sings").unwrap();
    let file = made.blob(b"content");
    let out = made.blob(b"../../../../../../../../canary");
    let deep = made.blob(b"b/../../../x");
    let inner = made.tree(&[("100644", "config", file)]);
    let long = made.blob(&[b'a'; 5000]);
    for (tree, at, why) in [
        (made.tree(&[("100644", "a/b", file)]), "a/b", "its name contains a slash"),
        (made.tree(&[("100644", "../canary", file)]), "../canary", "its name contains a slash"),
        (made.tree(&[("100644", "..", file)]), "..", "its name is `.` or `..`"),
        (made.tree(&[("40000", ".", inner)]), ".", "its name is `.` or `..`"),
        (made.tree(&[("100644", ".git/config", file)]), ".git/config", "its name contains a slash"),
        (made.tree(&[("40000", ".git", inner)]), ".git", "git reserves this name for its own files"),
        (made.tree(&[("40000", ".GIT", inner)]), ".GIT", "git reserves this name for its own files"),
        (made.tree(&[("40000", "git~1", inner)]), "git~1", "git reserves this name for its own files"),
        (made.tree(&[("123456", "a", file)]), "a", "invalid mode 123456"),
        (made.tree(&[("100600", "a", file)]), "a", "invalid mode 100600"),
        (made.tree(&[("100644", "a", file), ("100644", "a", inner)]), "a", "twice, or out of order"),
        (made.tree(&[("100644", "b", file), ("100644", "a", file)]), "a", "twice, or out of order"),
        (made.tree(&[("40000", "a", inner), ("100644", "a", file)]), "a", "twice, or out of order"),
        (made.tree(&[("100644", "a", inner)]), "a", "expected a file, found a tree"),
        (made.tree(&[("120000", "a", out)]), "a", "its link leads out of the tree"),
        (made.tree(&[("120000", "a", deep)]), "a", "its link leads out of the tree"),
        (made.tree(&[("120000", "a", long)]), "a", "longer than 4095 bytes"),
    ] {
        let top = made.tree(&[("40000", "sub", tree)]);
        let commit = made.commit(top);
        made.wanted(&project, "");
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains(&format!("refused at `sub/{at}`: ")), "{commit} {}", ran.all());
        assert!(ran.stderr.contains(why), "{}", ran.all());
        assert_eq!(project.published("main"), Vec::<String>::new());
    }
    assert_eq!(std::fs::read(&canary).unwrap(), b"sings");
}

#[test]
fn what_git_itself_writes_is_taken() {
    let project = Project::empty();
    let made = Made::new(&project, "/o/plain.git");
    let file = made.blob(b"content");
    let inside = made.blob(b"../a");
    let inner = made.tree(&[("100755", "run", file), ("120000", "up", inside)]);
    // Directories are ordered as if a slash stood behind them; 100664 is what git wrote in its first months.
    let top = made.tree(&[
        ("100644", ".gitignore", file),
        ("100664", "a", file),
        ("100644", "b-c", file),
        ("40000", "b", inner),
        ("100644", "b0", file),
    ]);
    made.commit(top);
    made.wanted(&project, "");
    project.run(&["update"]).code(0);
    assert!(project.lock().contains("\"entries\": 7"), "{}", project.lock());
}

#[test]
fn what_is_no_commit_is_told_by_its_kind() {
    let project = Project::empty();
    let made = Made::new(&project, "/o/kinds.git");
    let file = made.blob(b"content");
    let tree = made.tree(&[("100644", "a", file)]);
    let commit = made.commit(tree);
    let tagger = "tagger A <a@demo.invalid> 1780000000 +0000";
    let tag = |name: &str, of: git2::Oid, kind: &str| {
        let text = format!("object {of}\ntype {kind}\ntag {name}\n{tagger}\n\ntext\n");
        let id = made.object(git2::ObjectType::Tag, text.as_bytes());
        made.point(&format!("refs/tags/{name}"), id);
        id
    };
    made.point("refs/tags/light-tree", tree);
    tag("on-tree", tree, "tree");
    tag("on-blob", file, "blob");
    let good = tag("good", commit, "commit");
    tag("on-tag", good, "tag");
    for (name, kind) in [("light-tree", "tree"), ("on-tree", "tree"), ("on-blob", "blob")] {
        made.wanted(&project, &format!("tag = \"{name}\""));
        let ran = project.run(&["update"]).code(9);
        assert!(ran.stderr.contains(&format!("this names a {kind}, not a commit")), "{}", ran.all());
    }
    for name in ["good", "on-tag"] {
        made.wanted(&project, &format!("tag = \"{name}\""));
        project.run(&["update"]).code(0);
        assert!(project.lock().contains(&commit.to_string()));
    }
}

#[test]
fn a_head_without_a_branch_and_an_empty_repository_are_told_apart() {
    let project = Project::empty();
    let made = Made::new(&project, "/o/head.git");
    made.wanted(&project, "");
    let ran = project.run(&["update"]).code(9);
    assert!(ran.stderr.contains("the repository has no HEAD: it is empty"), "{}", ran.all());
    let tree = made.tree(&[("100644", "a", made.blob(b"content"))]);
    let commit = made.commit(tree);
    made.point("refs/heads/develop", commit);
    std::fs::write(made.path.join("HEAD"), "ref: refs/heads/gone\n").unwrap();
    let ran = project.run(&["update"]).code(9);
    assert!(ran.stderr.contains("the branch that it names does not exist"), "{}", ran.all());
    assert!(ran.stderr.contains("branches  master, develop"), "{}", ran.all());
    // The hint works.
    made.wanted(&project, "branch = \"develop\"");
    project.run(&["update"]).code(0);
}

#[test]
fn repositories_of_another_format_or_without_their_history_are_named_as_such() {
    let project = Project::empty();
    let here = project.directory.path();
    let git = |arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.current_dir(here).args(["-c", "user.name=a", "-c", "user.email=a@demo.invalid"]).args(arguments);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        assert!(git.status().unwrap().success(), "{arguments:?}");
    };
    let url = |name: &str| format!("file://{}", here.join(name).display());
    for format in ["sha1", "sha256"] {
        git(&["init", "-q", "--object-format", format, format]);
        for _ in 0..2 {
            git(&["-C", format, "commit", "-q", "--allow-empty", "-m", "x"]);
        }
    }
    git(&["clone", "-q", "--bare", "--depth", "1", &url("sha1"), "shallow"]);
    for (name, message) in [
        ("sha256", "the repository's object format is not supported"),
        ("shallow", "the repository is shallow: its history is cut off"),
    ] {
        wanted(&project, &url(name), "");
        let ran = project.run(&["update"]).code(9);
        assert!(ran.stderr.contains(message), "{}", ran.all());
    }
    // The hint works.
    git(&["-C", "shallow", "fetch", "-q", "--unshallow"]);
    project.run(&["update"]).code(0);
}
