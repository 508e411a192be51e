//! Remotes with damaged, truncated or exchanged bytes: named, and nothing wrong in the store.

use super::registry::Registry;
use super::{elsewhere, pinned, shared};
use crate::support::{FIRST, Project, SECOND};

/// Runs `pull` in an empty store. Fails unless it fails with this code, and leaves no tree.
#[track_caller]
fn pull_fails(project: &Project, code: i32, wanted: &str) {
    let ran = elsewhere(project, &["pull", "rocm"]).code(code);
    assert!(ran.stderr.contains(wanted), "{}", ran.all());
    assert!(!project.published("other").iter().any(|name| name.starts_with("trees/") || name.starts_with("outputs/")));
    // `realize` says so, and takes the tarball.
    let ran = project.run_in_store("third", &["realize", "--json"]).code(0);
    assert!(ran.stderr.contains("passed over the remote team for rocm"), "{}", ran.stderr);
    assert_eq!(ran.tree("rocm"), pinned(project));
    std::fs::rename(project.store("third"), project.directory.path().join("used")).unwrap();
}

fn pushed() -> (Project, Registry) {
    let (project, registry) = shared(FIRST);
    project.run(&["push", "rocm"]).code(0);
    (project, registry)
}

#[test]
fn a_damaged_pack_is_named() {
    let (project, registry) = pushed();
    let pack = registry.pack();
    let good = std::fs::read(&pack).unwrap();
    let mut bytes = good.clone();
    for byte in bytes.iter_mut().skip(1000).step_by(50_000) {
        *byte ^= 1;
    }
    std::fs::write(&pack, &bytes).unwrap();
    pull_fails(&project, 5, "the remote's copy of a file is damaged");
    let verified = project.run(&["remote", "verify", "--json"]).code(7).json();
    let faults = verified["verified"]["faults"].as_array().unwrap().clone();
    assert!(faults.iter().any(|fault| fault["fault"] == "the bytes of the pack are damaged"), "{faults:#?}");
    assert!(faults.iter().any(|fault| fault["about"].as_str().unwrap().starts_with("rocm: ")), "{faults:#?}");
    // Once it is whole again, the next run goes on where this one was.
    std::fs::write(&pack, good).unwrap();
    elsewhere(&project, &["pull", "rocm"]).code(0);
    elsewhere(&project, &["verify"]).code(0);
}

/// Damages a file without changing its size.
fn damage(file: &std::path::Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn what_is_damaged_is_sent_again_as_verify_says() {
    let (project, registry) = pushed();
    let first = project.lock();
    project.realize_rocm(SECOND);
    project.run(&["push", "rocm"]).code(0);
    let whole = registry.blobs();
    let listing = whole.iter().filter(|blob| std::fs::read(blob).unwrap().starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
    let small = listing.min_by_key(|blob| blob.metadata().unwrap().len()).unwrap();
    for (blob, trees) in [(registry.pack(), 2), (small.clone(), 1)] {
        damage(&blob);
        let told = project.run(&["remote", "verify"]).code(7).stdout;
        assert!(told.contains("`strixlock remote verify team --remove-damaged` removes what needs it"), "{told}");
        // The registry says that it has it.
        project.run(&["push", "rocm"]).code(0);
        project.run(&["remote", "verify"]).code(7);
        let told = project.run(&["remote", "verify", "team", "--remove-damaged"]).code(7).stdout;
        assert_eq!(told.matches("\nremoved tree-").count(), trees, "{told}");
        assert!(
            told.contains("\nlet the registry collect its garbage: for docker-registry, `registry garbage-collect ")
        );
        assert!(told.contains("\n`strixlock push --to team` sends outputs again"), "{told}");
        let configuration = project.directory.path().join("registry.yml");
        let mut collect = std::process::Command::new("docker-registry");
        assert!(collect.arg("garbage-collect").arg(configuration).output().unwrap().status.success());
        for lock in [&first, &project.lock()] {
            project.write("lock/other.lock", lock);
            project.run(&["--lock", "lock/other.lock", "push", "rocm", "--to", "team"]).code(0);
        }
        project.run(&["remote", "verify"]).code(0);
    }
    elsewhere(&project, &["pull", "rocm"]).code(0);
    elsewhere(&project, &["verify"]).code(0);
}

#[test]
fn a_truncated_pack_is_named() {
    let (project, registry) = pushed();
    let pack = registry.pack();
    let size = pack.metadata().unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&pack).unwrap().set_len(size / 2).unwrap();
    pull_fails(&project, 5, "the server sent another part of the file than it was asked for");
}

#[test]
fn a_tag_that_leads_to_another_tree_is_named() {
    let (project, registry) = pushed();
    let first = pinned(&project);
    project.realize_rocm(SECOND);
    project.run(&["push", "rocm"]).code(0);
    let second = pinned(&project);
    let tag =
        |tree: &str| format!("docker://{}/team/strix:tree-{}", registry.address, tree.trim_start_matches("sha256:"));
    let mut copy = std::process::Command::new("skopeo");
    copy.args(["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"])
        .args([tag(&first), tag(&second)]);
    let ran = copy.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    pull_fails(&project, 5, "the remote has another tree under this name");
    // A push puts it right.
    project.run(&["push", "rocm"]).code(0);
    elsewhere(&project, &["pull", "rocm"]).code(0);
}
