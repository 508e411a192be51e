//! Profiles: changes to the generations of one project touch no other project.

use std::path::{Path, PathBuf};

use crate::support::{FIRST, Project, Ran, SECOND};

/// Two projects in one store: `one` with the first nightly, then the second; `two` the other way round.
fn two_projects() -> Project {
    let project = Project::new();
    project.realize_beside("one", FIRST, &[]).realize_beside("one", SECOND, &[]);
    project.realize_beside("two", SECOND, &[]).realize_beside("two", FIRST, &[]);
    project
}

/// Returns the numbers of a project's generations, and the current one.
fn numbers(ran: &Ran) -> (Vec<u64>, u64) {
    let value = ran.json();
    let number = |one: &serde_json::Value| one["number"].as_u64().unwrap();
    let all = value["generations"].as_array().unwrap();
    let current = all.iter().find(|one| one["current"] == true).map_or(0, number);
    (all.iter().map(number).collect(), current)
}

fn generations(project: &Project, name: &str) -> (Vec<u64>, u64) {
    numbers(&project.run_beside(name, &["generations", "--json"]).code(0))
}

/// Returns the name of a project's profile, and the link to its current generation.
fn profile(project: &Project, name: &str) -> (String, PathBuf) {
    let value = project.run_beside(name, &["generations", "--json"]).code(0).json();
    let name = value["profile"].as_str().unwrap().to_owned();
    let current = value["current"].as_str().unwrap().replace("[DIR]", project.directory.path().to_str().unwrap());
    (name, current.into())
}

fn tree(link: &Path) -> PathBuf {
    std::fs::canonicalize(link.join("rocm")).unwrap()
}

#[test]
fn rollback_switch_and_gc_in_one_project_leave_the_other_alone() {
    let project = two_projects();
    let seen = || {
        let current = profile(&project, "two").1;
        (
            project.run_beside("two", &["generations"]).code(0).stdout,
            tree(&current),
            std::fs::read_link(current).unwrap(),
        )
    };
    let before = seen();
    let one = profile(&project, "one").1;
    let newest = tree(&one);
    for command in [
        ["rollback"].as_slice(),
        &["switch", "2"],
        &["rollback"],
        &["realize"],
        &["gc", "--keep", "1"],
        &["gc", "--older-than", "0s"],
        &["gc", "--max-size", "1"],
        &["store", "pack", "--keep-hot", "0"],
        &["verify"],
    ] {
        project.run_beside("one", command).code(0);
        assert_eq!(seen(), before, "{command:?}");
    }
    assert_eq!((generations(&project, "one"), generations(&project, "two")), ((vec![2], 2), (vec![1, 2], 2)));
    assert_eq!(tree(&one), newest);
    // The other project can still roll back to the tree that this one has dropped.
    project.run_beside("two", &["rollback"]).code(0);
    assert_eq!(generations(&project, "two"), (vec![1, 2], 1));
    assert_eq!(generations(&project, "one"), (vec![2], 2));
    // The link at the top of the store follows only the first profile.
    assert_eq!(tree(&project.store("main").join("current")), tree(&one));
}

#[test]
fn every_profile_is_listed_with_its_project() {
    let project = two_projects();
    let ran = project.run(&["generations", "--all"]).code(0);
    for name in ["one", "two"] {
        let end = format!("  {}  [DIR]/{name}", profile(&project, name).0);
        assert_eq!(ran.stdout.lines().filter(|line| line.ends_with(&end)).count(), 2, "{}", ran.all());
    }
    assert_eq!(ran.stdout.lines().count(), 5, "{}", ran.all());
    // A project's own are shown without its name.
    let ran = project.run_beside("two", &["generations"]).code(0);
    assert!(!ran.stdout.contains("two"), "{}", ran.all());
    let json = project.run(&["generations", "--all", "--json"]).code(0).json();
    assert_eq!(json["profiles"][1]["project"], "[DIR]/two");
    // From a directory without a project.
    let ran = project.run(&["generations"]).code(0);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("generations --all"), "{}", ran.all());
    for command in [["switch", "1"].as_slice(), &["rollback"], &["diff"]] {
        project.run(command).code(9);
    }
}

