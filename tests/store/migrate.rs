//! Stores of format 1, from before there were profiles: nothing is lost, whenever the migration is killed.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::support::{FIRST, Project, SECOND};

/// Turns a store with the profile `list` into one of format 1: one list of generations at the top, with links that are
/// two directories less deep. Each generation is a day older than the next.
fn of_before(project: &Project) {
    let store = project.store("main");
    let list = store.join("profiles/list");
    let current = std::fs::read_link(list.join("current")).unwrap();
    std::fs::rename(list.join("generations"), store.join("generations")).unwrap();
    std::fs::remove_dir_all(store.join("profiles")).unwrap();
    for number in 1.. {
        let generation = store.join("generations").join(number.to_string());
        if !generation.is_dir() {
            break;
        }
        let link = generation.join("rocm");
        let target = std::fs::read_link(&link).unwrap().to_str().unwrap().replacen("../../", "", 1);
        std::fs::remove_file(&link).unwrap();
        symlink(target, &link).unwrap();
        assert!(link.is_dir());
        let record = std::fs::File::options().write(true).open(generation.join("generation.json")).unwrap();
        record.set_modified(made(number)).unwrap();
    }
    std::fs::write(store.join("generations/.held"), "").unwrap();
    std::fs::remove_file(store.join("current")).unwrap();
    symlink(current, store.join("current")).unwrap();
    std::fs::write(store.join("version"), "strixlock-store 1\n").unwrap();
}

fn made(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + number * 86_400)
}

const LIST: [&str; 2] = ["--profile", "list"];

/// Returns a store of format 1 with these projects and versions, realized one after the other.
fn old_store(realized: &[(&str, &str)]) -> Project {
    let project = Project::new();
    for (name, version) in realized {
        project.realize_beside(name, version, &LIST);
    }
    of_before(&project);
    project
}

/// Returns all generations of all profiles: profile (without its digest), number, current or not, version, time.
fn all(project: &Project) -> Vec<(String, u64, bool, String, i64)> {
    let json = project.run(&["generations", "--all", "--json"]).code(0).json();
    let mut all = Vec::new();
    for profile in json["profiles"].as_array().unwrap() {
        let name = profile["profile"].as_str().unwrap();
        let name = name.split_once('-').map_or(name, |(name, _)| name);
        for one in profile["generations"].as_array().unwrap() {
            let version = one["outputs"]["rocm"]["version"].as_str().unwrap();
            let (number, made) = (one["number"].as_u64().unwrap(), one["made"].as_str().unwrap());
            let made = made.parse::<jiff::Timestamp>().unwrap().as_second();
            all.push((name.to_owned(), number, one["current"] == true, version.to_owned(), made));
        }
    }
    all
}

fn entry(name: &str, number: u64, current: bool, version: &str) -> (String, u64, bool, String, i64) {
    let made = made(number).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    (name.to_owned(), number, current, version.to_owned(), i64::try_from(made).unwrap())
}

/// Returns the target of a link through the top of the store.
fn led(project: &Project) -> PathBuf {
    std::fs::canonicalize(project.directory.path().join("opt/rocm")).unwrap()
}

fn link_at_opt(project: &Project) {
    let opt = project.directory.path().join("opt");
    std::fs::create_dir(&opt).unwrap();
    symlink(project.store("main").join("current/rocm"), opt.join("rocm")).unwrap();
}

