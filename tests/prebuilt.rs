//! Programs that others built: a release of a forge as an input, and its archive in a build's place.

use serde_json::Value;
use strixlock_demo::elf_maker::Elf;
use strixlock_demo::forge::ForgeRelease;
use strixlock_demo::raw_tar::{RawEntry, raw_tar};
use strixlock_ground::digest::Sha256Digest;

use crate::support::{FIRST, Project, REQUIRES, Ran, rocm_input};

const PATTERN: &str = "llama-b{number}-bin-ubuntu-rocm-{rocm}-x64.tar.gz";
/// The release that these tests publish.
const NAME: &str = "llama-b4-bin-ubuntu-rocm-7.2-x64.tar.gz";

/// The input of a release with these further fields.
fn input(project: &Project, fields: &str) -> String {
    let git = project.upstream().git_url();
    format!("[inputs.llama-release]\ntype = \"release\"\nurl = \"{git}\"\nasset = \"{PATTERN}\"\n{fields}\n")
}

/// A manifest with an archive alone.
pub fn archive_manifest(project: &Project, fields: &str) {
    let input = input(project, fields);
    project.write("manifests/strix.toml", &format!("{REQUIRES}{input}[outputs.llama]\ntype = \"prebuilt\"\n"));
}

/// A manifest with ROCm at this version, the archive, and a runtime of both.
fn full_manifest(project: &Project, fields: &str, roots: &str) {
    let (index, input) = (project.index(), input(project, fields));
    project.write(
        "manifests/strix.toml",
        &format!(
            "{REQUIRES}{}{input}[outputs.llama]\ntype = \"prebuilt\"\nrocm = \"rocm\"\n\n[outputs.runtime]\n\
             type = \"runtime\"\nroots = {roots}\n",
            rocm_input(&index, FIRST)
        ),
    );
}

/// An archive of these entries, with a program beside them.
fn archive(entries: &[RawEntry]) -> Vec<u8> {
    let program = RawEntry::new(tar::EntryType::Regular, "llama-b4/llama-cli", "", b"#!/bin/sh\necho hi\n", 0o755);
    raw_tar(&[&[RawEntry::directory("llama-b4/"), program], entries].concat())
}

pub fn publish(project: &Project, bytes: Vec<u8>) {
    project.upstream().forge().publish(ForgeRelease::new("b4", NAME, bytes));
}

/// Returns the pin of the release in the lock.
fn pin(project: &Project) -> Value {
    let lock: Value = serde_json::from_str(&project.lock()).unwrap();
    lock["inputs"]["llama-release"]["locked"].clone()
}

