//! `remote add`, `list` and `remove`: changes of the configuration.

use crate::support::{FIRST, Project};

#[test]
fn remotes_are_added_and_removed_and_the_rest_of_the_file_stays() {
    let project = Project::empty();
    let file = project.directory.path().join("home/.config/strixlock/config.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let before = "# mine\nrounds = 3\n";
    std::fs::write(&file, before).unwrap();
    project.run(&["remote", "add", "team", "oci://registry.example/team/strix"]).code(0);
    project.run(&["remote", "add", "team", "oci://registry.example/team/strix/"]).code(0);
    project.run(&["remote", "add", "team", "oci://registry.example/other"]).code(2);
    project.run(&["remote", "add", "near", "oci://localhost:5000/strix", "--project"]).code(0);
    let listed = project.run(&["remote", "list"]).code(0).stdout;
    insta::assert_snapshot!(listed, @r"
    remote  address
    near    oci://localhost:5000/strix
    team    oci://registry.example/team/strix
    ");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with(before) && text.contains("[[remotes]]\nname = \"team\"\n"), "{text}");
    project.run(&["remote", "remove", "team"]).code(0);
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim_end(), before.trim_end());
    let ran = project.run(&["remote", "remove", "tem"]).code(9);
    assert!(ran.stderr.contains("near"), "{}", ran.stderr);
    project.run(&["remote", "remove", "near"]).code(0);
    assert_eq!(project.run(&["remote", "list"]).code(0).stdout, "no remote\n");
    let ran = project.run(&["remote", "ls"]).code(9);
    assert!(ran.stderr.contains("strixlock remote add team oci://registry.example/team/strix"), "{}", ran.stderr);
}

#[test]
fn what_is_no_remote_is_refused() {
    let project = Project::empty();
    for address in
        ["registry.example/a", "oci://registry.example/a:tag", "oci://me:secret@registry.example/a", "ftp://x/y"]
    {
        project.run(&["remote", "add", "team", address]).code(2);
    }
    project.run(&["remote", "add", "a b", "oci://registry.example/a"]).code(2);
    project.write("strixlock.toml", "[[remotes]]\nname = \"team\"\naddress = \"registry.example\"\n");
    let ran = project.run(&["remote", "list"]).code(3);
    assert!(ran.stderr.contains("strixlock.toml:3"), "{}", ran.stderr);
}

#[test]
fn remotes_that_cannot_be_reached_are_not_remotes_without_the_output() {
    let project = Project::new();
    project.realize_rocm(FIRST);
    for number in [1, 2] {
        let config = (1..=number)
            .map(|port| format!("[[remotes]]\nname = \"r{port}\"\naddress = \"oci://127.0.0.1:{port}/x/y\"\n"));
        project.write("strixlock.toml", &config.collect::<String>());
        for options in [["pull", "rocm"].as_slice(), &["--offline", "pull", "rocm"]] {
            project.run_in_store("other", options).code(8);
        }
    }
    // It is asked for by name here, whatever is asked before building.
    let text = project.read("strixlock.toml");
    project.write("strixlock.toml", &format!("ask-remotes = false\n{text}"));
    project.run_in_store("other", &["pull", "rocm"]).code(8);
}
