//! Every command with `--json`, against the embedded upstream: its document has the form of its schema.

use std::collections::BTreeSet;

use serde_json::Value;
use strixlock_demo::gguf_maker::Shape;

use super::{fault, schema, strict};
use crate::archive::serve::Serving;
use crate::remote::registry::Registry;
use crate::support::{FIRST, Project, Ran, SECOND, files};
use crate::validate::add_model;

/// Commands that were run, with the documents that they gave.
struct Seen<'p> {
    project: &'p Project,
    schemas: BTreeSet<String>,
}

impl Seen<'_> {
    /// Runs a command with `--json` and compares its document with a schema.
    #[track_caller]
    fn run(&mut self, name: &str, arguments: &[&str], code: i32) -> Value {
        let ran = self.project.run(&[arguments, &["--json"]].concat()).code(code);
        self.check(name, arguments, &ran)
    }

    #[track_caller]
    fn check(&mut self, name: &str, arguments: &[&str], ran: &Ran) -> Value {
        let value = ran.json();
        let mut schema = schema(&format!("json/{name}"));
        strict(&mut schema);
        assert_eq!(fault(&schema, &value), None, "{arguments:?}: {value:#}");
        self.schemas.insert(name.to_owned());
        value
    }
}

/// Adds an image of files, which needs no base, to the manifest.
fn add_image(project: &Project) {
    let manifest = project.read("manifests/strix.toml");
    let image = "\n[outputs.files]\ntype = \"image\"\nllama = \"llama\"\n\n[outputs.weights]\ntype = \"model\"\ninput = \"model\"\n";
    project.write("manifests/strix.toml", &format!("{manifest}{image}"));
}

/// Runs the commands of archives.
fn archives(seen: &mut Seen) {
    seen.run("archive", &["archive", "--to", "kept"], 0);
    seen.run("archive-list", &["archive", "list", "kept"], 0);
    seen.run("archive-verify", &["archive", "verify", "kept"], 0);
    seen.run("archive-prune", &["archive", "prune", "kept", "--dry-run"], 0);
    seen.run("realize", &["realize", "rocm", "--from", "kept"], 0);
    let stdout = Serving::start(seen.project, "kept", "127.0.0.1:0").document.to_string();
    seen.check("serve", &["serve"], &Ran { code: 0, stdout, stderr: String::new() });
}

/// Runs deployments.
fn deployments(seen: &mut Seen) {
    // By a shell of this machine, in the place of one that ssh reaches.
    let here = "sh -c 'shift 9; exec sh -c \"$1\"' sh";
    let (program, place) = (env!("CARGO_BIN_EXE_strixlock"), seen.project.path("there").display().to_string());
    let deploy = ["deploy", "box", "--ssh", here, "--program", program, "--directory", &place, "--device", "cpu"];
    seen.run("deploy", &deploy, 0);
    seen.run("deploy", &[&deploy[..], &["--dry-run"]].concat(), 0);
}

/// Runs the commands of bisects.
fn bisects(seen: &mut Seen) {
    // What stands behind `run` would be the command's.
    seen.run("bisect", &["bisect", "rocm", "--good", FIRST, "--bad", SECOND, "interactive"], 0);
    seen.run("bisect", &["bisect", "log"], 0);
    seen.run("bisect", &["bisect", "reset"], 0);
}

/// Runs the commands of remotes.
fn remotes(seen: &mut Seen) {
    let registry = Registry::start(seen.project.directory.path());
    let address = format!("oci://{}/team/strix", registry.address);
    seen.run("remote-add", &["remote", "add", "team", &address], 0);
    seen.run("remote-list", &["remote", "list"], 0);
    seen.run("config-show", &["config", "show"], 0);
    seen.run("push", &["push", "rocm"], 0);
    seen.run("remote-ls", &["remote", "ls"], 0);
    seen.run("remote-verify", &["remote", "verify"], 0);
    seen.run("remote-gc", &["remote", "gc", "--keep", "1"], 0);
    let elsewhere = |arguments: &[&str]| seen.project.run_in_store("other", &[arguments, &["--json"]].concat()).code(0);
    let (pulled, realized) =
        (elsewhere(&["pull", "rocm"]), seen.project.run_in_store("third", &["realize", "rocm", "--json"]));
    seen.check("pull", &["pull"], &pulled);
    seen.check("realize", &["realize"], &realized.code(0));
    seen.run("remote-remove", &["remote", "remove", "team"], 0);
}

