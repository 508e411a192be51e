//! Owners of stores: no file of another user can misuse the rights of the user who runs a command.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use crate::support::{FIRST, Project, files};

/// The user `nobody`.
const OTHER: u32 = 65534;

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A directory outside of the store that nothing may touch, and a record of its contents.
struct Canary(PathBuf);

impl Canary {
    fn new(project: &Project) -> Self {
        let place = project.directory.path().join("canary");
        std::fs::create_dir(&place).unwrap();
        for name in ["strix.lock", "stage-a.lock", "file"] {
            std::fs::write(place.join(name), "mine\n").unwrap();
        }
        for name in ["strix", "stage-a"] {
            std::fs::create_dir(place.join(name)).unwrap();
            std::fs::write(place.join(name).join("deep"), "mine\n").unwrap();
        }
        Self(place)
    }

    fn state(&self) -> Vec<(PathBuf, Vec<u8>, u32, i64)> {
        let about = |path: PathBuf| {
            let found = std::fs::symlink_metadata(&path).unwrap();
            (path.clone(), std::fs::read(&path).unwrap(), found.mode(), found.mtime_nsec())
        };
        files(&self.0).into_iter().map(about).collect()
    }

    fn file(&self) -> PathBuf {
        self.0.join("file")
    }
}

/// Replaces a file or directory by a link to `target`, and keeps the original aside.
fn replace_by_link(place: &Path, target: &Path) {
    if std::fs::symlink_metadata(place).is_ok() {
        std::fs::rename(place, place.with_file_name("aside")).unwrap();
    }
    symlink(target, place).unwrap();
}

fn undo(place: &Path) {
    std::fs::remove_file(place).unwrap();
    let aside = place.with_file_name("aside");
    if aside.exists() {
        std::fs::rename(aside, place).unwrap();
    }
}

#[test]
fn no_link_in_the_place_of_a_directory_is_followed() {
    let project = Project::realized(&[FIRST]);
    let (store, canary) = (project.store("main"), Canary::new(&project));
    let before = canary.state();
    let first = |place: &str| {
        let all = std::fs::read_dir(store.join(place)).unwrap();
        let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        format!("{place}/{}", names.filter(|name| !name.starts_with('.')).min().unwrap())
    };
    let fixed = [
        "tmp",
        "tmp/partial",
        "blobs",
        "trees",
        "outputs",
        "downloads",
        "downloads/sha256",
        "git",
        "locks",
        "profiles",
    ];
    let below = ["blobs", "trees", "outputs", "profiles"].map(first);
    for place in fixed.iter().map(|one| (*one).to_owned()).chain(below) {
        let at = store.join(&place);
        replace_by_link(&at, &canary.0);
        for command in [["generations"].as_slice(), &["realize"], &["gc", "--keep", "1"], &["verify", "--repair"]] {
            let ran = project.run(command).code(7);
            assert!(
                ran.stderr.contains("expected a directory in the store, found a symbolic link"),
                "{place}: {}",
                ran.all()
            );
            assert!(ran.stderr.contains(&place), "{place}: {}", ran.all());
        }
        assert_eq!(canary.state(), before, "{place}");
        undo(&at);
    }
    project.run(&["verify"]).code(0);
}

/// Only names of this program in `tmp/` are swept.
#[test]
fn names_of_others_in_tmp_stay() {
    let project = Project::realized(&[FIRST]);
    let tmp = project.store("main").join("tmp");
    std::fs::create_dir(tmp.join("strix")).unwrap();
    std::fs::write(tmp.join("strix.lock"), "").unwrap();
    std::fs::create_dir(tmp.join("stage-a")).unwrap();
    std::fs::write(tmp.join("stage-a.lock"), "").unwrap();
    std::fs::create_dir(tmp.join("stage-b")).unwrap();
    symlink(tmp.join("strix.lock"), tmp.join("stage-b.lock")).unwrap();
    project.run(&["generations"]).code(0);
    let left: Vec<bool> =
        ["strix", "strix.lock", "stage-a", "stage-a.lock", "stage-b"].map(|name| tmp.join(name).exists()).to_vec();
    assert_eq!(left, [true, true, false, false, true]);
}

