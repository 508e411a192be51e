//! `strixlock store pack`: cold trees share chunks, and are the same after thawing.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::support::{Project, files};

/// Two nightlies, one after the other, with all outputs.
fn two_generations() -> Project {
    let project = Project::new();
    for version in ["10.1.0a20260901", "10.1.0a20260902"] {
        project.full_manifest(version);
        project.run(&["update"]).code(0);
        project.run(&["realize"]).code(0);
    }
    project
}

/// A store in which one nightly is packed.
fn one_packed() -> Project {
    let project = Project::new();
    project.rocm_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project.run(&["store", "pack", "--keep-hot", "0"]).code(0);
    project
}

fn tree_of(project: &Project, generation: u64, output: &str) -> PathBuf {
    let link = project.profile().join(format!("generations/{generation}/{output}"));
    link.parent().unwrap().join(std::fs::read_link(&link).unwrap())
}

#[test]
fn what_is_not_in_use_becomes_cold_and_rollback_brings_it_back() {
    let project = two_generations();
    let (old, new) = (tree_of(&project, 1, "rocm"), tree_of(&project, 2, "rocm"));
    let before = project.run(&["store", "--json"]).code(0).json();
    // Copies with hard links into the store do not keep blobs from being removed.
    project.run(&["realize", "--to", "copies", "--link-mode", "hardlink"]).code(0);
    let packed = project.run(&["store", "pack", "--keep-hot", "1", "--json"]).code(0).json();
    assert!(packed["packed"]["freed"].as_u64().unwrap() > 0, "{packed:#}");
    assert!(!old.exists() && new.exists());
    let blobs = files(&project.store("main").join("blobs"));
    let needed = files(&project.store("main").join("trees"));
    let needed: Vec<u64> = needed.iter().map(|file| std::fs::symlink_metadata(file).unwrap().ino()).collect();
    for blob in blobs {
        assert!(needed.contains(&std::fs::metadata(&blob).unwrap().ino()), "{}", blob.display());
    }
    let after = project.run(&["store", "--json"]).code(0).json();
    assert_eq!(before["usage"]["logical"], after["usage"]["logical"]);
    let cold: Vec<_> = after["usage"]["trees"].as_array().unwrap().iter().filter(|tree| tree["cold"] == true).collect();
    assert!(!cold.is_empty() && cold.iter().all(|tree| tree["adds"].as_u64() < tree["size"].as_u64()), "{after:#}");
    // The second time there is nothing to do, and no chunk of a cold tree is garbage.
    assert_eq!(project.run(&["store", "pack", "--keep-hot", "1"]).code(0).stdout, "nothing to pack\n");
    project.run(&["gc"]).code(0);
    project.run(&["verify"]).code(0);
    assert!(project.run(&["diff", "1", "2"]).code(0).stdout.contains("rocm"));

    project.run(&["rollback"]).code(0);
    assert!(old.is_dir());
    project.run(&["verify"]).code(0);
    // The result is as if it had never been packed: the same files, read-only, shared with the newer nightly.
    let mut shared = 0;
    for file in files(&new).into_iter().filter(|file| !file.is_symlink()) {
        let other = old.join(file.strip_prefix(&new).unwrap());
        if std::fs::read(&file).ok() == std::fs::read(&other).ok() {
            let (one, other) = (std::fs::metadata(&file).unwrap(), std::fs::metadata(&other).unwrap());
            assert_eq!((one.ino(), one.mode() & 0o222), (other.ino(), 0), "{}", file.display());
            shared += 1;
        }
    }
    assert!(shared > 3, "{shared}");
}