#[test]
fn the_generations_of_the_only_project_stay_its_own() {
    let project = old_store(&[("one", FIRST), ("one", SECOND), ("one", FIRST)]);
    link_at_opt(&project);
    let before = led(&project);
    let ran = project.run_beside("one", &["generations"]).code(0);
    assert!(ran.stderr.contains("now kept by project:\n  one-"), "{}", ran.all());
    assert!(ran.stderr.contains("[DIR]/stores/main/current points to one-"), "{}", ran.all());
    // Realizing the first nightly again had switched back to it.
    assert_eq!(all(&project), [entry("one", 1, true, FIRST), entry("one", 2, false, SECOND)]);
    let ran = project.run_beside("one", &["generations"]).code(0);
    assert_eq!(ran.stderr, "", "it is told once");
    let store = project.store("main");
    assert!(!store.join("generations").exists());
    // An older strixlock knows only format 1, and refuses this format before it collects garbage.
    assert_eq!(std::fs::read_to_string(store.join("version")).unwrap(), "strixlock-store 2\n");
    assert_eq!(led(&project), before);
    project.run_beside("one", &["switch", "2"]).code(0);
    assert_ne!(led(&project), before, "a link of before follows its project");
    project.run_beside("one", &["switch", "1"]).code(0);
    assert_eq!(led(&project), before);
    // The lock no longer names the second nightly, but the generation does.
    let ran = project.run_beside("one", &["gc"]).code(0);
    assert!(ran.stdout.starts_with("removed ") && !ran.stdout.contains("tree"), "{}", ran.all());
    project.run_beside("one", &["verify"]).code(0);
    let ran = project.run_beside("one", &["realize"]).code(0);
    assert!(ran.stdout.contains("\ngeneration 1 is current already\n"), "{}", ran.all());
    // An older strixlock leaves this when it refuses the store.
    std::fs::create_dir(store.join("generations")).unwrap();
    project.run_beside("one", &["generations"]).code(0);
    assert!(!store.join("generations").exists());
}

#[test]
fn each_project_gets_what_was_made_from_its_lock_and_what_no_lock_says_any_more() {
    const THIRD: &str = "10.2.0a20261120";
    let project = old_store(&[("one", FIRST), ("one", SECOND), ("two", THIRD)]);
    link_at_opt(&project);
    let before = led(&project);
    assert_eq!(
        all(&project),
        [
            entry("one", 1, false, FIRST),
            entry("one", 2, true, SECOND),
            entry("two", 1, false, FIRST),
            entry("two", 3, true, THIRD),
        ]
    );
    assert_eq!(led(&project), before);
    project.run_beside("one", &["rollback"]).code(0);
    assert_eq!(led(&project), before, "the current generation was the other project's");
    let ran = project.run_beside("one", &["gc"]).code(0);
    assert!(ran.stdout.starts_with("removed ") && !ran.stdout.contains("tree"), "{}", ran.all());
    project.run_beside("two", &["rollback"]).code(0);
    assert_ne!(led(&project), before);
    project.run_beside("two", &["verify"]).code(0);
}

#[test]
fn where_no_project_can_be_told_a_profile_of_its_own_holds_everything() {
    let project = old_store(&[("one", FIRST), ("two", SECOND)]);
    link_at_opt(&project);
    let before = led(&project);
    // By now both have locks from which nothing was realized.
    for name in ["one", "two"] {
        let lock = project.directory.path().join(name).join("lock/strix.lock");
        let text = std::fs::read_to_string(&lock).unwrap();
        std::fs::write(&lock, text + "\n").unwrap();
    }
    let everything = |name: &str| [entry(name, 1, false, FIRST), entry(name, 2, true, SECOND)];
    let ran = project.run(&["generations", "--all"]).code(0);
    assert!(ran.stderr.contains("current points to earlier\n"), "{}", ran.all());
    assert_eq!(all(&project), ["earlier", "one", "two"].map(everything).concat());
    assert_eq!(led(&project), before);
    for name in ["one", "two"] {
        project.run_beside(name, &["rollback"]).code(0);
    }
    assert_eq!(led(&project), before, "it is neither's");
    project.run(&["rollback", "--profile", "earlier"]).code(0);
    assert_ne!(led(&project), before);
    // No project is known.
    let project = old_store(&[("one", FIRST), ("one", SECOND)]);
    std::fs::remove_dir_all(project.store("main").join("locks")).unwrap();
    assert_eq!(all(&project), everything("earlier"));
}

