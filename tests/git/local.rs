//! Repositories of this machine.

use super::repository::{Made, wanted};
use crate::support::Project;

#[test]
fn a_commit_that_no_branch_leads_to_can_be_pinned() {
    let project = Project::empty();
    let made = Made::new(&project, "/o/r.git");
    let tree = made.tree(&[("100644", "a", made.blob(b"content"))]);
    let old = made.commit_saying(tree, "old\n");
    made.commit_saying(tree, "new\n");
    let url = format!("file://{}", made.path.display());
    wanted(&project, &url, &format!("commit = \"{old}\""));
    project.run(&["update"]).code(0);
    assert!(project.lock().contains(&old.to_string()));
    // Variables that tell git of another repository do not count.
    let mut command = project.command(&["update"]);
    command.env("GIT_DIR", "/nowhere").env("GIT_PROTOCOL", "version=2").env("STRIXLOCK_STORE", project.store("other"));
    project.finish(command.output().unwrap()).code(0);
}

#[test]
fn what_is_no_repository_is_told_as_such() {
    let project = Project::empty();
    for name in ["gone", "."] {
        wanted(&project, &format!("file://{}", project.path(name).display()), "");
        let ran = project.run(&["update"]).code(9);
        assert!(ran.stderr.contains("there is no git repository at this address"), "{}", ran.all());
    }
}

#[test]
fn a_repository_of_another_user_is_read_once_it_is_trusted() {
    let project = Project::empty();
    let made = Made::new(&project, "/o/r.git");
    made.commit(made.tree(&[("100644", "a", made.blob(b"content"))]));
    wanted(&project, &format!("file://{}", made.path.display()), "");
    let update = || {
        let mut command = project.command(&["update"]);
        // Git's own switch for its tests.
        project.finish(command.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1").output().unwrap())
    };
    let ran = update().code(8);
    assert!(ran.stderr.contains("the repository belongs to another user"), "{}", ran.all());
    let command = format!("git config --global --add safe.directory {}", made.path.display());
    let command = command.replace(project.directory.path().to_str().unwrap(), "[DIR]");
    assert!(ran.stderr.contains(&format!("`{command}`")), "{}", ran.all());
    let home = project.directory.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    let mut git = std::process::Command::new("git");
    git.args(["config", "--global", "--add", "safe.directory"]).arg(&made.path).env("HOME", &home);
    assert!(git.status().unwrap().success());
    update().code(0);
}