#[test]
fn an_archive_of_a_release_is_pinned_proven_and_run_in_place_of_a_build() {
    let project = Project::new();
    full_manifest(&project, "", "[\"llama-cli\", \"llama-bench\"]");
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stdout.contains("file     llama-b8-bin-ubuntu-rocm-7.2-x64.tar.gz"), "{}", ran.all());
    assert!(ran.stdout.contains("next: strixlock realize (builds runtime)"), "{}", ran.all());
    let pin = pin(&project);
    assert_eq!((&pin["tag"], &pin["number"], &pin["rocm"]), (&"b8".into(), &8.into(), &"7.2".into()));
    assert_eq!((&pin["vouched"], &pin["published"]), (&true.into(), &1_791_194_400.into()));
    let lock = project.lock();
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), lock, "a second update changes nothing");

    let trees = project.run(&["realize", "--json"]).code(0);
    let ran = project.run(&["run", "llama-cli", "--version"]).code(0);
    assert!(ran.all().contains("version: 8 ("), "{}", ran.all());
    let ran = project.run(&["run", "libllama.so"]).code(9);
    assert!(!ran.stderr.contains("did you mean") && !ran.stderr.contains("libggml"), "{}", ran.all());
    let ran = project.run(&["run", "llama-bench"]).code(0);
    assert!(ran.stdout.contains("| ROCm | dot256 | 5559680 |"), "{}", ran.all());
    let ran = project.run(&["env"]).code(0);
    assert!(ran.stdout.contains("LD_LIBRARY_PATH"), "{}", ran.all());

    // Every program is proven, the ones that nobody named too.
    let about = project.run(&["log", "runtime", "--about", "--json"]).code(0).json()["about"].clone();
    let mapped = about["proof"]["mapped"].as_object().unwrap();
    for program in ["llama-bench", "llama-cli", "llama-server"] {
        assert!(mapped.contains_key(&format!("/opt/llama/bin/{program}")), "{about}");
    }
    let ran = project.run(&["why", "lib/libamdhip64.so.7"]).code(0);
    assert!(ran.stdout.contains("/opt/llama/bin/libggml-hip.so"), "{}", ran.all());

    // The same tree in another store, from the lock alone, and again with the forge's API gone.
    project.upstream().server().fault("/api/*", strixlock_demo::Fault::status(500, usize::MAX));
    let other = project.run_in_store("other", &["realize", "--json"]).code(0);
    for output in ["llama", "runtime"] {
        assert_eq!(other.tree(output), trees.tree(output));
    }
    let ran = project.run(&["check", "llama"]).code(0);
    assert!(ran.stdout.contains("unpacked again from the pinned archive"), "{}", ran.all());
    let ran = project.run(&["shell", "llama"]).code(2);
    assert!(ran.stderr.contains("an output of type prebuilt is not built in a sandbox"), "{}", ran.all());
    let about = project.run(&["log", "llama", "--about", "--json"]).code(0).json()["about"].clone();
    assert_eq!((&about["release"], &about["made_for_rocm"]), (&"b8".into(), &"7.2".into()), "{about}");
    assert!(about["needed"]["bin/libggml-hip.so"].to_string().contains("libamdhip64.so.7"), "{about}");
    let ran = project.run(&["log", "llama"]).code(0);
    assert!(ran.stdout.contains("llama-b8/llama-cli -> bin/llama-cli"), "{}", ran.all());
}