#[test]
fn a_project_is_the_same_however_it_is_reached() {
    let project = two_projects();
    let top = project.directory.path();
    std::os::unix::fs::symlink("one", top.join("alias")).unwrap();
    let one = profile(&project, "one");
    assert_eq!(profile(&project, "alias"), one);
    assert_eq!(profile(&project, "one/manifests"), one);
    let lock = top.join("one/lock/strix.lock");
    let manifest = top.join("one/manifests/strix.toml");
    for arguments in [["--manifest", manifest.to_str().unwrap()], ["--lock", lock.to_str().unwrap()]] {
        let ran = project.finish(project.command(&["generations", "--json"]).args(arguments).output().unwrap());
        assert_eq!(ran.code(0).json()["profile"], one.0, "{arguments:?}");
    }
    // Another lock in the same project has the same generations. The lock of a generation belongs to its own profile.
    std::fs::copy(&lock, top.join("one/lock/old.lock")).unwrap();
    project.run_beside("one", &["realize", "--lock", "lock/old.lock"]).code(0);
    assert_eq!(generations(&project, "one"), (vec![1, 2], 2));
    let kept = one.1.with_file_name("generations").join("1/strix.lock");
    project.run(&["realize", "--lock", kept.to_str().unwrap()]).code(0);
    assert_eq!(generations(&project, "one"), (vec![1, 2], 1));
    // A manifest with another name in the same directory has its own profile.
    std::fs::copy(&manifest, top.join("one/manifests/next.toml")).unwrap();
    let next = ["--manifest", "manifests/next.toml"];
    project.run_beside("one", &[&["update"], next.as_slice()].concat()).code(0);
    project.run_beside("one", &[&["realize"], next.as_slice()].concat()).code(0);
    let ran = project.run_beside("one", &[&["generations", "--json"], next.as_slice()].concat()).code(0);
    assert!(ran.json()["profile"].as_str().unwrap().starts_with("one.next-"), "{}", ran.all());
    assert_eq!(generations(&project, "one"), (vec![1, 2], 1));
}

#[test]
fn a_profile_is_chosen_by_option_environment_or_configuration() {
    let project = two_projects();
    let prod = |arguments: &[&str]| numbers(&project.run_beside("one", &[&["--json"], arguments].concat()).code(0));
    project.run_beside("one", &["realize", "--profile", "prod"]).code(0);
    let others = ["one", "two"].map(|name| generations(&project, name));
    assert_eq!(prod(&["generations", "--profile", "prod"]), (vec![1], 1));
    let ran =
        project.finish(project.command(&["generations", "--json"]).env("STRIXLOCK_PROFILE", "prod").output().unwrap());
    assert_eq!(numbers(&ran.code(0)), (vec![1], 1));
    std::fs::write(project.directory.path().join("two/strixlock.toml"), "profile = \"prod\"\n").unwrap();
    project.run_beside("two", &["realize"]).code(0);
    assert_eq!(prod(&["generations", "--profile", "prod"]), (vec![1, 2], 2));
    std::fs::remove_file(project.directory.path().join("two/strixlock.toml")).unwrap();
    assert_eq!(["one", "two"].map(|name| generations(&project, name)), others);
    for command in [["generations"].as_slice(), &["switch", "1"], &["rollback"], &["diff"], &["gc", "--keep", "1"]] {
        let ran = project.run_beside("one", &[command, &["--profile", "pord"]].concat()).code(9);
        assert!(ran.stderr.contains("there is no profile `pord`"), "{}", ran.all());
    }
    for bad in ["", "../x", ".", "a b", "-"] {
        let ran = project.run_beside("one", &["generations", &format!("--profile={bad}")]).code(2);
        assert!(ran.stderr.contains("invalid profile name"), "{}", ran.all());
    }
    std::fs::write(project.directory.path().join("two/strixlock.toml"), "profile = \"a/b\"\n").unwrap();
    let ran = project.run_beside("two", &["generations"]).code(3);
    assert!(ran.stderr.contains("invalid profile name"), "{}", ran.all());
    project.run_beside("one", &["gc", "--drop-profile", "prod"]).code(0);
    assert_eq!(["one"].map(|name| generations(&project, name)), [others[0].clone()]);
    project.run_beside("one", &["gc", "--drop-profile", "prod"]).code(9);
}