/// Returns the first bytes of the only download in a store.
fn begun(project: &Project, ending: &str) -> PathBuf {
    let held = files(&project.store("main").join("tmp/partial"));
    held.into_iter().find(|file| file.extension().is_some_and(|one| one == "held")).unwrap().with_extension(ending)
}

#[test]
fn a_download_writes_to_no_file_that_a_link_leads_to() {
    for ending in ["part", "json", "json.new", "held"] {
        for hard in [false, true] {
            let project = Project::new();
            let canary = Canary::new(&project);
            project.rocm_manifest(FIRST);
            project.run(&["update"]).code(0);
            let place = begun(&project, ending);
            // The lock and the download are gone, so the download starts again.
            std::fs::remove_file(project.path("lock/strix.lock")).unwrap();
            std::fs::remove_dir_all(project.store("main").join("downloads/sha256")).unwrap();
            let _ = std::fs::remove_file(&place);
            if hard { std::fs::hard_link(canary.file(), &place) } else { symlink(canary.file(), &place) }.unwrap();
            let before = canary.state();
            let ran = project.run(&["update"]);
            assert_eq!(canary.state(), before, "{ending}: {}", ran.all());
            if (ending, hard) == ("held", false) {
                assert!(ran.code == 1 && ran.stderr.contains(".held"), "{}", ran.all());
            } else {
                ran.code(0);
                project.run(&["realize"]).code(0);
                project.run(&["verify"]).code(0);
            }
        }
    }
}

#[test]
fn a_store_that_others_may_write_to_is_refused_until_they_may_not() {
    let project = Project::realized(&[FIRST]);
    let store = project.store("main");
    for place in ["", "tmp", "tmp/partial", "blobs", "trees"] {
        for mode in [0o777, 0o775, 0o757] {
            let at = store.join(place);
            let before = std::fs::metadata(&at).unwrap().permissions();
            std::fs::set_permissions(&at, std::fs::Permissions::from_mode(mode)).unwrap();
            let ran = project.run(&["realize"]).code(3);
            assert!(ran.stderr.contains("other users can write to the store"), "{place}: {}", ran.all());
            assert!(
                ran.stderr.contains(&format!("{mode:04o}")) && ran.stderr.contains("chmod -R go-w"),
                "{}",
                ran.all()
            );
            std::fs::set_permissions(&at, before).unwrap();
        }
    }
    project.run(&["realize"]).code(0);
}

/// Holds also with a umask by which the group can write to everything else.
#[test]
fn what_is_made_is_writable_for_nobody_else() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    for arguments in [["update"], ["realize"]] {
        let inner = project.command(&arguments);
        let mut outer = std::process::Command::new("sh");
        outer.args(["-c", "umask 000; exec \"$@\"", "sh"]).arg(inner.get_program()).args(arguments);
        outer.current_dir(project.path("")).env_clear();
        outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        project.finish(outer.output().unwrap()).code(0);
    }
    let open = std::process::Command::new("find")
        .arg(project.store("main"))
        .args(["!", "-type", "l", "-perm", "/022"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(open.stdout).unwrap(), "");
}

#[test]
fn no_store_is_made_among_other_things() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    let canary = Canary::new(&project);
    let before = canary.state();
    let ran = project.run(&["--store", canary.0.to_str().unwrap(), "update"]).code(3);
    assert!(ran.stderr.contains("this directory is neither empty nor a store"), "{}", ran.all());
    assert_eq!(canary.state(), before);
    assert_eq!(std::fs::read_dir(&canary.0).unwrap().count(), 5);
    // A store whose creation was interrupted becomes one, and so does the root of a disk.
    let begun = project.store("begun");
    for name in ["trees", "lost+found"] {
        std::fs::create_dir_all(begun.join(name)).unwrap();
    }
    project.run_in_store("begun", &["update"]).code(0);
}

