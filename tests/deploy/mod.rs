//! `strixlock deploy`: hosts behind real servers of ssh get what they lack, and switch if it works there.

mod hosts;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use strixlock_demo::gguf_maker::Shape;

use crate::support::{FIRST, Project, REQUIRES, SECOND, rocm_input};
use crate::validate::add_model;
use hosts::Hosts;

/// Pins everything at this version of ROCm, with a model, and the build wrong in this way.
fn pin(project: &Project, version: &str, fault: Option<&str>) {
    project.full_manifest(version);
    add_model(project, "model", Shape::default());
    if let Some(fault) = fault {
        let text = project.read("manifests/strix.toml");
        project.write("manifests/strix.toml", &format!("{text}\n[outputs.llama.cmake]\nDEMO_FAULT = \"{fault}\"\n"));
    }
    project.run(&["update"]).code(0);
}

/// Returns the result for a host.
fn result<'v>(value: &'v Value, host: &str) -> &'v Value {
    value["hosts"].as_array().unwrap().iter().find(|one| one["host"] == host).unwrap_or_else(|| panic!("{value:#}"))
}

/// Returns the contents of all files of a tree, with their modes.
fn contents(tree: &Path) -> BTreeSet<(bool, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt as _;
    let read = |path: &std::path::PathBuf| {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        (mode & 0o100 != 0, std::fs::read(path).unwrap())
    };
    let is_file = |path: &std::path::PathBuf| std::fs::symlink_metadata(path).unwrap().is_file();
    crate::support::files(tree).iter().filter(|path| is_file(path)).map(read).collect()
}

/// Returns the contents of all outputs of a generation of the project.
fn of_generation(project: &Project, number: u64) -> BTreeSet<(bool, Vec<u8>)> {
    let directory = project.profile().join(format!("generations/{number}"));
    let outputs = ["rocm", "llama", "runtime"].map(|name| std::fs::canonicalize(directory.join(name)).unwrap());
    outputs.iter().flat_map(|tree| contents(tree)).collect()
}

/// Makes a host have a build of its own for the lock: one that writes garbage, as of a machine that computes wrong.
fn miscompile(project: &Project, host: &str, version: &str) {
    let good = project.run(&["realize", "--json"]).code(0);
    pin(project, version, Some("garbage"));
    let bad = project.run_in_store(host, &["realize", "--no-switch", "--json"]).code(0);
    pin(project, version, None);
    for name in ["llama", "runtime"] {
        let records = std::fs::read_dir(project.store("main").join("outputs")).unwrap();
        let read = |path: &Path| std::fs::read_to_string(path.join("output.json")).unwrap_or_default();
        let record = records.map(|one| one.unwrap().path()).find(|path| read(path).contains(&good.tree(name))).unwrap();
        let place = project.store(host).join("outputs").join(record.file_name().unwrap());
        std::fs::create_dir(&place).unwrap();
        let text = read(&record).replace(&good.tree(name), &bad.tree(name));
        std::fs::write(place.join("output.json"), text).unwrap();
    }
}

