//! `strixlock snapshot`: equal locks give equal files, and a file gives its trees back.

mod cold;
mod delta;

use std::path::Path;
use std::process::Command;

use crate::support::Project;

/// A lock with two nightlies, one of them a changed one, both realized in `main`.
fn two_nightlies() -> Project {
    let project = Project::new();
    let index = project.index();
    let input = |name: &str, version: &str| {
        format!(
            "[inputs.{name}]\ntype = \"rocm\"\ntarget = \"gfx1151\"\nversion = \"{version}\"\nsources = [\"{index}\"]\n\n\
             [outputs.{name}]\ntype = \"rocm\"\ninput = \"{name}\"\nprefix = \"/opt/{name}\"\n\n"
        )
    };
    let text = format!("requires = \">=0.1\"\n{}{}", input("new", "10.1.0a20260902"), input("old", "10.1.0a20260901"));
    project.write("manifests/strix.toml", &text);
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    project
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn two_stores_and_any_number_of_threads_give_one_file_and_it_gives_the_trees_back() {
    let project = two_nightlies();
    project.run_in_store("deeper/down/other", &["realize"]).code(0);
    project.run(&["snapshot", "save", "a.tar.zst", "--threads", "1"]).code(0);
    let saved = project
        .run_in_store("deeper/down/other", &["snapshot", "save", "old", "new", "b.tar.zst", "--threads", "3", "--json"])
        .code(0)
        .json();
    let (a, b) = (std::fs::read(project.path("a.tar.zst")).unwrap(), std::fs::read(project.path("b.tar.zst")).unwrap());
    assert!(a == b, "{} and {} bytes", a.len(), b.len());
    assert_eq!(saved["size"].as_u64().unwrap(), a.len() as u64);

    // Without the upstream and with an empty store: what the lock names is there, and nothing is fetched.
    let lock = project.lock();
    project.run_in_store("fresh", &["snapshot", "restore", "a.tar.zst"]).code(0);
    let plan = project.run_in_store("fresh", &["realize", "--dry-run", "--json"]).code(0).json();
    assert!(plan["steps"].as_array().unwrap().iter().all(|step| step["action"]["do"] == "have"), "{plan:#}");
    let again = project.run_in_store("fresh", &["realize", "--offline", "--json"]).code(0);
    let first = project.run(&["realize", "--json"]).code(0);
    for name in ["new", "old"] {
        assert_eq!(again.tree(name), first.tree(name));
    }
    project.run_in_store("fresh", &["verify"]).code(0);
    assert_eq!(project.lock(), lock);
}

#[test]
fn tar_unpacks_it_to_the_tree_that_realize_copies() {
    let project = two_nightlies();
    project.run(&["snapshot", "save", "new", "new.tar.zst", "--long", "--level", "9"]).code(0);
    let by_tar = project.path("by-tar");
    std::fs::create_dir(&by_tar).unwrap();
    let mut tar = Command::new("tar");
    run(tar.args(["--zstd", "-xf"]).arg(project.path("new.tar.zst")).arg("-C").arg(&by_tar));
    // No lock is needed to write a copy.
    std::fs::remove_file(project.path("lock/strix.lock")).unwrap();
    project.run_in_store("fresh", &["snapshot", "restore", "new.tar.zst", "--to", "by-us"]).code(0);
    // As it was before there were deltas.
    let index = std::fs::read_to_string(by_tar.join("strixlock-snapshot.json")).unwrap();
    assert!(index.starts_with(
        "{\n  \"format\": \"strixlock-snapshot 1\",\n  \"outputs\": [\n    {\n      \"name\": \"new\",\n"
    ));
    assert!(index.ends_with("\"\n    }\n  ]\n}"), "{index}");
    let (by_tar, by_us) = (by_tar.join("new"), project.path("by-us/new"));
    run(Command::new("diff").arg("-r").args([&by_tar, &by_us]));
    let about = |tree: &Path| {
        let find = ["-mindepth", "1", "-printf", "%P %m %T@ %y %l\n"];
        let mut lines: Vec<String> =
            run(Command::new("find").arg(tree).args(find)).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    // Modes and times too.
    assert_eq!(about(&by_tar), about(&by_us));
    assert!(project.run(&["snapshot", "restore", "new.tar.zst"]).code(9).stderr.contains("strix.lock"));
}

#[test]
fn two_nightlies_in_one_archive_share_what_they_have_in_common() {
    let project = two_nightlies();
    let size = |arguments: &[&str]| {
        let saved = project.run(&[&["snapshot", "save"], arguments, &["out.tar.zst", "--long", "--json"]].concat());
        saved.code(0).json()["size"].as_u64().unwrap()
    };
    let (old, both) = (size(&["old"]), size(&[]));
    assert!(both * 10 < old * 18, "one {old}, both {both}");
}

#[test]
fn a_snapshot_that_is_not_what_it_says_publishes_nothing() {
    let project = two_nightlies();
    project.run(&["snapshot", "save", "new", "new.tar.zst"]).code(0);
    let whole = std::fs::read(project.path("new.tar.zst")).unwrap();
    let refused = |bytes: &[u8], code: i32| {
        std::fs::write(project.path("bad.tar.zst"), bytes).unwrap();
        let ran = project.run_in_store("bad", &["snapshot", "restore", "bad.tar.zst"]).code(code);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.all());
        assert_eq!(project.published("bad"), Vec::<String>::new());
    };
    refused(&whole[..whole.len() / 2], 5);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    refused(&flipped, 5);
    refused(b"", 3);
    refused(b"not an archive", 5);

    // A well-formed archive with one changed byte in a file, which only the digest shows.
    let directory = project.path("forged");
    std::fs::create_dir(&directory).unwrap();
    run(Command::new("tar").args(["--zstd", "-xf"]).arg(project.path("new.tar.zst")).arg("-C").arg(&directory));
    let file = directory.join("new/bin/rocminfo");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let pack = |heads: &[&str]| {
        let parts = std::fs::read_dir(directory.join("new")).unwrap();
        let parts = parts.map(|part| format!("new/{}", part.unwrap().file_name().to_str().unwrap()));
        let mut tar = Command::new("tar");
        tar.args(["--format=gnu", "--zstd", "-cf"]).arg(project.path("forged.tar.zst"));
        run(tar.arg("-C").arg(&directory).args(heads).args(parts));
        std::fs::read(project.path("forged.tar.zst")).unwrap()
    };
    refused(&pack(&["strixlock-snapshot.json", "new.listing"]), 5);
    // Out of order, and with an entry too many.
    refused(&pack(&["new.listing", "strixlock-snapshot.json"]), 3);
    std::fs::write(directory.join("new/extra"), "x").unwrap();
    refused(&pack(&["strixlock-snapshot.json", "new.listing"]), 3);

    // Only outputs in the store can be saved.
    let ran = project.run_in_store("bad", &["snapshot", "save", "new", "none.tar.zst"]).code(9);
    assert!(ran.stderr.contains("strixlock realize new"), "{}", ran.all());
}

#[test]
fn a_whole_snapshot_of_another_tree_than_the_lock_names_is_refused() {
    let project = two_nightlies();
    let realized = project.run(&["realize", "--json"]).code(0);
    let (sealed, other) = (realized.tree("new"), realized.tree("old"));
    project.run(&["snapshot", "save", "new", "new.tar.zst"]).code(0);
    let directory = project.path("forged");
    std::fs::create_dir(&directory).unwrap();
    run(Command::new("tar").args(["--zstd", "-xf"]).arg(project.path("new.tar.zst")).arg("-C").arg(&directory));
    let index = directory.join("strixlock-snapshot.json");
    std::fs::write(&index, std::fs::read_to_string(&index).unwrap().replace(&sealed, &other)).unwrap();
    run(Command::new("tar")
        .args(["--zstd", "-cf"])
        .arg(project.path("forged.tar.zst"))
        .arg("-C")
        .arg(&directory)
        .args(["strixlock-snapshot.json", "new.listing", "new"]));
    let ran = project.run_in_store("bad", &["snapshot", "restore", "forged.tar.zst"]).code(6);
    assert!(ran.stderr.contains(&sealed) && ran.stderr.contains(&other), "{}", ran.all());
    assert_eq!(project.published("bad"), Vec::<String>::new());
}

#[test]
fn damage_in_the_store_does_not_get_into_a_snapshot() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = two_nightlies();
    let file = std::fs::canonicalize(project.store("main").join("current/new/bin/rocminfo")).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let ran = project.run(&["snapshot", "save", "new", "new.tar.zst"]).code(7);
    assert!(ran.stderr.contains("bin/rocminfo") && ran.stderr.contains("verify --repair"), "{}", ran.all());
    assert!(!project.path("new.tar.zst").exists());
}

#[test]
fn what_was_made_here_does_not_give_way_where_no_seal_speaks_for_the_snapshot() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    let realized = project.run(&["realize", "--json"]).code(0);
    let (made, other) = (realized.tree("llama"), realized.tree("rocm"));
    project.run(&["snapshot", "save", "llama", "llama.tar.zst"]).code(0);
    project.run(&["snapshot", "restore", "llama.tar.zst"]).code(0);
    // As if the build here had given a different tree.
    let outputs = std::fs::read_dir(project.store("main").join("outputs")).unwrap();
    let mut records = outputs.map(|output| output.unwrap().path().join("output.json"));
    let record = records.find(|record| std::fs::read_to_string(record).unwrap().contains(&made)).unwrap();
    let text = std::fs::read_to_string(&record).unwrap().replace(&made, &other);
    std::fs::write(&record, &text).unwrap();
    let ran = project.run(&["snapshot", "restore", "llama.tar.zst"]).code(6);
    assert!(ran.stderr.contains(&made) && ran.stderr.contains(&other), "{}", ran.all());
    assert_eq!(std::fs::read_to_string(&record).unwrap(), text);
}
