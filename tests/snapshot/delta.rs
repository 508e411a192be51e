//! Snapshots that leave out what the receiver has.

use std::process::Command;

use super::{run, two_nightlies};
use crate::support::Project;

/// Saves the newer nightly beside the older one. Returns both sizes.
fn saved(project: &Project) -> (u64, u64) {
    let size = |arguments: &[&str]| {
        let ran = project.run(&[&["snapshot", "save"], arguments, &["--json"]].concat()).code(0);
        ran.json()["size"].as_u64().unwrap()
    };
    let old = project.run(&["realize", "--json"]).code(0).tree("old");
    let whole = size(&["new", "new.tar.zst"]);
    size(&["old", "old.tar.zst"]);
    (whole, size(&["new", "delta.tar.zst", "--beside", &old]))
}

#[test]
fn a_delta_gives_the_tree_back_where_its_base_is_and_nowhere_else() {
    let project = two_nightlies();
    let (whole, delta) = saved(&project);
    assert!(delta * 10 < whole * 6, "{delta} of {whole}");
    let ran = project.run_in_store("bare", &["snapshot", "restore", "delta.tar.zst"]).code(9);
    assert!(ran.stderr.contains("the store lacks contents that the snapshot leaves out"), "{}", ran.all());
    assert_eq!(project.published("bare"), Vec::<String>::new());
    // Equal on any machine, as all snapshots.
    let first = std::fs::read(project.path("delta.tar.zst")).unwrap();
    saved(&project);
    assert!(std::fs::read(project.path("delta.tar.zst")).unwrap() == first);

    project.run_in_store("base", &["snapshot", "restore", "old.tar.zst"]).code(0);
    project.run_in_store("base", &["snapshot", "restore", "delta.tar.zst"]).code(0);
    project.run_in_store("base", &["verify"]).code(0);
    let there = project.run_in_store("base", &["realize", "--offline", "--json"]).code(0);
    assert_eq!(there.tree("new"), project.run(&["realize", "--json"]).code(0).tree("new"));
    // Contents that occur twice stand there once.
    let once = project.run(&["snapshot", "save", "once.tar.zst", "--delta", "--json"]).code(0).json();
    let twice = project.run(&["snapshot", "save", "twice.tar.zst", "--json"]).code(0).json();
    assert!(once["size"].as_u64() < twice["size"].as_u64(), "{once:#} {twice:#}");
    project.run_in_store("once", &["snapshot", "restore", "once.tar.zst"]).code(0);
    project.run_in_store("once", &["verify"]).code(0);
    let unknown = format!("sha256:{}", "0".repeat(64));
    project.run(&["snapshot", "save", "x.tar.zst", "--beside", &unknown]).code(9);
}

#[test]
fn a_cold_base_is_unpacked_for_a_delta() {
    let project = two_nightlies();
    saved(&project);
    project.run_in_store("base", &["snapshot", "restore", "old.tar.zst"]).code(0);
    project.run_in_store("base", &["realize", "old", "--offline"]).code(0);
    project.run_in_store("base", &["realize", "new"]).code(0);
    project.run_in_store("base", &["store", "pack", "--keep-hot", "1"]).code(0);
    project.run_in_store("base", &["snapshot", "restore", "delta.tar.zst"]).code(0);
    project.run_in_store("base", &["verify"]).code(0);
}

#[test]
fn a_forged_delta_publishes_nothing() {
    let project = two_nightlies();
    saved(&project);
    let directory = project.path("forged");
    std::fs::create_dir(&directory).unwrap();
    run(Command::new("tar").args(["--zstd", "-xf"]).arg(project.path("delta.tar.zst")).arg("-C").arg(&directory));
    project.run_in_store("base", &["snapshot", "restore", "old.tar.zst"]).code(0);
    let before = project.published("base");
    let refused = |code: i32, said: &str| {
        // `new/` itself is no entry.
        let parts = std::fs::read_dir(directory.join("new")).unwrap();
        let parts = parts.map(|part| format!("new/{}", part.unwrap().file_name().to_str().unwrap()));
        let mut tar = Command::new("tar");
        tar.args(["--format=gnu", "--zstd", "-cf"]).arg(project.path("forged.tar.zst")).arg("-C").arg(&directory);
        run(tar.args(["strixlock-snapshot.json", "new.listing"]).args(parts));
        let ran = project.run_in_store("base", &["snapshot", "restore", "forged.tar.zst"]).code(code);
        assert!(ran.stderr.contains(said), "{}", ran.all());
        assert_eq!(project.published("base"), before);
    };
    let index = directory.join("strixlock-snapshot.json");
    let text = std::fs::read_to_string(&index).unwrap();
    let file = crate::support::files(&directory.join("new")).into_iter().find(|path| {
        let found = std::fs::symlink_metadata(path).unwrap();
        found.is_file() && found.len() > 0
    });
    let file = file.unwrap();
    let good = std::fs::read(&file).unwrap();
    let mut bad = good.clone();
    bad[0] ^= 1;
    std::fs::write(&file, bad).unwrap();
    refused(5, "differs from the listing");
    std::fs::remove_file(&file).unwrap();
    refused(9, "the store lacks contents");
    std::fs::write(&file, &good).unwrap();
    std::fs::write(&index, text.replace("strixlock-snapshot 2", "strixlock-snapshot 1")).unwrap();
    refused(3, "unknown format");
    std::fs::write(&index, text.replace("strixlock-snapshot 2", "strixlock-snapshot 3")).unwrap();
    refused(3, "unknown format");
    std::fs::write(&index, &text).unwrap();
    let link = crate::support::files(&directory.join("new")).into_iter().find(|path| path.is_symlink()).unwrap();
    std::fs::remove_file(link).unwrap();
    refused(5, "an entry is missing in the snapshot");
}