#[test]
fn realize_brings_cold_outputs_back_without_network_and_gc_drops_their_chunks() {
    let project = two_generations();
    let old_lock = std::fs::read_to_string(project.profile().join("generations/1/strix.lock")).unwrap();
    project.run(&["store", "pack", "--keep-hot", "0"]).code(0);
    project.write("lock/old.lock", &old_lock);
    let plan = project.run(&["realize", "--lock", "lock/old.lock", "--dry-run"]).code(0);
    assert!(plan.stdout.contains("unpack") && !plan.stdout.contains("make"), "{}", plan.all());
    project.run(&["realize", "--lock", "lock/old.lock", "--offline"]).code(0);
    assert!(tree_of(&project, 1, "runtime").is_dir());
    // The chunks of a hot tree are not needed any more.
    project.run(&["store", "pack", "--keep-hot", "0"]).code(0);
    assert!(!files(&project.store("main").join("chunks")).is_empty());
    for path in ["lock/old.lock", "lock/strix.lock"] {
        std::fs::remove_file(project.path(path)).unwrap();
    }
    project.run(&["switch", "2"]).code(0);
    project.run(&["gc", "--keep", "1"]).code(0);
    project.run(&["verify"]).code(0);
    assert_eq!(files(&project.store("main").join("chunks")), Vec::<PathBuf>::new());
}

#[test]
fn a_damaged_chunk_is_named_by_the_files_it_hits_and_fetched_again() {
    let project = one_packed();
    let chunks = files(&project.store("main").join("chunks"));
    let largest = chunks.iter().max_by_key(|path| std::fs::metadata(path).unwrap().len()).unwrap();
    std::fs::remove_file(largest).unwrap();
    let ran = project.run(&["verify"]).code(7);
    assert!(ran.stdout.contains("damaged"), "{}", ran.all());
    let ran = project.run(&["realize"]).code(7);
    assert!(ran.stderr.contains("chunks/") && ran.stderr.contains("verify --repair"), "{}", ran.all());
    project.run(&["verify", "--repair"]).code(0);
    project.run(&["verify"]).code(0);
    project.run(&["realize", "--offline"]).code(0);
}

#[test]
fn neither_a_damaged_tree_nor_one_that_a_process_stands_in_is_packed() {
    let project = two_generations();
    let old = std::fs::canonicalize(tree_of(&project, 1, "rocm")).unwrap();
    let mut standing = std::process::Command::new("sleep").arg("600").current_dir(old.join("bin")).spawn().unwrap();
    let ran = project.run(&["store", "pack", "--keep-hot", "1"]);
    let there = old.is_dir();
    standing.kill().unwrap();
    standing.wait().unwrap();
    assert!(there, "{}", ran.all());

    let file = old.join("bin/rocminfo");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(&file, bytes).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o555)).unwrap();
    let ran = project.run(&["store", "pack", "--keep-hot", "1"]).code(7);
    assert!(ran.stderr.contains("bin/rocminfo"), "{}", ran.all());
    assert!(old.is_dir());
}

/// Changes a byte as a failing disk does: size, time and mode stay.
fn rot(file: &Path) {
    let before = std::fs::metadata(file).unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(file, bytes).unwrap();
    std::fs::File::options().write(true).open(file).unwrap().set_modified(before.modified().unwrap()).unwrap();
    std::fs::set_permissions(file, before.permissions()).unwrap();
}

#[test]
fn rotten_chunks_do_not_take_the_place_of_whole_contents() {
    let project = one_packed();
    for chunk in files(&project.store("main").join("chunks")) {
        rot(&chunk);
    }
    project.run(&["verify"]).code(7);
    // Restored from the kept download. Its chunks are still there.
    project.run(&["verify", "--repair"]).code(0);
    project.run(&["store", "pack", "--keep-hot", "0"]).code(0);
    std::fs::remove_dir_all(project.store("main").join("downloads")).unwrap();
    project.run(&["verify"]).code(0);
    project.run(&["realize", "--offline"]).code(0);
}

#[test]
fn a_cold_tree_whose_index_is_lost_is_fetched_again() {
    let project = one_packed();
    let indexes: Vec<PathBuf> =
        files(&project.store("main").join("trees")).into_iter().filter(|file| file.ends_with("cold")).collect();
    assert_eq!(indexes.len(), 1);
    std::fs::write(&indexes[0], "x").unwrap();
    let ran = project.run(&["verify"]).code(7);
    assert!(ran.stdout.contains("damaged bin/rocminfo\n"), "{}", ran.all());
    project.run(&["verify", "--repair"]).code(0);
    project.run(&["verify"]).code(0);
    project.run(&["realize", "--offline"]).code(0);
}
