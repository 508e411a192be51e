//! Commits as people name them: releases and ranges of them, pull requests, refs, and the names that a commit has.

use super::repository::Made;
use crate::support::Project;

/// A repository with these tags, each on a commit of its own, oldest first. The last commit has several tags.
fn tagged(project: &Project, tags: &[&str]) -> Made {
    let made = Made::new(project, "/o/tagged.git");
    for (number, tag) in tags.iter().enumerate() {
        let file = made.blob(format!("content {number}").as_bytes());
        let commit = made.commit(made.tree(&[("100644", "a", file)]));
        for name in tag.split('=') {
            made.point(&format!("refs/tags/{name}"), commit);
        }
        made.point(&format!("refs/pull/{}/head", number + 1), commit);
    }
    made
}

const TAGS: [&str; 6] =
    ["v0.9.0=b11429", "v0.10.0=b11430", "b011431", "b99999999999999999999", "v1.0.0-rc.1", "b11433=v1.0=x"];

#[test]
fn a_release_is_the_newest_version_in_its_range() {
    let project = Project::empty();
    let made = tagged(&project, &TAGS);
    for (range, version) in [
        ("latest", "v1.0 = b11433"),
        ("<1", "v0.10.0 = b11430"),
        ("0.9", "v0.9.0 = b11429"),
        (">=1.0.0-rc.1, <1.0.0", "v1.0.0-rc.1 = b1"),
    ] {
        made.wanted(&project, &format!("release = \"{range}\""));
        let ran = project.run(&["update"]).code(0);
        assert!(ran.stdout.contains(version), "{range} {}", ran.all());
    }
    made.wanted(&project, "release = \"2\"");
    let ran = project.run(&["update"]).code(9);
    assert!(
        ran.stderr.contains("no release in the range `2`") && ran.stderr.contains("v1.0, v1.0.0-rc.1"),
        "{}",
        ran.all()
    );
}

#[test]
fn a_commit_shows_all_its_names_and_keeps_its_pin() {
    let project = Project::empty();
    let made = tagged(&project, &TAGS);
    made.wanted(&project, "tag = \"b11433\"");
    project.run(&["update"]).code(0);
    let lock = project.lock();
    assert!(lock.contains("\"v1.0\",\n          \"b11433\",\n          \"x\"\n"), "{lock}");
    project.run(&["audit"]).code(0);
    assert!(
        project.read("REPRODUCIBLE.md").contains("- tags: `v1.0, b11433, x`"),
        "{}",
        project.read("REPRODUCIBLE.md")
    );
    // A later tag does not change a pin.
    let commit =
        serde_json::from_str::<serde_json::Value>(&lock).unwrap()["inputs"]["source"]["locked"]["commit"].clone();
    made.point("refs/tags/v1.0.1", git2::Oid::from_str(commit.as_str().unwrap()).unwrap());
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), lock);
}

#[test]
fn the_distance_to_a_commit_that_was_never_fetched_is_said_to_be_unknown() {
    let project = Project::empty();
    let made = tagged(&project, &["one"]);
    made.wanted(&project, "");
    project.run(&["update"]).code(0);
    made.commit(made.tree(&[("100644", "a", made.blob(b"newer"))]));
    let ran = project.run(&["outdated"]).code(0);
    assert!(ran.stdout.contains("  distance of source unknown: its new commits are not fetched yet"), "{}", ran.all());
    let ran = project.run(&["update"]).code(0);
    assert!(!ran.stdout.contains("unknown"), "{}", ran.all());
}

#[test]
fn a_number_that_no_build_has_is_not_taken_from_a_tag() {
    let project = Project::empty();
    let made = tagged(&project, &TAGS);
    // Each commit is the first of its history.
    for tag in ["b011431", "b99999999999999999999"] {
        made.wanted(&project, &format!("tag = \"{tag}\""));
        project.run(&["update"]).code(0);
        assert!(project.lock().contains("\"number\": 1,"), "{}", project.lock());
    }
    made.wanted(&project, "tag = \"b011429\"");
    let ran = project.run(&["update"]).code(9);
    assert!(ran.stderr.contains("no tag b011429") && ran.stderr.contains("b11429"), "{}", ran.all());
}

#[test]
fn a_pull_request_is_pinned_by_its_commit_and_outlives_its_ref() {
    let project = Project::empty();
    let made = tagged(&project, &TAGS);
    for fields in ["pull = 2", "ref = \"refs/pull/2/head\""] {
        made.wanted(&project, fields);
        project.run(&["update"]).code(0);
        assert!(project.lock().contains("\"reference\": \"refs/pull/2/head\""), "{}", project.lock());
    }
    // The ref goes, and the store is another one: the commit is asked for by its id.
    git2::Repository::open_bare(&made.path).unwrap().find_reference("refs/pull/2/head").unwrap().delete().unwrap();
    project.write(
        "manifests/strix.toml",
        &format!(
            "{}\n[outputs.llama]\ntype = \"llama\"\nsource = \"source\"\nbackend = \"cpu\"\n",
            project.read("manifests/strix.toml")
        ),
    );
    project.run(&["--offline", "update"]).code(0);
    let ran = project.run_in_store("other", &["realize", "llama"]);
    assert!(ran.stderr.contains("`cmake -S /build/source"), "the sources were not fetched: {}", ran.all());
    made.wanted(&project, "pull = 2");
    let ran = project.run(&["update", "source"]).code(9);
    assert!(ran.stderr.contains("no pull request 2"), "{}", ran.all());
}

#[test]
fn fields_that_name_no_commit_are_refused_at_their_place() {
    let project = Project::empty();
    let made = tagged(&project, &TAGS[..1]);
    for (fields, why) in [
        ("pull = 0", "invalid number of a pull request"),
        ("pull = \"7\"", "`pull` must be the number of a pull request"),
        ("ref = \"pull/7/head\"", "a ref is given by its full name"),
        ("ref = \"refs/../x\"", "a ref is given by its full name"),
        ("release = \"newest\"", "invalid range of versions"),
        ("release = \"latest\"\ntag = \"b1\"", "only one of"),
    ] {
        made.wanted(&project, fields);
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains(why), "{fields} {}", ran.all());
    }
}
