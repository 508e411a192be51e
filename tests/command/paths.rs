//! Paths on the command line and in configuration files.

use crate::support::Project;

/// The project's command line without a store of its own.
fn run(project: &Project, arguments: &[&str], here: &str) -> crate::support::Ran {
    let mut command = project.command(arguments);
    command.env_remove("STRIXLOCK_STORE").current_dir(project.path(here));
    project.finish(command.output().unwrap())
}

#[test]
fn a_tilde_is_the_home_directory_wherever_it_is_written() {
    let project = Project::new();
    project.rocm_manifest("10.1.0a20260901");
    let home = project.directory.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    run(&project, &["--store", "~/one", "update"], "").code(0);
    run(&project, &["--store=~/one", "realize", "--to=~/copies"], "").code(0);
    project.write("strixlock.toml", "store = \"~/two\"\n");
    run(&project, &["update"], "").code(0);
    run(&project, &["snapshot", "save", "rocm", "~/none.tar.zst"], "").code(9);
    for (place, there) in
        [("one/version", true), ("copies/rocm/bin", true), ("two/version", true), ("none.tar.zst", false)]
    {
        assert_eq!(home.join(place).exists(), there, "{place}");
    }
    let ran = run(&project, &["--store", "~you/store", "status"], "").code(2);
    assert!(ran.stderr.contains("`~you` is not expanded"), "{}", ran.all());
    for (setting, name) in
        [("store = \"~you/x\"", "store"), ("mirrors = [{ of = \"http://a/\", at = \"file://~/x\" }]", "mirror")]
    {
        project.write("strixlock.toml", &format!("{setting}\n"));
        let ran = run(&project, &["update"], "").code(3);
        assert!(ran.stderr.contains("strixlock.toml") && ran.stderr.contains(name), "{}", ran.all());
    }
    for place in ["project", "project/manifests", "home"] {
        assert!(!project.directory.path().join(place).join("~").exists(), "{place}");
    }
}

#[test]
fn a_path_in_a_file_is_relative_to_the_file() {
    let project = Project::new();
    project.rocm_manifest("10.1.0a20260901").write("below/x", "");
    // A mirror beside the file, on disk, and upstream asked for the index alone.
    project.write("strixlock.toml", "store = \"store\"\n");
    for here in ["", "below", "manifests"] {
        run(&project, &["update"], here).code(0);
        run(&project, &["realize"], here).code(0);
    }
    assert!(project.path("store/version").exists());
    assert!(!project.path("below/store").exists() && !project.path("manifests/store").exists());
    project.write("settings/mine.toml", "store = \"elsewhere\"\n");
    std::fs::remove_file(project.path("strixlock.toml")).unwrap();
    run(&project, &["--config", "../settings/mine.toml", "realize"], "below").code(0);
    assert!(project.path("settings/elsewhere/version").exists() && !project.path("below/elsewhere").exists());
    // Paths on the command line are relative to the current directory.
    run(&project, &["--store", "typed", "realize"], "below").code(0);
    assert!(project.path("below/typed/version").exists());
}