#[test]
fn a_store_of_before_that_holds_nothing_is_brought_up_to_date_in_silence() {
    let project = Project::new();
    project.run(&["generations"]).code(0);
    let store = project.store("main");
    std::fs::remove_dir_all(store.join("profiles")).unwrap();
    std::fs::create_dir(store.join("generations")).unwrap();
    std::fs::write(store.join("version"), "strixlock-store 1\n").unwrap();
    let ran = project.run(&["generations", "--all"]).code(0);
    assert!(!ran.stderr.contains("kept by project"), "{}", ran.all());
    assert_eq!(std::fs::read_to_string(store.join("version")).unwrap(), "strixlock-store 2\n");
    // A later format is left alone.
    std::fs::write(store.join("version"), "strixlock-store 3\n").unwrap();
    let ran = project.run(&["generations", "--all"]).code(3);
    assert!(ran.stderr.contains("found     strixlock-store 3"), "{}", ran.all());
}

#[test]
fn a_store_of_before_that_was_killed_before_it_switched_has_its_newest_generation() {
    for left in ["nothing", "a link to what is gone"] {
        let project = old_store(&[("one", FIRST), ("one", SECOND)]);
        let link = project.store("main").join("current");
        std::fs::remove_file(&link).unwrap();
        if left != "nothing" {
            symlink("generations/7", &link).unwrap();
        }
        assert_eq!(all(&project), [entry("one", 1, false, FIRST), entry("one", 2, true, SECOND)], "{left}");
        assert!(link.join("rocm").is_dir(), "{left}");
    }
}

#[test]
fn a_generation_without_its_record_stops_the_migration_and_nothing_is_changed() {
    let project = old_store(&[("one", FIRST), ("one", SECOND)]);
    let store = project.store("main");
    let record = store.join("generations/1/generation.json");
    let text = std::fs::read(&record).unwrap();
    std::fs::write(&record, "{").unwrap();
    let ran = project.run(&["gc", "--keep", "1"]).code(7);
    assert!(ran.stderr.contains("cannot migrate the store"), "{}", ran.all());
    assert_eq!(std::fs::read_to_string(store.join("version")).unwrap(), "strixlock-store 1\n");
    assert_eq!(std::fs::read_link(store.join("current")).unwrap(), Path::new("generations/2"));
    std::fs::write(&record, text).unwrap();
    std::fs::File::options().write(true).open(&record).unwrap().set_modified(made(1)).unwrap();
    assert_eq!(all(&project), [entry("one", 1, false, FIRST), entry("one", 2, true, SECOND)]);
}