#[test]
fn every_command_prints_what_its_schema_says() {
    let project = Project::new();
    let mut seen = Seen { project: &project, schemas: BTreeSet::new() };
    let index = project.index();

    seen.run("init", &["init", "--packages", "none"], 0);
    seen.run("demo", &["demo", "--make-model", "small.gguf"], 0);
    project.full_manifest(FIRST);
    add_model(&project, "model", Shape::default());
    add_image(&project);
    seen.run("status", &["status"], 0);
    seen.run("update", &["update"], 0);
    seen.run("freeze", &["freeze", "rocm", "--until", "2999-12-31", "--why", "a test"], 0);
    seen.run("update", &["update"], 0);
    seen.run("outdated", &["outdated"], 0);
    seen.run("status", &["status"], 0);
    seen.run("thaw", &["thaw", "rocm"], 0);
    seen.run("realize", &["realize", "--dry-run"], 0);
    seen.run("realize", &["realize"], 0);
    seen.run("realize", &["realize", "rocm", "--to", "copies"], 0);
    seen.run("lock-digest", &["lock", "digest"], 0);
    seen.run("lock-show", &["lock", "show"], 0);
    seen.run("lock-show", &["lock", "show", "rocm"], 0);
    seen.run("lock-merge", &["lock", "merge", "lock/strix.lock", "lock/strix.lock", "lock/strix.lock"], 0);
    seen.run("up", &["up", "--validate", "none"], 0);
    seen.run("env", &["env"], 0);
    seen.run("runtime", &["runtime"], 0);
    seen.run("runtime", &["runtime", "--explain"], 0);
    seen.run("why", &["why", "lib/librocblas.so.5"], 0);
    seen.run("why", &["why", "bin/hipcc"], 0);
    seen.run("log", &["log", "llama"], 0);
    seen.run("log", &["log", "llama", "--about"], 0);
    seen.run("check", &["check", "llama"], 0);
    seen.run("export-oci", &["export", "oci", "files"], 0);
    let image = format!("host/base@sha256:{}", "0".repeat(64));
    seen.run("export-containerfile", &["export", "containerfile", "--image", &image], 0);
    seen.run("export-containerfile", &["export", "containerfile", "--image", &image, "-o", "Containerfile"], 0);
    seen.run(
        "provision",
        &["provision", "compose", "--dry-run", "--image", &image, "--models", ".", "--model", "small.gguf"],
        0,
    );
    seen.run("validate", &["validate", "--device", "cpu"], 0);
    seen.run("validate", &["validate", "--history"], 0);
    seen.run("validate", &["validate", "--against", "1", "--device", "cpu"], 0);
    seen.run("diff", &["diff", "1", "lock/strix.lock", "--answers", "--device", "cpu"], 0);
    seen.run("bench", &["bench", "--device", "cpu", "--busy-ok", "--speed-only", "--runs", "1", "-g", "1"], 0);
    seen.run("audit", &["audit"], 0);
    seen.run("report", &["report"], 0);
    seen.run("status", &["status"], 0);
    seen.run("hash", &["hash", "copies/rocm"], 0);
    seen.run("hash", &["hash", "copies/rocm", "--nar"], 0);
    seen.run("hash", &["hash", "copies/rocm", "--listing"], 0);
    seen.run("list-rocm", &["list", "rocm", "--source", &index], 0);
    archives(&mut seen);
    remotes(&mut seen);
    seen.run("snapshot-save", &["snapshot", "save", "rocm", "rocm.tar.zst"], 0);
    seen.run("snapshot-restore", &["snapshot", "restore", "rocm.tar.zst"], 0);
    deployments(&mut seen);
    seen.run("advisory-list", &["advisory", "list"], 0);
    seen.run("advisory-show", &["advisory", "show", "rocm-hsa-init-crash"], 0);
    fail_a_check(&project);
    seen.run("advisory-draft", &["advisory", "draft"], 0);
    seen.run("config-show", &["config", "show"], 0);
    seen.run("config-path", &["config", "path"], 0);
    trust(&mut seen);
    seen.run("version", &["version"], 0);
    seen.run("completions", &["completions", "bash"], 0);
    seen.run("man", &["man", "--to", "man"], 0);
    // What doctor finds, and so its exit code, depends on the machine.
    let doctor = project.run(&["doctor", "--json"]);
    seen.check("doctor", &["doctor"], &doctor);

    let manifest = project.read("manifests/strix.toml").replace(FIRST, SECOND);
    project.write("manifests/strix.toml", &manifest);
    seen.run("outdated", &["outdated"], 0);
    let report = ["--report", "report.md", "--commit-message-file", "message"];
    seen.run("update", &[&["update", "rocm"], report.as_slice()].concat(), 0);
    seen.run("realize", &["realize", "rocm"], 0);
    seen.run("generations", &["generations"], 0);
    seen.run("generations", &["generations", "--all"], 0);
    seen.run("diff", &["diff"], 0);
    seen.run("diff", &["diff", "1", "lock/strix.lock"], 0);
    bisects(&mut seen);
    seen.run("rollback", &["rollback"], 0);
    seen.run("switch", &["switch", "2"], 0);
    seen.run("store", &["store"], 0);
    seen.run("verify", &["verify"], 0);
    damage(&project);
    seen.run("verify", &["verify"], 7);
    seen.run("verify", &["verify", "--repair"], 0);
    seen.run("store-pack", &["store", "pack", "--keep-hot", "1"], 0);
    seen.run("gc", &["gc", "--keep", "1"], 0);

    seen.run("error", &["realize", "nothing"], 9);
    seen.run("error", &["realize", "--sael"], 2);
    project.write("manifests/strix.toml", "x = 1\ny = 2\n");
    let value = seen.run("error", &["status"], 3);
    assert_eq!(value["error"]["others"].as_array().map(Vec::len), Some(1), "{value:#}");

    let published = files(&std::path::Path::new(super::ROOT).join("docs/schema/json"));
    let published: BTreeSet<String> = published
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().trim_end_matches(".schema.json").to_owned())
        .collect();
    assert_eq!(seen.schemas, published, "a command without a run, or a run without a schema");
}