#[test]
fn a_store_of_another_user_is_refused() {
    if !is_root() {
        return;
    }
    let project = Project::realized(&[FIRST]);
    let (store, canary) = (project.store("main"), Canary::new(&project));
    let before = canary.state();
    let tree = std::fs::canonicalize(store.join("current/rocm")).unwrap();
    let blobs = std::fs::read_dir(store.join("blobs")).unwrap().next().unwrap().unwrap().path();
    for at in [&store, &store.join("tmp"), &store.join("tmp/partial"), &blobs, tree.parent().unwrap()] {
        chown(at, Some(OTHER), None).unwrap();
        for command in
            [["generations"].as_slice(), &["realize"], &["realize", "--prefix", "/opt"], &["gc"], &["verify"]]
        {
            let ran = project.run(command).code(3);
            assert!(ran.stderr.contains("the store belongs to another user"), "{}", ran.all());
            assert!(ran.stderr.contains("uid 65534") && ran.stderr.contains("hint: "), "{}", ran.all());
        }
        chown(at, Some(0), None).unwrap();
    }
    assert_eq!(canary.state(), before);
    project.run(&["verify"]).code(0);
}

/// A blob and a download of another user, in a store that was copied with its owners, count as missing.
#[test]
fn bytes_of_another_user_are_not_believed() {
    if !is_root() {
        return;
    }
    let project = Project::realized(&[FIRST]);
    let store = project.store("main");
    let tree = std::fs::canonicalize(store.join("current/rocm")).unwrap();
    let honest = project.run(&["hash", tree.to_str().unwrap()]).code(0).stdout;
    for file in files(&store.join("blobs")).into_iter().chain(files(&store.join("downloads"))) {
        let about = std::fs::metadata(&file).unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        let Some(last) = bytes.last_mut() else { continue };
        *last ^= 1;
        // The blob is another file of the same size, mode and time, so the tree keeps its own.
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, bytes).unwrap();
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(about.modified().unwrap()).unwrap();
        std::fs::set_permissions(&file, about.permissions()).unwrap();
        chown(&file, Some(OTHER), None).unwrap();
    }
    // The tree is made again.
    let gone = tree.parent().unwrap();
    std::process::Command::new("rm").arg("-rf").arg(gone).status().unwrap();
    project.run(&["realize"]).code(0);
    assert_eq!(project.run(&["hash", tree.to_str().unwrap()]).code(0).stdout, honest);
    project.run(&["verify"]).code(0);
    let others = std::process::Command::new("find").arg(&tree).args(["-uid", "65534"]).output().unwrap();
    assert_eq!(String::from_utf8(others.stdout).unwrap(), "");
}

/// Everybody can read a store of the whole machine, which is root's.
#[test]
fn a_store_of_root_s_is_read_by_all() {
    if !is_root() {
        return;
    }
    let project = Project::realized(&[FIRST]);
    for directory in [project.directory.path(), project.path("").as_path()] {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let inner = project.command(&["generations"]);
    let program = project.directory.path().join("strixlock");
    std::fs::copy(inner.get_program(), &program).unwrap();
    let run = |arguments: &[&str]| {
        let mut outer = std::process::Command::new("setpriv");
        outer.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program).args(arguments);
        outer.current_dir(project.path("")).env_clear();
        outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        project.finish(outer.output().unwrap())
    };
    let ran = run(&["generations"]).code(0);
    assert!(
        ran.stdout.contains("\n*           1  ") && ran.stdout.ends_with("  rocm 10.1.0a20260901\n"),
        "{}",
        ran.all()
    );
    run(&["verify"]).code(0);
    // A store of a third user is not even read.
    chown(project.store("main"), Some(1), None).unwrap();
    let ran = run(&["generations"]).code(3);
    assert!(ran.stderr.contains("snapshot restore"), "{}", ran.all());
}