#[test]
fn many_processes_that_find_an_old_store_at_once_leave_one_new_one() {
    let project = old_store(&[("one", FIRST), ("two", SECOND)]);
    let children: Vec<_> = (0..8)
        .map(|_| {
            let mut command = project.command(&["generations", "--all", "--json"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut told = 0;
    for child in children {
        let ran = project.finish(child.wait_with_output().unwrap()).code(0);
        assert_eq!(ran.json()["profiles"].as_array().unwrap().len(), 2, "{}", ran.all());
        told += usize::from(ran.stderr.contains("kept by project"));
    }
    assert_eq!(told, 1, "one of them did it");
    assert_eq!(all(&project), [entry("one", 1, true, FIRST), entry("two", 2, true, SECOND)]);
}

/// An older strixlock holds the shared lock as long as it works, and adds to the old list.
#[test]
fn an_older_strixlock_at_work_is_waited_for() {
    let project = old_store(&[("one", FIRST), ("one", SECOND)]);
    project.write("strixlock.toml", "busy-seconds = 0\n");
    let lock = std::fs::File::open(project.store("main").join("lock")).unwrap();
    lock.lock_shared().unwrap();
    let ran = project.run(&["gc", "--keep", "1"]).code(11);
    assert!(ran.stderr.contains("held by  pid"), "{}", ran.all());
    assert_eq!(std::fs::read_to_string(project.store("main").join("version")).unwrap(), "strixlock-store 1\n");
    assert!(!project.store("main").join("profiles/.held").exists());
    drop(lock);
    assert_eq!(all(&project), [entry("one", 1, false, FIRST), entry("one", 2, true, SECOND)]);
}

/// Root, its owner, migrates a store of the whole machine.
#[test]
fn whoever_may_only_read_an_old_store_is_told_who_can_bring_it_up_to_date() {
    if std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) != 0 {
        return;
    }
    let project = old_store(&[("one", FIRST), ("one", SECOND)]);
    // It was last used by a strixlock without profiles.
    std::fs::remove_dir_all(project.store("main").join("profiles")).unwrap_or_default();
    for directory in [project.directory.path(), project.path("").as_path()] {
        std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let inner = project.command(&["generations", "--all"]);
    let program = project.directory.path().join("strixlock");
    std::fs::copy(inner.get_program(), &program).unwrap();
    let mut outer = Command::new("setpriv");
    outer.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program).args(inner.get_args());
    outer.current_dir(project.path("")).env_clear();
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = project.finish(outer.output().unwrap()).code(1);
    assert!(ran.stderr.contains("cannot migrate the store, which is from before there were profiles"), "{}", ran.all());
    assert!(ran.stderr.contains("any command as the store's owner"), "{}", ran.all());
    assert_eq!(all(&project), [entry("one", 1, false, FIRST), entry("one", 2, true, SECOND)]);
}

/// The parts of a store that hold generations.
const PARTS: [&str; 5] = ["profiles", "generations", "current", "version", "tmp"];

/// Reads every file with its contents and every link with its target. Names of locks are left out.
fn seen(store: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for part in PARTS.map(|part| store.join(part)) {
        let files = if part.is_dir() && !part.is_symlink() { crate::support::files(&part) } else { vec![part] };
        for path in files.into_iter().filter(|path| path.extension().is_none_or(|one| one != "held")) {
            let text = match std::fs::read_link(&path) {
                Ok(target) => target.into_os_string().into_encoded_bytes(),
                Err(_) => std::fs::read(&path).unwrap_or_default(),
            };
            all.insert(path.strip_prefix(store).unwrap().to_path_buf(), text);
        }
    }
    all
}

#[test]
fn an_old_store_is_brought_up_to_date_with_no_name_before_its_bytes() {
    let project = old_store(&[("one", FIRST), ("two", SECOND)]);
    super::durable::durable(&project, &["generations", "--all"]);
    assert_eq!(all(&project), [entry("one", 1, true, FIRST), entry("two", 2, true, SECOND)]);
}

/// Kills the run before each call that creates, changes or removes a name, and before each sync. Each time, a link
/// through the store still has its target, and the next run gives the same store as an undisturbed one.
#[test]
fn killed_at_any_step_the_next_run_finishes() {
    let copy = |from: &Path, to: &Path| {
        let paths = |place: &Path| PARTS.map(|part| place.join(part));
        assert!(Command::new("rm").arg("-rf").args(paths(to)).status().unwrap().success());
        std::fs::create_dir_all(to).unwrap();
        let there = paths(from).into_iter().filter(|path| std::fs::symlink_metadata(path).is_ok());
        assert!(Command::new("cp").arg("-a").args(there).arg(to).status().unwrap().success());
    };
    let project = old_store(&[("one", FIRST), ("two", SECOND)]);
    let (store, kept) = (project.store("main"), project.store("kept"));
    link_at_opt(&project);
    copy(&store, &kept);
    let before = led(&project);
    project.run(&["generations"]).code(0);
    let expected = seen(&store);
    let mut kills = 0;
    for call in
        ["rename,renameat,renameat2", "symlink,symlinkat", "mkdir,mkdirat", "unlink,unlinkat,rmdir", "fsync,syncfs"]
    {
        for number in 1.. {
            copy(&kept, &store);
            let inject = format!("inject={call}:signal=KILL:when={number}");
            let plain = project.command(&["generations", "--all"]);
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
            command.arg(plain.get_program()).args(plain.get_args()).current_dir(project.path("")).env_clear();
            command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
            let done = command.output().unwrap();
            assert_eq!(led(&project), before, "{call} {number}");
            project.run(&["generations", "--all"]).code(0);
            assert_eq!(seen(&store), expected, "{call} {number}");
            assert_eq!(led(&project), before, "{call} {number}");
            if done.status.success() {
                break;
            }
            kills += 1;
        }
    }
    // Two profiles, the link, the version file and the old list each have a name.
    assert!(kills > 20, "{kills}");
}