/// Trusts a key, and trusts it no longer.
fn trust(seen: &mut Seen) {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ann";
    seen.run("trust-add", &["trust", "add", "ann", key], 0);
    seen.run("trust-add", &["trust", "add", "ann", key], 0);
    seen.run("trust-list", &["trust", "list"], 0);
    seen.run("trust-remove", &["trust", "remove", "ann"], 0);
    seen.run("trust-list", &["trust", "list"], 0);
}

/// Turns the first record of a validation into one of a failure.
fn fail_a_check(project: &Project) {
    std::fs::remove_file(project.path("validation/index.json")).unwrap();
    let records = files(&project.path("validation")).into_iter();
    let record = { records }.find(|path| path.extension().is_some_and(|extension| extension == "json")).unwrap();
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, text.replacen("\"outcome\": \"passed\"", "\"outcome\": \"failed\"", 1)).unwrap();
}

/// Damages a file of the current ROCm tree.
fn damage(project: &Project) {
    let tree = std::fs::canonicalize(project.store("main").join("current/rocm")).unwrap();
    let file = files(&tree).into_iter().find(|path| path.ends_with("bin/rocminfo")).unwrap();
    let text = std::fs::read(&file).unwrap();
    let mut permissions = std::fs::metadata(&file).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&file, permissions).unwrap();
    std::fs::write(&file, [text.as_slice(), b"#"].concat()).unwrap();
    let mut permissions = std::fs::metadata(&file).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o555);
    std::fs::set_permissions(&file, permissions).unwrap();
}

#[test]
fn every_command_that_prints_json_has_a_schema() {
    let project = Project::empty();
    // These print no document: what they run or write is theirs.
    let without = ["run", "shell", "schema", "help"];
    let commands = |help: &str| -> Vec<String> {
        let lines = help.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
        let names = lines.filter_map(|line| line.split_whitespace().next());
        let is_command =
            |name: &&str| name.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !name.starts_with('-');
        names.filter(is_command).map(str::to_owned).collect()
    };
    for name in commands(&project.run(&["--help"]).code(0).stdout) {
        if without.contains(&name.as_str()) || project.run(&[&name, "--help"]).code != 0 {
            continue;
        }
        let help = project.run(&[&name, "--help"]).stdout;
        let nested = help.split_once("Commands:").map(|(_, rest)| commands(rest.split("\n\n").next().unwrap()));
        let names: Vec<String> = match nested {
            Some(inner) => {
                inner.into_iter().filter(|inner| inner != "help").map(|inner| format!("{name}-{inner}")).collect()
            }
            None => vec![name],
        };
        for name in names {
            let words: Vec<&str> = name.split('-').collect();
            project.run(&[&["schema"], words.as_slice()].concat()).code(0);
        }
    }
}