#[test]
fn the_page_says_who_built_it_and_who_vouches_for_the_digest() {
    let project = Project::new();
    archive_manifest(&project, "tag = \"b4\"");
    let first = ForgeRelease { without_digests: true, ..ForgeRelease::new("b4", NAME, archive(&[])) };
    project.upstream().forge().publish(first);
    let ran = project.run(&["update"]).code(0);
    assert!(
        ran.stderr.contains("the forge gives no digest of llama-b4-bin-ubuntu-rocm-7.2-x64.tar.gz"),
        "{}",
        ran.all()
    );
    assert_eq!(pin(&project)["vouched"], Value::Null);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    for line in [
        "- digest from: `the first download",
        "built by its publisher and not here",
        "- build number: `4`",
        "| llama-release | release | b4 (",
        ") | first use |",
        "* llama-release: The forge gave no digest: it is that of the first download.",
        "* llama: Built by others: nobody has compared the programs with the sources.",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    // The forge may say it later: the same digest then comes from both.
    publish(&project, archive(&[]));
    let ran = project.run(&["update"]).code(0);
    assert_eq!((ran.stderr.as_str(), &pin(&project)["vouched"]), ("", &true.into()));
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    assert!(page.contains("- digest from: `the forge's own answer about the release`"), "{page}");
    assert!(page.contains(") | digest published by upstream |"), "{page}");
}

#[test]
fn a_file_that_was_replaced_under_its_name_is_refused_until_it_is_accepted() {
    let project = Project::new();
    archive_manifest(&project, "tag = \"b4\"");
    publish(&project, archive(&[]));
    project.run(&["update"]).code(0);
    let (lock, other) = (project.lock(), archive(&[RawEntry::file("llama-b4/NEW", b"new")]));
    publish(&project, other.clone());
    let ran = project.run(&["update"]).code(5);
    assert!(ran.stderr.contains("the release has another file under the locked name"), "{}", ran.all());
    assert!(ran.stderr.contains("`strixlock update llama-release --accept-replaced`"), "{}", ran.all());
    assert_eq!(project.lock(), lock);
    // Without a digest, the size tells.
    let untold = ForgeRelease { without_digests: true, ..ForgeRelease::new("b4", NAME, other.clone()) };
    project.upstream().forge().publish(untold);
    project.run(&["update"]).code(5);
    project.run(&["update", "llama-release", "--accept-replaced"]).code(0);
    assert_eq!(pin(&project)["sha256"], Sha256Digest::of(&other).to_string());
    // The lock's bytes are gone from the forge: a store without them says so.
    publish(&project, archive(&[]));
    let ran = project.run_in_store("other", &["realize"]).code(5);
    assert!(ran.stderr.contains("the download does not match strix.lock"), "{}", ran.all());
}

#[test]
fn bytes_that_are_not_the_announced_ones_are_refused() {
    let project = Project::new();
    archive_manifest(&project, "tag = \"b4\"");
    publish(&project, archive(&[]));
    let place = format!("/release-assets/ggml-org/llama.cpp/b4/{NAME}");
    project
        .upstream()
        .server()
        .put(&place, strixlock_demo::http::Resource::bytes(archive(&[RawEntry::file("x", b"")])));
    let ran = project.run(&["update"]).code(5);
    assert!(ran.stderr.contains("the download is not the file that the release names"), "{}", ran.all());
    assert!(!project.path("lock/strix.lock").exists());
}

/// Updates with this archive. Nothing of it may be pinned.
#[track_caller]
fn refused(entries: &[RawEntry], code: i32, message: &str) {
    let project = Project::new();
    archive_manifest(&project, "tag = \"b4\"");
    publish(&project, archive(entries));
    let ran = project.run(&["update"]).code(code);
    assert!(ran.stderr.contains(message), "{}", ran.all());
    assert!(!project.path("lock/strix.lock").exists());
}

#[test]
fn archives_that_lead_out_of_themselves_are_refused() {
    refused(&[RawEntry::link("llama-b4/lib", "/usr/lib")], 3, "links with absolute targets, which lead out of it");
    refused(&[RawEntry::link("llama-b4/up", "../x")], 3, "a link leads out of the archive");
    refused(&[RawEntry::link("llama-b4/up", "../../etc")], 3, "its link leads out of the tree");
    refused(&[RawEntry::file("llama-b4/../../evil", b"")], 3, "evil");
}

#[test]
fn an_archive_without_programs_or_without_the_wanted_one_is_refused() {
    let project = Project::new();
    archive_manifest(&project, "tag = \"b4\"");
    publish(&project, raw_tar(&[RawEntry::file("README", b"")]));
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("the archive has no programs"), "{}", ran.all());
    full_manifest(&project, "tag = \"b4\"", "[\"llama-clj\"]");
    publish(&project, archive(&[]));
    let ran = project.run(&["update", "--accept-replaced"]).code(3);
    assert!(ran.stderr.contains("the archive has no program `llama-clj`"), "{}", ran.all());
    assert!(ran.stderr.contains("did you mean `llama-cli`?"), "{}", ran.all());
}

#[test]
fn programs_for_another_processor_are_refused() {
    let project = Project::new();
    archive_manifest(&project, "tag = \"b4\"");
    let mut elf = Elf { source: "int main(void) { return 0; }\n".into(), ..Elf::default() }.make().unwrap().to_vec();
    // e_machine: AArch64.
    elf[18..20].copy_from_slice(&[183, 0]);
    publish(&project, raw_tar(&[RawEntry::new(tar::EntryType::Regular, "llama-cli", "", &elf, 0o755)]));
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize"]).code(3);
    assert!(ran.stderr.contains("error: llama: a program of the archive is for another processor"), "{}", ran.all());
}

