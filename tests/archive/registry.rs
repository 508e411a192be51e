//! Archives in a registry: what one machine sends there, another realizes from there.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use serde_json::{Value, json};
use strixlock_ground::digest::Sha256Digest;

use super::{of_all_kinds, tarball};
use crate::remote::registry::{Registry, Relay};
use crate::support::{FIRST, Project, Ran, SECOND, files};

/// The archive in a registry at this address.
fn archive(address: &str) -> String {
    format!("oci://{address}/team/archive")
}

/// A project with this nightly in the store `main`, and an archive of its lock in a registry.
fn archived(version: &str) -> (Project, Registry, String) {
    let project = Project::realized(&[version]);
    let registry = Registry::start(project.directory.path());
    let to = archive(&registry.address);
    project.run(&["archive", "--to", &to]).code(0);
    (project, registry, to)
}

/// Realizes a lock in a store of its own from an archive, in a directory that is no project, without a network.
fn realize_offline(project: &Project, store: &str, lock: &str, from: &str) -> Ran {
    let elsewhere = project.directory.path().join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    let mut command = project.command(&["realize", "--lock", lock, "--from", from, "--offline", "--json"]);
    command.current_dir(elsewhere).env("STRIXLOCK_STORE", project.store(store));
    project.finish(command.output().unwrap())
}

/// Fails unless realizing fails with this code and these words, and leaves nothing in the store.
#[track_caller]
fn realize_fails(project: &Project, store: &str, from: &str, code: i32, words: &str) -> Ran {
    let ran = project.run_in_store(store, &["realize", "--from", from, "--offline"]).code(code);
    assert!(ran.stderr.contains(words), "{}", ran.all());
    let made = project.published(store);
    assert!(!made.iter().any(|name| name.starts_with("trees/") || name.starts_with("outputs/")), "{made:?}");
    ran
}

/// All files of a registry, with the times of their last changes.
fn stored(project: &Project) -> Vec<(PathBuf, SystemTime)> {
    let all = files(&project.directory.path().join("registry"));
    all.into_iter().map(|path| (path.clone(), path.metadata().unwrap().modified().unwrap())).collect()
}

/// The faults that `archive verify` finds.
fn faults(project: &Project, from: &str) -> Vec<Value> {
    let verified = project.run(&["archive", "verify", from, "--json"]).code(7).json();
    verified["verified"]["faults"].as_array().unwrap().clone()
}

