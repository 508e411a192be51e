//! Links that only root can make: they are left to root, and nothing runs with root's rights but `ln`.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::{FIRST, Project, Ran};

/// The user `nobody`.
const OTHER: &str = "65534";

/// Runs a command as another user, to whom the whole project belongs.
fn as_other(project: &Project, arguments: &[&str]) -> Ran {
    let inner = project.command(arguments);
    let program = project.directory.path().join("strixlock");
    if !program.exists() {
        std::fs::copy(inner.get_program(), &program).unwrap();
    }
    let owner = format!("{OTHER}:{OTHER}");
    for name in ["project", "stores"] {
        let place = project.directory.path().join(name);
        std::fs::create_dir_all(&place).unwrap();
        assert!(Command::new("chown").args(["-hR", &owner]).arg(place).status().unwrap().success());
    }
    std::fs::set_permissions(project.directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut outer = Command::new("setpriv");
    outer.args(["--reuid", OTHER, "--regid", OTHER, "--clear-groups"]).arg(&program).args(arguments);
    outer.current_dir(project.path("")).env_clear();
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    project.finish(outer.output().unwrap())
}

#[test]
fn links_in_a_directory_of_root_s_are_left_to_root_and_strixlock_runs_without_it() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    let project = Project::new();
    project.rocm_manifest(FIRST);
    let opt = project.directory.path().join("opt of root");
    let place = opt.join("rocm");
    let prefix = opt.to_str().unwrap();
    as_other(&project, &["update"]).code(0);
    let ran = as_other(&project, &["realize", "--prefix", prefix]).code(1);
    assert!(ran.stderr.contains("hint: create it first: `sudo mkdir -p '[DIR]/opt of root'`"), "{}", ran.all());
    std::fs::create_dir(&opt).unwrap();
    // The first generation names the profile that the links lead to.
    as_other(&project, &["realize"]).code(0);
    let target = project.profile().join("current/rocm");
    for there in ["nothing", "a directory", "a link", "the link"] {
        match there {
            "a directory" => std::fs::create_dir(&place).unwrap(),
            "a link" => symlink("/elsewhere", &place).unwrap(),
            _ => {}
        }
        let ran = as_other(&project, &["realize", "--prefix", prefix]);
        if there == "the link" {
            // From now on nothing is left.
            assert!(!ran.code(0).stdout.contains("sudo"));
            assert_eq!(std::fs::read_link(&place).unwrap(), target);
            continue;
        }
        let ran = ran.code(10);
        let lines: Vec<&str> = ran.stdout.lines().filter_map(|line| line.strip_prefix("  sudo ")).collect();
        assert_eq!(lines.len(), 1, "{}", ran.all());
        assert!(lines[0].contains("ln -snT") && lines[0].starts_with("mv") == (there != "nothing"), "{}", ran.all());
        let json = as_other(&project, &["--json", "realize", "--prefix", prefix]).code(10).json();
        assert_eq!(json["left_for_root"].as_array().unwrap().len(), 1);
        // What root does then; in the test there is no sudo.
        let command = lines[0].replace("sudo ", "").replace("[DIR]", project.directory.path().to_str().unwrap());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
        assert_eq!(std::fs::read_link(&place).unwrap(), target);
        if there != "a link" {
            std::fs::remove_file(&place).unwrap();
        }
    }
    // What stood there is kept.
    assert!(opt.join("rocm.before-strixlock-1").is_dir());
    assert_eq!(std::fs::read_link(opt.join("rocm.before-strixlock-2")).unwrap(), Path::new("/elsewhere"));
    // Root itself uses no store of another user.
    project.run(&["realize", "--prefix", prefix]).code(3);
}