#[test]
fn a_library_that_the_pinned_rocm_lacks_is_told_with_the_series_that_has_it() {
    let project = Project::new();
    full_manifest(&project, "tag = \"b4\"", "[\"llama-cli\"]");
    let hip = Elf {
        soname: Some("libamdhip64.so.6".into()),
        source: "int hip(void) { return 0; }\n".into(),
        ..Elf::default()
    };
    let hip = ("libamdhip64.so.6".to_owned(), hip.make().unwrap());
    let program = |needed| Elf {
        runpath: Some("$ORIGIN".into()),
        source: "int main(void) { return 0; }\n".into(),
        needed,
        ..Elf::default()
    };
    let entry = |name: &str, elf: Elf| RawEntry::new(tar::EntryType::Regular, name, "", &elf.make().unwrap(), 0o755);
    // The program that nobody named is the one that cannot run.
    let bytes = raw_tar(&[entry("llama-cli", program(vec![])), entry("llama-odd", program(vec![hip]))]);
    let file = "llama-b4-bin-ubuntu-rocm-6.4-x64.tar.gz";
    project.upstream().forge().publish(ForgeRelease::new("b4", file, bytes));
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize"]).code(1);
    let told: Vec<&str> = ran.stderr.lines().skip_while(|line| !line.starts_with("error")).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    error: llama: a needed library is in the trees only in another version
      root       /opt/llama/bin/llama-odd
      missing    libamdhip64.so.6
      looked in  /opt/llama/bin
      looked in  /opt/rocm/lib
      there is   /opt/rocm/lib/libamdhip64.so.7.21.260901
      in ROCm    6
      made for   ROCm 6.4
      pinned     ROCm 10.1.0a20260901
    hint: pin a ROCm that has it, such as `version = ">=6,<7"` in input `rocm`; or name an archive for the pinned ROCm in input `llama-release`
    "#);
}

#[test]
fn the_release_of_a_version_is_that_of_the_build_on_the_same_commit() {
    let project = Project::new();
    let name = "llama-b2-bin-ubuntu-rocm-7.2-x64.tar.gz";
    project.upstream().forge().publish(ForgeRelease::new("b2", name, archive(&[])));
    for fields in ["release = \"latest\"", "release = \">=0.1, <1\"", "tag = \"v0.1\"", "tag = \"b2\""] {
        archive_manifest(&project, fields);
        let ran = project.run(&["update"]).code(0);
        assert_eq!((&pin(&project)["tag"], &pin(&project)["number"]), (&"b2".into(), &2.into()), "{}", ran.all());
    }
    let ran = project.run(&["status"]);
    assert!(ran.stdout.contains("v0.1 = b2"), "{}", ran.all());
}

#[test]
fn a_release_that_does_not_exist_is_not_found() {
    let project = Project::new();
    publish(&project, archive(&[]));
    for (fields, message) in [
        ("tag = \"b011429\"", "the repository has no tag b011429"),
        ("tag = \"b99999999999999999999\"", "the repository has no tag b99999999999999999999"),
        ("tag = \"b6\"", "the forge has no release of this tag"),
        ("release = \"9\"", "the repository has no release in the range `9`"),
    ] {
        archive_manifest(&project, fields);
        let ran = project.run(&["update"]).code(9);
        assert!(ran.stderr.contains(message), "{}", ran.all());
    }
    project.upstream().forge().publish(ForgeRelease::new("b4", "llama-b4-bin-win-x64.zip", Vec::new()));
    archive_manifest(&project, "tag = \"b4\"");
    let ran = project.run(&["update"]).code(9);
    assert!(ran.stderr.contains("it has") && ran.stderr.contains("llama-b4-bin-win-x64.zip"), "{}", ran.all());
    let mut both = ForgeRelease::new("b4", NAME, Vec::new());
    both.files.insert(NAME.replace("7.2", "6.4"), Vec::new());
    project.upstream().forge().publish(both);
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains(&format!("{}, {NAME}", NAME.replace("7.2", "6.4"))), "{}", ran.all());
}