#[test]
fn hosts_get_what_they_lack_and_the_one_that_fails_its_validation_stays_as_it_was() {
    let project = Project::new();
    pin(&project, FIRST, None);
    project.run(&["realize"]).code(0);
    let hosts = Hosts::start(&project, &["one", "two", "bare"]);

    let planned = hosts.deploy(&project, &["--dry-run", "--json"]).code(9).json();
    assert_eq!(result(&planned, "one")["result"], "planned");
    // Nothing is left, and what a deployment that is going on has there stays.
    assert!(!hosts.project("one").exists());
    let lock = hosts.project("two").join("lock/deploy.lock");
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, "another's").unwrap();
    hosts.deploy_to(&project, &["two"], &["--device", "cpu", "--dry-run"]).code(0);
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), "another's");
    assert_eq!(crate::support::files(&hosts.project("two")).len(), 1);

    let first = hosts.deploy(&project, &["--json"]).code(9).json();
    for host in ["one", "two"] {
        let found = result(&first, host);
        assert_eq!(
            (&found["before"], &found["after"], &found["result"]),
            (&Value::Null, &1.into(), &"switched".into())
        );
        assert_eq!(found["outputs"].as_array().unwrap().len(), 3, "{found:#}");
        assert_eq!((&found["validation"]["passed"], &found["left"]), (&true.into(), &json!([])), "{found:#}");
        assert_eq!(found["contents"], result(&planned, host)["contents"]);
        assert_eq!(std::fs::read_to_string(hosts.project(host).join("lock/strix.lock")).unwrap(), project.lock());
        assert!(!hosts.project(host).join("lock/deploy.lock").exists());
        hosts.on(&project, host, &["verify"]).code(0);
        // A person there finds the generation without naming anything.
        let there = hosts.on(&project, host, &["generations", "--json"]).code(0).json();
        assert_eq!(there["generations"][0]["current"], true, "{there:#}");
    }
    // A path from the login directory, as a person writes it.
    let same =
        hosts.deploy_to(&project, &["one"], &["--device", "cpu", "--dry-run", "--directory", "~/strixlock/project"]);
    assert!(same.code(0).stdout.contains("has everything"));

    let bare = result(&first, "bare");
    assert_eq!((&bare["exit_code"], &bare["sent"]), (&9.into(), &0.into()), "{bare:#}");
    assert!(bare["error"]["hint"].as_str().unwrap().contains("--program"), "{bare:#}");

    // The next nightly, which the second host computes wrong with.
    pin(&project, SECOND, None);
    project.run(&["realize"]).code(0);
    miscompile(&project, "two", SECOND);
    let second = hosts.deploy(&project, &["--json"]).code(10).json();
    let (one, two) = (result(&second, "one"), result(&second, "two"));
    assert_eq!((&one["before"], &one["after"], &one["result"]), (&1.into(), &2.into(), &"switched".into()));
    let (old, new) = (of_generation(&project, 1), of_generation(&project, 2));
    let changed: u64 = new.difference(&old).map(|(_, bytes)| bytes.len() as u64).sum();
    assert_eq!(one["contents"], changed);
    // All else is listings, and headers of an archive.
    let (sent, before) = (one["sent"].as_u64().unwrap(), result(&first, "one")["sent"].as_u64().unwrap());
    assert!(sent < changed + (64 << 10) && sent * 2 < before, "{sent} of {before}, {changed} changed");
    assert_eq!((&one["whole"], &two["result"], &two["exit_code"]), (&false.into(), &"failed".into(), &10.into()));
    assert_eq!((&two["before"], &two["after"]), (&1.into(), &1.into()), "{two:#}");
    assert_eq!(two["validation"]["failed"][0], "generation", "{two:#}");
    let there = hosts.on(&project, "two", &["generations", "--json"]).code(0).json();
    assert_eq!(there["generations"][0]["current"], true, "{there:#}");
    assert_ne!(std::fs::read_to_string(hosts.project("two").join("lock/strix.lock")).unwrap(), project.lock());
    hosts.on(&project, "one", &["verify"]).code(0);

    // Again, as a person sees it.
    let again = hosts.deploy(&project, &[]).code(10);
    let lines: Vec<&str> = again.stdout.lines().map(str::trim_end).collect();
    assert!(lines[0].starts_with("host") && lines[0].contains("generation"), "{}", again.all());
    assert!(lines[1].ends_with("current  current already, not validated"), "{}", again.all());
    assert!(lines[2].contains("failed its validation: generation"), "{}", again.all());
    assert!(lines[2].ends_with("generation 1 stays current"), "{}", again.all());
    assert!(lines[3].ends_with("the host has no strixlock"), "{}", again.all());
    assert!(again.stderr.contains("error: bare: the host has no strixlock"), "{}", again.all());
}

#[test]
fn a_base_that_was_damaged_on_the_host_makes_everything_go_there() {
    let project = Project::new();
    project.realize_rocm(FIRST);
    let hosts = Hosts::start(&project, &["one"]);
    let none = ["--validate", "none", "--json"];
    hosts.deploy(&project, &none).code(0);
    // The contents that both nightlies have are gone there.
    project.realize_rocm(SECOND);
    for entry in std::fs::read_dir(project.store("one").join("blobs")).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    let ran = hosts.deploy(&project, &none).code(0).json();
    let one = result(&ran, "one");
    assert_eq!((&one["whole"], &one["after"], &one["result"]), (&true.into(), &2.into(), &"switched".into()));
    // What nobody realized here, the host makes itself.
    project.rocm_manifest(FIRST);
    add_model(&project, "model", Shape::default());
    let text = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &format!("{text}\n[outputs.weights]\ntype = \"model\"\ninput = \"model\"\n"));
    project.run(&["update"]).code(0);
    let ran = hosts.deploy(&project, &none).code(0).json();
    let one = result(&ran, "one");
    assert_eq!((&one["left"], &one["sent"], &one["after"]), (&json!(["weights"]), &0.into(), &3.into()), "{one:#}");
}