/// The digest of the tarball that the lock pins.
fn pinned_tarball(project: &Project) -> Sha256Digest {
    let lock: Value = serde_json::from_str(&project.lock()).unwrap();
    lock["inputs"]["rocm"]["locked"]["sha256"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_lock_of_all_kinds_is_realized_from_a_registry_alone() {
    let mut project = of_all_kinds();
    let here = project.run(&["realize", "--json"]).code(0);
    let registry = Registry::start(project.directory.path());
    let to = archive(&registry.address);
    let ran = project.run(&["archive", "--to", &to, "--json"]).code(0).json();
    assert_eq!((ran["added"][0]["files"].as_u64(), ran["added"][0]["there"].as_u64()), (Some(6), Some(0)), "{ran:#}");
    assert_eq!((&ran["archive"], &ran["locks"]), (&json!(to), &json!(1)));
    // What is there is not sent again.
    let before = stored(&project);
    let again = project.run(&["archive", "--to", &to, "--offline"]).code(0).stdout;
    assert!(again.contains(&format!(": nothing new, 6 there\n{to}: 1 lock\n")), "{again}");
    assert!(stored(&project) == before);
    let verified = project.run(&["archive", "verify", &to, "--json"]).code(0).json();
    assert_eq!((&verified["verified"]["files"], &verified["verified"]["locks"]), (&json!(6), &json!(1)));
    let listed = project.run(&["archive", "list", &to, "--json"]).code(0).json();
    assert_eq!(listed["locks"][0]["inputs"]["rocm"], FIRST, "{listed:#}");
    assert_eq!(
        (&listed["locks"][0]["missing"], &listed["locks"][0]["bytes"]),
        (&json!(0), &verified["verified"]["bytes"])
    );

    // From now on there is nothing but the registry and the lock.
    drop(project.upstream.take());
    project.write("kept.lock", &project.lock());
    let lock = project.path("kept.lock").to_str().unwrap().to_owned();
    let there = realize_offline(&project, "other", &lock, &to).code(0);
    for output in ["rocm", "model", "laid"] {
        assert_eq!(there.tree(output), here.tree(output));
    }
    assert_eq!(there.json()["from"]["lacking"], json!([]));
    // What no lock names is not kept beside what it became: packs, and the directory.
    let inputs = serde_json::from_str::<Value>(&project.lock()).unwrap()["inputs"].to_string();
    let kept = project
        .published("other")
        .into_iter()
        .filter_map(|name| Some(name.strip_prefix("downloads/sha256/")?.to_owned()));
    let kept: Vec<String> = kept.collect();
    assert!(!kept.is_empty() && kept.iter().all(|digest| inputs.contains(digest)), "{kept:?} of {inputs}");
    drop(registry);
    realize_offline(&project, "third", &lock, &to).code(8);
}

#[test]
fn a_layout_that_another_tool_copies_to_a_registry_is_an_archive_of_the_same_bytes() {
    let project = Project::realized(&[FIRST]);
    project.run(&["archive", "--to", "oci-layout:kept"]).code(0);
    let registry = Registry::start(project.directory.path());
    let to = archive(&registry.address);
    let tag = format!("lock-{}", &Sha256Digest::of(project.lock().as_bytes()).hex()[..12]);
    let mut copy = Command::new("skopeo");
    copy.args(["copy", "--quiet", "--dest-tls-verify=false", &format!("oci:{}:{tag}", project.path("kept").display())]);
    let ran = copy.arg(format!("docker://{}/team/archive:{tag}", registry.address)).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let before = stored(&project);
    let ran = project.run(&["archive", "--to", &to, "--json"]).code(0).json();
    assert_eq!((&ran["added"][0]["new"], &ran["added"][0]["there"]), (&json!(false), &json!(1)), "{ran:#}");
    assert!(stored(&project) == before, "the manifest is the same");
    project.run_in_store("fresh", &["realize", "--from", &to, "--offline"]).code(0);
}

#[test]
fn nightlies_send_only_what_is_new_and_a_lock_can_be_dropped() {
    let (project, registry, to) = archived(FIRST);
    let first = project.lock();
    project.realize_rocm(SECOND);
    let ran = project.run(&["archive", "--to", &to, "--all-generations", "--json"]).code(0).json();
    let files: Vec<_> = ran["added"].as_array().unwrap().iter().map(|one| &one["files"]).collect();
    assert_eq!((files, &ran["locks"]), (vec![&json!(0), &json!(1)], &json!(2)), "{ran:#}");
    let blobs = registry.blobs().len();
    let drop = ["archive", "prune", &to, "--drop", &Sha256Digest::of(first.as_bytes()).hex()[..10]];
    let would = project.run(&[&drop[..], &["--dry-run"]].concat()).code(0).stdout;
    assert!(would.contains("would remove lock "), "{would}");
    project.run(&drop).code(0);
    project.run(&["archive", "prune", &to, "--drop", "zz"]).code(9);
    assert_eq!(project.run(&["archive", "prune", &to]).code(0).stdout, "nothing to remove\n");
    assert_eq!(project.run(&["archive", "list", &to, "--json"]).code(0).json()["locks"].as_array().unwrap().len(), 1);
    // The registry frees what no lock needs.
    let configuration = project.directory.path().join("registry.yml");
    let mut collect = Command::new("docker-registry");
    assert!(collect.arg("garbage-collect").arg(configuration).output().unwrap().status.success());
    assert!(registry.blobs().len() < blobs);
    project.run(&["archive", "verify", &to]).code(0);
    project.run_in_store("fresh", &["realize", "--from", &to, "--offline"]).code(0);
    project.write("lock/strix.lock", &first);
    realize_fails(&project, "none", &to, 9, "the archive has nothing of what this lock needs");
}

#[test]
fn wrong_bytes_in_a_registry_are_named_and_none_reach_the_store() {
    let (project, registry, to) = archived(FIRST);
    let digest = pinned_tarball(&project);
    let blob = registry.blobs().into_iter().find(|path| path.display().to_string().contains(&digest.hex())).unwrap();
    let good = std::fs::read(&blob).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    std::fs::write(&blob, &bad).unwrap();
    realize_fails(&project, "altered", &to, 5, "a file of the archive is damaged");
    let path = json!(format!("blobs/sha256/{}", digest.hex()));
    assert!(faults(&project, &to).iter().any(|fault| fault["path"] == path && fault["fault"] == "damaged"));
    // With a network, upstream has what is damaged here.
    let ran = project.run_in_store("online", &["realize", "--from", &to]).code(0);
    assert!(ran.stderr.contains("; asking upstream"), "{}", ran.all());
    std::fs::remove_file(&blob).unwrap();
    realize_fails(&project, "removed", &to, 9, &digest.hex());
    assert!(faults(&project, &to).iter().any(|fault| fault["path"] == path && fault["fault"] == "missing"));
    // Archiving the lock again sends it.
    project.run(&["archive", "--to", &to]).code(0);
    project.run(&["archive", "verify", &to]).code(0);
    project.run_in_store("mended", &["realize", "--from", &to, "--offline"]).code(0);
}

#[test]
fn a_damaged_file_is_sent_again_as_verify_says() {
    let (project, registry, to) = archived(FIRST);
    let hex = pinned_tarball(&project).hex();
    let blob = registry.blobs().into_iter().find(|path| path.display().to_string().contains(&hex)).unwrap();
    let mut bad = std::fs::read(&blob).unwrap();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    std::fs::write(&blob, &bad).unwrap();
    // The registry says that it has it.
    project.run(&["archive", "--to", &to]).code(0);
    let lock = Sha256Digest::of(project.lock().as_bytes());
    let told = project.run(&["archive", "verify", &to]).code(7).stdout;
    let drop = format!("1. `strixlock archive prune {to} --drop {}` drops", &lock.hex()[..12]);
    assert!(told.contains(&drop), "{told}");
    assert!(
        told.contains("\n2. let the registry collect its garbage: for docker-registry, `registry garbage-collect ")
    );
    assert!(told.contains(&format!("\n3. `strixlock archive --to {to}` sends it again, with each of these locks")));
    let verified = project.run(&["archive", "verify", &to, "--json"]).code(7).json();
    assert_eq!(verified["verified"]["drop"], json!([lock]));

    project.run(&["archive", "prune", &to, "--drop", &lock.hex()[..12]]).code(0);
    let mut collect = Command::new("docker-registry");
    let configuration = project.directory.path().join("registry.yml");
    assert!(collect.arg("garbage-collect").arg(configuration).output().unwrap().status.success());
    project.run(&["archive", "--to", &to]).code(0);
    project.run(&["archive", "verify", &to]).code(0);
    project.run_in_store("mended", &["realize", "--from", &to, "--offline"]).code(0);
}

#[test]
fn a_tag_that_leads_to_another_lock_or_to_an_image_is_named_and_mended() {
    let (project, registry, to) = archived(FIRST);
    let tag = |lock: &str| format!("lock-{}", &Sha256Digest::of(lock.as_bytes()).hex()[..12]);
    let first = tag(&project.lock());
    let alone = project.lock();
    project.realize_rocm(SECOND);
    project.run(&["archive", "--to", &to]).code(0);
    let manifest = |tag: &str| format!("http://{}/v2/team/archive/manifests/{tag}", registry.address);
    let accept = "Accept: application/vnd.oci.image.manifest.v1+json";
    let other = Command::new("curl").args(["-sSf", "-H", accept, &manifest(&tag(&project.lock()))]).output().unwrap();
    assert!(other.status.success(), "{}", String::from_utf8_lossy(&other.stderr));
    let put = |text: &str| {
        project.write("manifest.json", text);
        let mut put = Command::new("curl");
        put.args(["-sSf", "-X", "PUT", "-H", "Content-Type: application/vnd.oci.image.manifest.v1+json"]);
        put.arg("--data-binary").arg(format!("@{}", project.path("manifest.json").display()));
        assert!(put.arg(manifest(&first)).stdout(Stdio::null()).status().unwrap().success());
    };
    let other = String::from_utf8(other.stdout).unwrap();
    for (text, why) in [
        (other.clone(), "it leads to another lock"),
        (other.replace("vnd.strixlock.archive.v1", "vnd.other.v1"), "another type"),
    ] {
        put(&text);
        project.write("lock/strix.lock", &alone);
        let ran = realize_fails(&project, "none", &to, 9, why);
        assert!(ran.stderr.contains(&format!("passed over the tag {first} of {to}: ")), "{}", ran.all());
        assert!(faults(&project, &to).iter().any(|fault| fault["path"] == json!(first)));
        project.run(&["archive", "--to", &to]).code(0);
        project.run(&["archive", "verify", &to]).code(0);
        project.run_in_store("mended", &["realize", "--from", &to, "--offline"]).code(0);
        std::fs::rename(project.store("mended"), project.directory.path().join(why)).unwrap();
    }
}

#[test]
fn an_archive_of_which_the_registry_died_goes_on() {
    let project = of_all_kinds();
    project.run(&["realize"]).code(0);
    project.run(&["archive", "--to", "kept"]).code(0);
    let registry = Registry::start(project.directory.path());
    let relay = Relay::start(&registry.address);
    // Inputs are sent by name: the model and what is small before the tarball.
    let tarball = std::fs::metadata(project.path("kept").join(tarball(FIRST))).unwrap().len();
    let all: u64 = files(&project.path("kept/blobs")).iter().map(|path| path.metadata().unwrap().len()).sum();
    relay.limit(usize::try_from(all - tarball / 2).unwrap());
    let to = archive(&relay.address);
    let mut sends = project.command(&["archive", "--to", &to]);
    sends.env("STRIXLOCK_ROUNDS", "1").stdout(Stdio::null()).stderr(Stdio::piped());
    let child = sends.spawn().unwrap();
    relay.wait_until_used_up();
    drop(registry);
    relay.open();
    project.finish(child.wait_with_output().unwrap()).code(8);
    // On the same disk, at another address.
    let registry = Registry::start(project.directory.path());
    assert!(!registry.blobs().is_empty());
    let to = archive(&registry.address);
    let empty = project.run_in_store("none", &["realize", "--from", &to, "--offline"]).code(9);
    assert!(empty.stderr.contains("the registry has no archive in this repository"), "{}", empty.all());
    let ran = project.run(&["archive", "--to", &to, "--json"]).code(0).json();
    assert!(ran["added"][0]["there"].as_u64().unwrap() > 0, "{ran:#}");
    project.run(&["archive", "verify", &to]).code(0);
}

#[test]
fn a_registry_is_no_place_for_trees_nor_for_the_usual_archive() {
    let project = Project::realized(&[FIRST]);
    let ran = project.run(&["archive", "--to", "oci://r.example/team/archive", "--cold"]).code(2);
    assert!(ran.stderr.contains("a registry has whole files, and --cold keeps trees"), "{}", ran.all());
    project.write("strixlock.toml", "archive = \"oci://r.example/team/archive\"\n");
    let ran = project.run(&["archive"]).code(3);
    assert!(
        ran.stderr.contains("expected a directory: other archives are named with --to and --from"),
        "{}",
        ran.all()
    );
    assert!(ran.stderr.contains("strixlock.toml:1:"), "{}", ran.all());
}