#[test]
fn drafts_and_trials_are_not_the_newest_release() {
    let project = Project::new();
    let forge = project.upstream().forge();
    let of = |number: u64| {
        ForgeRelease::new(&format!("b{number}"), &NAME.replace("b4", &format!("b{number}")), archive(&[]))
    };
    forge.publish(of(2));
    // A release whose files are still on their way.
    forge.publish(ForgeRelease { tag: "b4".into(), ..ForgeRelease::default() });
    forge.publish(ForgeRelease { draft: true, ..of(6) });
    forge.publish(ForgeRelease { prerelease: true, ..of(8) });
    archive_manifest(&project, "");
    project.run(&["update"]).code(0);
    assert_eq!(pin(&project)["tag"], "b2");
    publish(&project, archive(&[]));
    let ran = project.run(&["update", "--dry-run"]).code(0);
    assert!(ran.stdout.contains("b2 -> b4") && ran.stdout.contains("2 builds"), "{}", ran.all());
}

#[test]
fn a_used_up_limit_of_requests_is_named_and_costs_no_pin() {
    let project = Project::new();
    archive_manifest(&project, "tag = \"b4\"");
    publish(&project, archive(&[]));
    let limit = strixlock_demo::Fault::Status {
        code: 403,
        times: usize::MAX,
        headers: vec![("X-RateLimit-Remaining".into(), "0".into()), ("X-RateLimit-Reset".into(), "1791194400".into())],
    };
    project.upstream().server().fault("/api/*", limit.clone());
    let ran = project.run(&["update"]).code(8);
    insta::assert_snapshot!(ran.stderr, @r"
    error: llama-release: the server's limit of requests is used up
      url     [UPSTREAM]/api/v1/repos/ggml-org/llama.cpp/releases/tags/b4
      answer  403 Forbidden
      again   2026-10-05 10:00:00 UTC
    hint: run again later; a login for 127.0.0.1 in ~/.netrc (a token as its password) raises the limit
    ");
    project.upstream().server().heal_all();
    project.run(&["update"]).code(0);
    let lock = project.lock();
    project.upstream().server().fault("/api/*", limit);
    let ran = project.run(&["update"]).code(0);
    assert!(
        ran.stderr.contains("the forge could not be asked (the server's limit of requests is used up)"),
        "{}",
        ran.all()
    );
    assert_eq!(project.lock(), lock);
    project.run(&["update", "llama-release"]).code(8);
}

#[test]
fn mistakes_of_the_manifest_are_shown_at_their_place() {
    let project = Project::new();
    let told = |text: &str, messages: &[&str]| {
        project.write("manifests/strix.toml", &format!("{REQUIRES}[inputs.a]\ntype = \"release\"\n{text}"));
        let ran: Ran = project.run(&["update"]).code(3);
        for message in messages {
            assert!(ran.stderr.contains(message), "{message}\n{}", ran.all());
        }
    };
    told("", &["the field `url` is missing"]);
    told("url = \"https://host/a/b\"\n", &["the field `asset` is missing"]);
    told("url = \"https://host/a/b\"\nasset = \"a/b\"\n", &["invalid pattern of a file name"]);
    told("url = \"https://host/a/b\"\nasset = \"{numbr}\"\n", &["unknown `{numbr}`", "number"]);
    told(
        "url = \"https://host/a/b\"\nasset = \"a\"\ntag = \"x\"\nrelease = \"latest\"\n",
        &["only one of `tag` and `release`"],
    );
    told("url = \"https://host/a/b\"\nasset = \"a\"\nrelease = \"newest\"\n", &["invalid range of versions"]);
    told("url = \"git@host:a/b\"\nasset = \"a\"\n", &["unknown API of the repository's releases"]);
    told("url = \"https://me:pw@host/a/b\"\nasset = \"a\"\n", &["a URL must not contain a user or password"]);
    told("tg = \"b1\"\nasset = \"{x}\"\n", &["unknown field `tg`", "the field `url` is missing"]);
}

#[test]
fn init_writes_a_manifest_whose_programs_run_without_a_build() {
    let project = Project::new();
    let (index, git) = (project.index(), project.upstream().git_url());
    let ran = project
        .run(&[
            "init",
            "--prebuilt",
            "--target",
            "gfx1151",
            "--source",
            &index,
            "--llama-url",
            &git,
            "--packages",
            "none",
        ])
        .code(0);
    assert!(ran.stdout.contains("  llama.cpp  the newest archive for ROCm of "), "{}", ran.all());
    assert!(ran.stdout.contains("  packages   none: programs are proven in the root of this machine"), "{}", ran.all());
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let ran = project.run(&["run", "llama-cli", "--version"]).code(0);
    assert!(ran.all().contains("version: 8 ("), "{}", ran.all());
    project.run(&["audit"]).code(0);
    project.run(&["audit", "--check"]).code(0);
    // With packages, programs are proven in the root that images begin with.
    project.run(&["init", "--prebuilt", "--force"]).code(0);
    let manifest = project.read("manifests/strix.toml");
    for part in ["\nsysroot = \"base\" ", "[inputs.base-packages]", "\"libgomp1\", \"libssl3t64\"", "[outputs.server]"]
    {
        assert!(manifest.contains(part), "{part}\n{manifest}");
    }
    for part in ["[inputs.packages]", "[inputs.llama-cpp]", "[outputs.sysroot]", "cmake"] {
        assert!(!manifest.contains(part), "{part}\n{manifest}");
    }
}

/// The model is the demo's: its programs are asked as those of a build are.
#[test]
fn a_validation_runs_the_programs_that_others_built() {
    let project = Project::new();
    full_manifest(&project, "", "[\"llama-cli\"]");
    crate::validate::add_model(&project, "model", strixlock_demo::gguf_maker::Shape::default());
    project.run(&["update"]).code(0);
    project.run(&["realize", "llama", "runtime"]).code(0);
    let value = project.run(&["validate", "--device", "cpu", "--json"]).code(0).json();
    let found = value["checks"].as_array().unwrap().iter().find(|check| check["name"] == "libraries").unwrap();
    let found = found["found"].as_str().unwrap();
    assert!(found.contains("from /opt/llama, ") && found.contains("from /opt/rocm, "), "{found}");
}

#[test]
fn an_image_runs_the_programs_that_others_built_and_says_which() {
    let project = crate::image::with_images("");
    let manifest = project.read("manifests/strix.toml");
    let outputs = "[outputs.llama]\ntype = \"prebuilt\"\nrocm = \"rocm\"\n\n[outputs.runtime]\ntype = \"runtime\"\n\
                   roots = [\"llama-server\"]\n\n[outputs.server]\ntype = \"image\"\nbase = \"base\"\nruntime = \"runtime\"\n\
                   llama = \"llama\"\nprogram = \"llama-server\"\n";
    project.write("manifests/strix.toml", &format!("{manifest}\n{}{outputs}", input(&project, "")));
    project.run(&["update"]).code(0);
    project.run(&["realize", "server"]).code(0);
    let layout = project.store("main").join("current/server");
    let json = |path: &str| -> Value { serde_json::from_slice(&std::fs::read(layout.join(path)).unwrap()).unwrap() };
    let blob = |one: &Value| json(&format!("blobs/{}", one["digest"].as_str().unwrap().replace(':', "/")));
    let config = blob(&blob(&json("index.json")["manifests"][0])["config"])["config"].clone();
    let labels = &config["Labels"];
    assert_eq!(labels["io.strixlock.llama.prebuilt"], "llama-b8-bin-ubuntu-rocm-7.2-x64.tar.gz", "{config}");
    assert_eq!(
        (&labels["io.strixlock.llama.version"], &config["Entrypoint"][0]),
        (&"b8".into(), &"/opt/llama/bin/llama-server".into())
    );
    assert!(config["Env"].to_string().contains("LD_LIBRARY_PATH=/opt/llama/lib:/opt/rocm/lib"), "{config}");
}