#[test]
fn a_project_that_was_moved_is_told_how_to_have_its_generations_again() {
    let project = two_projects();
    let name = profile(&project, "one").0;
    let top = project.directory.path();
    std::fs::rename(top.join("one"), top.join("moved")).unwrap();
    let adopt = format!("strixlock generations --adopt {name}");
    for command in [["generations"].as_slice(), &["rollback"], &["diff"], &["status"], &["realize"]] {
        let ran = project.run_beside("moved", command);
        assert!(ran.stderr.contains("the missing [DIR]/one has") && ran.stderr.contains(&adopt), "{}", ran.all());
    }
    let ran = project.run(&["generations", "--all"]).code(0);
    assert!(ran.stdout.contains(&format!("  {name}    [DIR]/one (missing)\n")), "{}", ran.all());
    // Its lock may be on a disk that comes back: nothing goes, and every way out is named.
    let ran = project.run_beside("moved", &["gc"]).code(9);
    assert!(ran.stderr.contains(&adopt) && ran.stderr.contains("--forget-missing"), "{}", ran.all());
    // Not for a directory without a project, and not from a project that still exists.
    project.run(&["generations", "--adopt", &name]).code(9);
    let ran = project.run_beside("two", &["generations", "--adopt", &profile(&project, "moved").0]).code(1);
    assert!(ran.stderr.contains("belongs to a project that still exists"), "{}", ran.all());
    // The profile made in between keeps its name.
    let between = profile(&project, "moved").0;
    assert_ne!(between, name);
    let ran = project.run_beside("moved", &["generations", "--adopt", &name]).code(0);
    assert!(ran.stderr.contains(&format!("the generations of {name} now belong to this project\n")), "{}", ran.all());
    assert_eq!(generations(&project, "moved"), (vec![1, 2], 2));
    project.run_beside("moved", &["rollback"]).code(0);
    project.run_beside("moved", &["generations", "--adopt", &name]).code(0);
    let ran = project.run_beside("moved", &["generations", "--profile", &between, "--json"]).code(0);
    assert_eq!(numbers(&ran), (vec![1], 1));
    project.run_beside("moved", &["gc"]).code(0);
    project.run_beside("moved", &["generations", "--adopt", "none"]).code(9);
    // A new project in the old directory gets a new profile.
    project.realize_beside("one", FIRST, &[]);
    assert_eq!((generations(&project, "one"), generations(&project, "moved")), ((vec![1], 1), (vec![1, 2], 1)));
    assert!(profile(&project, "one").0.starts_with(&name), "a name is not given twice");
}

#[test]
fn generations_of_a_project_that_is_gone_are_dropped_only_when_told() {
    let project = two_projects();
    let name = profile(&project, "one").0;
    std::fs::remove_dir_all(project.directory.path().join("one")).unwrap();
    project.run_beside("two", &["gc"]).code(9);
    project.run_beside("two", &["gc", "--keep", "1", "--all-profiles"]).code(9);
    let would = project.run_beside("two", &["gc", "--forget-missing", "--dry-run"]).code(0);
    let told = format!("would remove generation 2 of {name} ([DIR]/one, missing), rocm {SECOND}\n");
    assert!(would.stdout.contains(&told), "{}", would.all());
    let profiles =
        || project.run(&["generations", "--all", "--json"]).code(0).json()["profiles"].as_array().unwrap().len();
    assert_eq!(profiles(), 2);
    let ran = project.run_beside("two", &["gc", "--forget-missing"]).code(0);
    assert_eq!(ran.stdout, would.stdout.replace("would remove", "removed"));
    assert_eq!(profiles(), 1);
    assert_eq!(generations(&project, "two"), (vec![1, 2], 2));
    // It led to the removed profile.
    assert!(std::fs::symlink_metadata(project.store("main").join("current")).is_err());
    project.run_beside("two", &["verify"]).code(0);
    assert_eq!(project.run_beside("two", &["gc"]).code(0).stdout, "nothing to remove\n");
}

#[test]
fn gc_says_whose_generations_went_and_why_others_stay() {
    let project = two_projects();
    for keep in ["0", "-1", "x"] {
        project.run_beside("one", &["gc", &format!("--keep={keep}")]).code(2);
    }
    let [one, two] = ["one", "two"].map(|name| format!("{} ([DIR]/{name})", profile(&project, name).0));
    project.run_beside("one", &["rollback"]).code(0);
    // The current generation is older than the kept ones.
    let ran = project.run_beside("one", &["gc", "--keep", "1"]).code(0);
    assert!(
        ran.stdout.starts_with(&format!("kept generation 1 of {one}, rocm {FIRST}: it is current\n")),
        "{}",
        ran.all()
    );
    assert_eq!(generations(&project, "one"), (vec![1, 2], 1));
    // With an unreachable size, current generations and those of other projects stay, which is reported.
    let ran = project.run_beside("one", &["gc", "--max-size", "1K"]).code(0);
    assert!(ran.stdout.starts_with(&format!("removed generation 2 of {one}, rocm {SECOND}\n")), "{}", ran.all());
    assert!(
        ran.stderr
            .contains("more than the maximum of 1.00 kB: needed by current generations, generations of other projects"),
        "{}",
        ran.all()
    );
    assert_eq!((generations(&project, "one"), generations(&project, "two")), ((vec![1], 1), (vec![1, 2], 2)));
    let mut command = project.command(&["gc", "--keep", "1", "--all-profiles"]);
    let ran = project.finish(command.env("STRIXLOCK_PROFILE", "prod").output().unwrap()).code(0);
    assert!(ran.stdout.starts_with(&format!("removed generation 1 of {two}, rocm {SECOND}\n")), "{}", ran.all());
    assert_eq!((generations(&project, "one"), generations(&project, "two")), ((vec![1], 1), (vec![2], 2)));
    // Without a project, a rule applies to no generations.
    let ran = project.run(&["gc", "--keep", "1"]).code(0);
    assert!(ran.stderr.contains("so no rule drops any"), "{}", ran.all());
}

