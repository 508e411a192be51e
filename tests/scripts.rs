//! The plan's scripts: thin callers of strixlock, whose commands a stand-in writes down; and strixlock itself.

use std::process::Command;

use crate::provision::stand_ins;
use crate::support::{Project, Ran};

const SCRIPTS: [&str; 5] = [
    "01-provision-toolbox.sh",
    "02-install-rocm.sh",
    "03-build-llamacpp.sh",
    "04-validate.sh",
    "05-package-runtime.sh",
];

fn script(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name)
}

/// Runs a script with this program as strixlock.
fn run_with(project: &Project, strixlock: &std::path::Path, name: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new(script(name));
    command.args(arguments).current_dir(project.path("")).env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", project.path("bin").display()));
    command.env("HOME", project.directory.path().join("home")).env("CALLS", project.path("calls"));
    command.env("STRIXLOCK_STORE", project.store("main")).env("STRIXLOCK_PROJECT", project.path(""));
    command.env("STRIXLOCK", strixlock);
    project.finish(command.output().unwrap())
}

fn run(project: &Project, name: &str, arguments: &[&str]) -> Ran {
    run_with(project, std::path::Path::new(env!("CARGO_BIN_EXE_strixlock")), name, arguments)
}

/// The commands that a script gives to strixlock.
fn commands(project: &Project, name: &str, arguments: &[&str]) -> String {
    stand_ins(project, &["strixlock"]);
    let _ = std::fs::remove_file(project.path("calls"));
    run_with(project, &project.path("bin/strixlock"), name, arguments).code(0);
    project.read("calls")
}

#[test]
fn each_script_has_help_and_refuses_what_it_does_not_know() {
    let project = Project::empty();
    for name in SCRIPTS {
        let help = run(&project, name, &["--help"]).code(0).stdout;
        assert!(help.contains(&format!("usage: scripts/{name}")) && help.contains("-f, --force"), "{help}");
        assert!(!help.contains("set -euo"), "{help}");
        let ran = run(&project, name, &["--frobnicate"]).code(2);
        assert!(ran.stderr.starts_with(&format!("{name}: unknown option --frobnicate\n")), "{}", ran.all());
    }
    run(&project, "03-build-llamacpp.sh", &["--url", "https://example.com/x"]).code(2);
    run(&project, "02-install-rocm.sh", &["--url"]).code(2);
}