#[test]
fn a_transfer_that_breaks_off_goes_on_in_the_next_run() {
    let project = Project::new();
    project.realize_rocm(FIRST);
    let hosts = Hosts::start(&project, &["one", "two"]);
    let to = |host, code| {
        let ran = hosts.deploy_to(&project, &[host], &["--validate", "none", "--json"]);
        let ran = ran.code(code);
        (result(&ran.json(), host).clone(), ran.stderr)
    };
    let number = |found: &Value, name: &str| found[name].as_u64().unwrap();
    let size = number(&to("two", 0).0, "sent");
    let relay = hosts.relay("one");
    relay.break_after(size / 2);
    let (broken, _) = to("one", 8);
    assert_eq!(broken["error"]["message"], "the connection broke while outputs were sent", "{broken:#}");
    assert!(broken["error"]["hint"].as_str().unwrap().contains("the same command again"), "{broken:#}");
    let (_, first) = hosts.only_part("one");
    assert!(first > 0 && first < size / 2, "{first} of {size}");

    // A second break loses nothing either.
    relay.break_after(size / 3);
    let (broken, _) = to("one", 8);
    assert_eq!(number(&broken, "resumed"), first, "{broken:#}");
    let (_, second) = hosts.only_part("one");
    assert!(second > first && second < size, "{second} of {size}");

    relay.break_after(u64::MAX);
    relay.passed();
    let (whole, said) = to("one", 0);
    assert_eq!((number(&whole, "resumed"), number(&whole, "sent")), (second, size - second), "{whole:#}");
    // The lock, scripts and ssh itself need some, too.
    let passed = relay.passed();
    assert!(passed < size - second + (64 << 10), "{passed} bytes for {} of {size}", size - second);
    assert!(said.contains("one: sending the last "), "{said}");
    assert_eq!((&whole["result"], &whole["whole"]), (&"switched".into(), &false.into()), "{whole:#}");
    assert!(!hosts.parts("one").exists());
    hosts.on(&project, "one", &["verify"]).code(0);

    // A beginning that is damaged, as by a loss of power, is sent again. What is left of other snapshots goes.
    project.realize_rocm(SECOND);
    let size = number(&to("two", 0).0, "sent");
    std::fs::create_dir(hosts.parts("one")).unwrap();
    std::fs::write(hosts.parts("one").join("other"), "snapshot").unwrap();
    // Late: the relay does not wait for the last packets to arrive.
    relay.break_after(size - (8 << 10));
    to("one", 8);
    let (part, arrived) = hosts.only_part("one");
    std::fs::write(&part, vec![0; usize::try_from(arrived).unwrap()]).unwrap();
    relay.break_after(u64::MAX);
    let (whole, said) = to("one", 0);
    assert_eq!((number(&whole, "sent"), number(&whole, "resumed")), (2 * size - arrived, 0), "{whole:#}");
    assert!(said.contains("what arrived differs from what was sent: sending everything"), "{said}");
    assert_eq!(whole["result"], "switched", "{whole:#}");
    hosts.on(&project, "one", &["verify"]).code(0);
}

#[test]
fn what_cannot_work_is_refused_before_a_host_is_asked() {
    let project = Project::new();
    let sources = rocm_input(&project.index(), FIRST);
    project.write("manifests/strix.toml", &format!("{REQUIRES}{sources}"));
    project.run(&["update"]).code(0);
    let asked = project.path("asked");
    let ssh = format!("touch {};", asked.display());
    let ran = project.run(&["deploy", "--ssh", &ssh, "box"]).code(9);
    assert!(ran.stderr.contains("the lock has no model to validate with"), "{}", ran.all());
    for hosts in [["box", "-oProxyCommand=x"], ["box", "box"], ["box", "a b"], ["box", ""]] {
        let ran = project.run(&[&["deploy", "--validate", "none", "--ssh", &ssh, "--"], hosts.as_slice()].concat());
        ran.code(2);
    }
    for bad in ["", "~other/strix", "-x", "a\nb"] {
        for option in ["--directory", "--program"] {
            let option = format!("{option}={bad}");
            let ran = project.run(&["deploy", "--validate", "none", "--ssh", &ssh, &option, "box"]).code(2);
            assert!(ran.stderr.contains("invalid path on a host"), "{}", ran.all());
        }
    }
    project.run(&["deploy", "--validate", "none", "--ssh", " ", "box"]).code(2);
    assert!(!asked.exists());
    let ran = project.run(&["deploy", "--validate", "none", "--ssh", "no-such-program", "box"]).code(9);
    assert!(ran.stderr.contains("cannot be run on this machine"), "{}", ran.all());
    let ran = project.run(&["deploy", "--validate", "none", "--ssh", "ssh -F /dev/null -p 1", "127.0.0.1"]).code(8);
    assert!(ran.stderr.contains("error: 127.0.0.1: the host cannot be reached by ssh"), "{}", ran.all());
    // A program of other formats.
    let old = project.run(&["version", "--json"]).code(0).stdout.replace("\"snapshot\": 2", "\"snapshot\": 1");
    let script = project.program("old", &format!("#!/bin/sh\ncat << 'END'\n{old}END\n"));
    let here = "sh -c 'shift 9; exec sh -c \"$1\"' sh";
    let program = script.display().to_string();
    let ran = project.run(&["deploy", "--validate", "none", "--ssh", here, "--program", &program, "box"]).code(3);
    assert!(ran.stderr.contains("other formats") && ran.stderr.contains("snapshot: 1 there, 2 here"), "{}", ran.all());
}