#[test]
fn links_below_a_prefix_follow_their_own_project() {
    let project = two_projects();
    let opt = project.path("opt");
    std::fs::create_dir_all(&opt).unwrap();
    let link = ["realize", "--prefix", opt.to_str().unwrap()];
    project.run_beside("one", &link).code(0);
    let led = || tree(&opt);
    let (one, before) = (profile(&project, "one").1, led());
    project.run_beside("two", &["rollback"]).code(0);
    project.run_beside("two", &["realize"]).code(0);
    assert_eq!((led(), tree(&one)), (before.clone(), before.clone()));
    project.run_beside("one", &["rollback"]).code(0);
    assert_ne!(led(), before);
    // A link made before there were profiles has the same target.
    std::fs::remove_file(opt.join("rocm")).unwrap();
    std::os::unix::fs::symlink(project.store("main").join("current/rocm"), opt.join("rocm")).unwrap();
    let ran = project.run_beside("one", &link).code(0);
    assert!(!ran.stderr.contains("opt/rocm"), "{}", ran.all());
    assert_eq!(std::fs::read_link(opt.join("rocm")).unwrap(), project.store("main").join("current/rocm"));
    assert_eq!(led(), tree(&one));
    // A project that takes over the link is told the previous one.
    let ran = project.run_beside("two", &link).code(0);
    assert!(
        ran.stderr
            .contains("opt/rocm pointed to [DIR]/stores/main/current/rocm: it now points to the generations of two-"),
        "{}",
        ran.all()
    );
    assert_eq!(std::fs::read_link(opt.join("rocm")).unwrap(), profile(&project, "two").1.join("rocm"));
    assert_eq!(std::fs::read_dir(&opt).unwrap().count(), 1);
}

#[test]
fn a_generation_that_lost_a_tree_is_made_again_as_the_hint_says() {
    let project = two_projects();
    let (name, current) = profile(&project, "one");
    let lost = tree(&current.with_file_name("generations").join("1"));
    let lost = lost.parent().unwrap();
    std::process::Command::new("rm").arg("-rf").arg(lost).status().unwrap();
    // From any directory.
    let ran = project.run(&["switch", "1", "--profile", &name]).code(7);
    let hint = ran.stderr.split('`').find(|part| part.starts_with("strixlock realize")).expect("there is no hint");
    let hint = hint.replace("[DIR]", project.directory.path().to_str().unwrap());
    let words: Vec<&str> = hint.split(' ').skip(1).collect();
    project.run(&words).code(0);
    assert!(lost.is_dir());
    assert_eq!(generations(&project, "one"), (vec![1, 2], 1));
    project.run(&["switch", "2", "--profile", &name]).code(0);
    assert_eq!(generations(&project, "two"), (vec![1, 2], 2));
    // The lock of a generation is removed with it, and does not block the collector.
    project.run_beside("one", &["gc", "--keep", "1"]).code(0);
    project.run_beside("one", &["gc"]).code(0);
}

#[test]
fn a_generation_without_its_record_is_damage_and_there_is_a_way_out() {
    let project = Project::realized(&[FIRST]);
    let profiles = project.store("main").join("profiles");
    let profile =
        std::fs::read_dir(&profiles).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let generation = profile.join("generations/1");
    std::fs::remove_file(generation.join("generation.json")).unwrap();
    for command in ["generations", "status", "realize"] {
        let ran = project.run(&[command]).code(7);
        assert!(ran.stderr.contains("the record of generation 1 is missing"), "{}", ran.all());
    }
    std::fs::remove_dir_all(generation).unwrap();
    project.run(&["realize"]).code(0);
    project.run(&["status"]).code(0);
}