#[test]
fn each_script_names_one_command_of_strixlock() {
    let project = Project::empty();
    project.write("manifests/strix.toml", "").write("lock/strix.lock", "").write(".toolbox.env", "");
    let calls = [
        ("01-provision-toolbox.sh", &["podman", "-f", "--", "--dry-run"][..]),
        ("02-install-rocm.sh", &["--url", "https://example.com/t.tar.gz"]),
        ("02-install-rocm.sh", &["--force"]),
        ("03-build-llamacpp.sh", &["--", "--jobs", "3"]),
        ("04-validate.sh", &["-f", "--", "--device", "cpu"]),
    ]
    .map(|(name, arguments)| format!("{name} {}\n{}", arguments.join(" "), commands(&project, name, arguments)));
    insta::assert_snapshot!(calls.concat(), @r"
    01-provision-toolbox.sh podman -f -- --dry-run
    strixlock [provision] [--force] [podman] [--dry-run]
    02-install-rocm.sh --url https://example.com/t.tar.gz
    strixlock [update] [rocm] [--url] [https://example.com/t.tar.gz]
    strixlock [realize] [rocm] [--prefix-from] [.toolbox.env]
    02-install-rocm.sh --force
    strixlock [realize] [rocm] [--prefix-from] [.toolbox.env] [--force]
    03-build-llamacpp.sh -- --jobs 3
    strixlock [realize] [llama] [--prefix-from] [.toolbox.env] [--jobs] [3]
    04-validate.sh -f -- --device cpu
    strixlock [validate] [--device] [cpu]
    ");
}

#[test]
fn there_is_no_toolbox_in_a_toolbox() {
    let project = Project::empty();
    let mut command = Command::new(script("01-provision-toolbox.sh"));
    command.env("CONTAINER_ID", "strix").env("STRIXLOCK", "/bin/false").current_dir(project.path(""));
    let ran = project.finish(command.output().unwrap()).code(0);
    assert!(ran.stderr.contains("this is the inside of a toolbox already"), "{}", ran.all());
}

#[test]
fn an_image_is_replaced_only_when_forced_and_only_by_a_whole_one() {
    let project = Project::empty();
    let name = "05-package-runtime.sh";
    project.write("strix-image.tar", "old");
    let ran = run(&project, name, &[]).code(1);
    assert!(ran.stderr.contains("strix-image.tar is there already: replace it with --force"), "{}", ran.all());
    // An exporter that fails in the middle, and one that succeeds.
    for (code, left) in [(7, "old"), (0, "new")] {
        let text = format!("#!/bin/sh\nfor word; do last=$word; done\nprintf new > \"$last\"\nexit {code}\n");
        project.write("bin/strixlock", &text);
        let program = project.path("bin/strixlock");
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        run_with(&project, &program, name, &["--force"]).code(code);
        assert_eq!(project.read("strix-image.tar"), left);
        assert!(!project.path("strix-image.tar.new").exists());
    }
}

#[test]
fn a_url_is_pinned_first_and_the_links_go_where_the_settings_say() {
    let project = Project::new();
    project.rocm_manifest("latest");
    let opt = project.path("opt");
    std::fs::create_dir_all(&opt).unwrap();
    project.write(".toolbox.env", &format!("ROCM_HOME={}/my-rocm\n", opt.display()));
    let url = format!("{}therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz", project.index());
    let ran = run(&project, "02-install-rocm.sh", &["--url", &url]).code(0);
    assert!(ran.stderr.contains("+ strixlock update rocm --url [UPSTREAM]/rocm/core/tarball/"), "{}", ran.all());
    assert!(project.lock().contains("10.1.0a20260901"));
    let link = std::fs::read_link(opt.join("my-rocm")).unwrap();
    assert_eq!(link, project.profile().join("current/rocm"));
    // Once more: nothing to do. Something else in that place: refused, then kept under another name.
    run(&project, "02-install-rocm.sh", &[]).code(0);
    std::fs::remove_file(opt.join("my-rocm")).unwrap();
    std::fs::write(opt.join("my-rocm"), "mine").unwrap();
    let ran = run(&project, "02-install-rocm.sh", &[]).code(1);
    assert!(ran.stderr.contains("something else exists at the path of the link"), "{}", ran.all());
    run(&project, "02-install-rocm.sh", &["--force"]).code(0);
    assert_eq!(std::fs::read_to_string(opt.join("my-rocm.before-strixlock-1")).unwrap(), "mine");
}

#[test]
fn settings_with_a_command_in_them_stop_a_script_before_any_work() {
    let project = Project::new();
    project.rocm_manifest("10.1.0a20260901").write(".toolbox.env", "ROCM_HOME=$(touch ran)\n");
    project.run(&["update"]).code(0);
    let ran = run(&project, "02-install-rocm.sh", &[]).code(3);
    assert!(ran.stderr.contains(".toolbox.env:1: a shell would expand or run this value"), "{}", ran.all());
    assert!(!project.path("ran").exists() && !project.store("main").join("current").exists());
}

#[test]
fn a_url_that_does_not_answer_the_manifest_is_refused() {
    let project = Project::new();
    project.rocm_manifest("10.1.0a20260902");
    let base = "https://example.com/therock-dist-linux";
    for (url, message) in [
        (format!("{base}-gfx1151-10.1.0a20260901.tar.gz"), "not of the version that the manifest asks for"),
        (format!("{base}-gfx1201-10.1.0a20260902.tar.gz"), "for another GPU or platform than the manifest asks for"),
        ("https://example.com/rocm.zip".to_owned(), "does not end in the name of a ROCm tarball"),
    ] {
        let ran = project.run(&["update", "rocm", "--url", &url]).code(2);
        assert!(ran.stderr.contains(message), "{}", ran.all());
    }
    project.run(&["update", "--url", base]).code(2);
    assert!(!project.path("lock").exists());
}
