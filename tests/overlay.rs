//! Output `overlay` and input `directory`: a patched library laid over the pinned ROCm.

use std::path::{Path, PathBuf};

use serde_json::Value;
use strixlock_demo::elf_maker::Elf;
use strixlock_demo::gguf_maker::Shape;

use crate::support::{FIRST, Project};
use crate::validate::add_model;

/// The patched library: it has the soname of the published one.
const PATCHED: &str = "lib/libamdhip64.so.7.99";
const SONAME: &str = "lib/libamdhip64.so.7";

const BASE: &str = "registry.invalid/base@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

const OVERLAY: &str = "[inputs.patched]\ntype = \"directory\"\npath = \"overlays/hip\"\n\n\
    [outputs.patched-rocm]\ntype = \"overlay\"\nlayers = [{ input = \"patched\" }]\n";

/// Returns a project with a realized ROCm and a directory that has a patched library: its code is that of the published
/// one, and its bytes are others.
pub fn project() -> Project {
    let project = Project::realized(&[FIRST]);
    let published = std::fs::canonicalize(project.profile().join("current/rocm").join(SONAME)).unwrap();
    let mut bytes = std::fs::read(published).unwrap();
    bytes.extend_from_slice(b"patched");
    put(&project, PATCHED, &bytes);
    manifest(&project, OVERLAY, "patched-rocm");
    project
}

/// Writes a program or library into the directory of the project.
fn put(project: &Project, path: &str, bytes: &[u8]) {
    let place = directory(project).join(path);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(&place, bytes).unwrap();
    std::fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

fn directory(project: &Project) -> PathBuf {
    project.path("manifests/overlays/hip")
}

/// Writes a manifest with everything, with more inputs and outputs. Builds use this output as ROCm.
fn manifest(project: &Project, more: &str, rocm: &str) {
    project.full_manifest(FIRST);
    let text = project.read("manifests/strix.toml");
    let of = |kind: &str| (format!("type = \"{kind}\"\n"), format!("type = \"{kind}\"\nrocm = \"{rocm}\"\n"));
    let text = [of("llama"), of("runtime")].iter().fold(text, |text, (from, to)| text.replace(from, to));
    project.write("manifests/strix.toml", &format!("{text}\n{more}"));
}

fn link(path: PathBuf) -> String {
    std::fs::read_link(path).unwrap().to_str().unwrap().to_owned()
}

/// Returns the labels of an image that was exported.
fn labels(project: &Project, image: &str) -> Value {
    let said = project.run(&["export", "oci", image, "-o", "image", "--json"]).code(0).json();
    let blob = |digest: &Value| -> Value {
        let name = digest.as_str().unwrap().replace(':', "/");
        serde_json::from_slice(&std::fs::read(project.path("image/blobs").join(name)).unwrap()).unwrap()
    };
    blob(&blob(&said["digest"])["config"]["digest"])["config"]["Labels"].clone()
}

#[test]
fn a_patched_library_wins_and_everything_follows() {
    let project = project();
    add_model(&project, "model", Shape::default());
    let server = "\n[outputs.server]\ntype = \"image\"\nruntime = \"runtime\"\nllama = \"llama\"\n";
    let text = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &format!("{text}{server}"));
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stdout.contains("patched"), "{}", ran.all());
    let lock = project.lock();
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), lock, "a second update changes nothing");
    project.run(&["realize"]).code(0);

    let patched = project.profile().join("current/patched-rocm");
    assert_eq!(link(patched.join(SONAME)), "libamdhip64.so.7.99");
    let runtime = project.profile().join("current/runtime");
    assert_eq!(link(runtime.join(SONAME)), "libamdhip64.so.7.99");
    let names = std::fs::read_dir(runtime.join("lib")).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    let hips: Vec<&String> = names.iter().filter(|name| name.starts_with("libamdhip64.so.7.")).collect();
    assert_eq!(hips, ["libamdhip64.so.7.99"], "the published one is not loaded by anything");

    let why = project.run(&["why", PATCHED]).code(0).stdout;
    let said = format!(
        "/opt/rocm/{PATCHED} is from input patched; counts for the soname libamdhip64.so.7, and not lib/libamdhip64.so.7.21"
    );
    assert!(why.contains(&said), "{why}");
    let json = project.run(&["why", SONAME, "--json"]).code(0).json();
    assert!(json["overlay"].as_str().unwrap().contains("leads to libamdhip64.so.7.99"), "{json}");
    let log = project.run(&["log", "patched-rocm"]).code(0).stdout;
    assert!(
        log.contains("laid output rocm") && log.contains("soname libamdhip64.so.7: lib/libamdhip64.so.7.99 of"),
        "{log}"
    );
    let about = project.run(&["log", "patched-rocm", "--about", "--json"]).code(0).json()["about"]["overlay"].clone();
    assert_eq!(about["sonames"][0]["by"], "input patched", "{about}");

    let ran = project.run(&["--offline", "validate", "--device", "cpu", "--json"]).code(0).json();
    let check = ran["checks"].as_array().unwrap().iter().find(|check| check["name"] == "overlay").unwrap().clone();
    assert_eq!(check["outcome"], "passed");
    assert_eq!(check["found"], "loaded lib/libamdhip64.so.7.99 of input patched");

    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    for part in [
        "| input patched | `sha256:",
        "| output rocm | the lowest | `/opt/rocm` |",
        "- ROCm: `output patched-rocm, at /opt/rocm`",
        "| patched | directory | sha256:",
        " | files of this project |",
        "| sonames of two libraries | `libamdhip64.so.7: lib/libamdhip64.so.7.99 of input patched, not lib/libamdhip64",
        "| links to the library that counts | `lib/",
        "`lib/libamdhip64.so.7 -> libamdhip64.so.7.99`",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let labels = labels(&project, "server");
    assert_eq!(
        (&labels["io.strixlock.rocm.target"], &labels["io.strixlock.rocm.overlay"]),
        (&"gfx1151".into(), &"input patched".into())
    );
    assert_eq!(labels["io.strixlock.rocm.version"], FIRST);
    let text = project.run(&["export", "containerfile", "--image", BASE, "--llama"]).code(0).stdout;
    assert!(text.contains("\nCOPY patched-rocm/ /opt/rocm/\n") && !text.contains("curl"), "{text}");

    // The overlay takes the base's place.
    project.run(&["realize", "--prefix", "links"]).code(0);
    assert!(link(project.path("links/rocm")).ends_with("patched-rocm"));
    let run = project.run(&["run", "llama-bench"]).code(0);
    assert!(run.stdout.contains("| ROCm |"), "{}", run.all());
}

#[test]
fn a_changed_byte_is_another_output_and_a_changed_directory_is_told() {
    let project = project();
    manifest(&project, OVERLAY, "rocm");
    project.run(&["update"]).code(0);
    let before = project.derivation("patched-rocm");
    project.run(&["realize", "patched-rocm", "--seal"]).code(0);
    project.run(&["check", "patched-rocm"]).code(0);
    put(&project, "share/mine", b"more");
    // The lock's files are in the store.
    project.run(&["--offline", "realize", "patched-rocm", "--locked"]).code(0);
    let ran = project.run_in_store("other", &["realize", "patched-rocm"]).code(9);
    assert!(ran.stderr.contains("overlays/hip does not have the files that the lock has"), "{}", ran.all());
    assert!(ran.stderr.contains("neither in the store nor beside the manifest"), "{}", ran.all());
    project.run(&["update"]).code(0);
    assert_ne!(project.derivation("patched-rocm"), before);
    let ran = project.run_in_store("other", &["realize", "patched-rocm", "--json"]).code(0);
    assert_eq!(
        ran.tree("patched-rocm"),
        project.run(&["realize", "patched-rocm", "--json"]).code(0).tree("patched-rocm")
    );
    std::fs::remove_dir_all(directory(&project)).unwrap();
    let ran = project.run(&["update"]).code(9);
    assert!(ran.stderr.contains("missing directory"), "{}", ran.all());
}

#[test]
fn a_build_and_a_repository_are_layers_and_lie_over_an_overlay() {
    let project = project();
    let git = project.upstream().git_url();
    let more = format!(
        "{OVERLAY}\n[inputs.docs]\ntype = \"git\"\nurl = \"{git}\"\n\n\
         [outputs.second]\ntype = \"overlay\"\nbase = \"patched-rocm\"\n\n\
         [[outputs.second.layers]]\noutput = \"llama\"\n\n[[outputs.second.layers]]\ninput = \"docs\"\nat = \"share/llama-source\"\n"
    );
    manifest(&project, &more, "rocm");
    project.run(&["update"]).code(0);
    project.run(&["realize", "second"]).code(0);
    let tree = project.profile().join("current/second");
    for path in ["bin/llama-cli", "bin/rocminfo", "share/llama-source/README.md", PATCHED] {
        assert!(tree.join(path).is_file(), "{path}");
    }
    let about = project.run(&["log", "second", "--about", "--json"]).code(0).json()["about"]["overlay"].clone();
    assert_eq!(
        about["layers"],
        serde_json::json!(["output rocm", "input patched", "output llama", "input docs"]),
        "{about}"
    );
    assert_eq!(about["files"]["bin/llama-cli"], "output llama");
    assert_eq!(about["files"][PATCHED], "input patched");
}

#[test]
fn layers_that_hide_what_they_must_not_are_refused_by_name() {
    let elf = |soname: &str| {
        let source = "int nothing(void) { return 0; }".to_owned();
        Elf { soname: Some(soname.to_owned()), source, ..Elf::default() }.make().unwrap()
    };
    let refused = |change: &dyn Fn(&Path), words: &[&str]| {
        let project = project();
        manifest(&project, OVERLAY, "rocm");
        change(&directory(&project));
        project.run(&["update"]).code(0);
        let ran = project.run(&["realize", "patched-rocm"]).code(3);
        for word in words.iter().chain(&["input patched"]) {
            assert!(ran.stderr.contains(word), "{word}: {}", ran.all());
        }
    };
    let write = |place: &Path, path: &str, bytes: &[u8]| {
        std::fs::create_dir_all(place.join(path).parent().unwrap()).unwrap();
        std::fs::write(place.join(path), bytes).unwrap();
    };
    let loader = elf("ld-linux-x86-64.so.2");
    refused(&|place| write(place, "lib/libplain.so", &loader), &["hide the dynamic loader", "lib/libplain.so"]);
    refused(&|place| write(place, "share", b"file"), &["replace a directory with a file", "share"]);
    refused(&|place| write(place, "lib64/x", b"file"), &["replace a link with a directory", "lib64"]);
    let climb = |place: &Path| std::os::unix::fs::symlink("../../etc/passwd", place.join("lib/secret")).unwrap();
    refused(&climb, &["leads out of the prefix", "lib/secret", "../../etc/passwd"]);
}

#[test]
fn an_unpacked_archive_is_a_layer_and_one_file_is_not() {
    let project = project();
    // One directory around everything would be taken off.
    put(&project, "share/mine", b"more");
    let archive = project.path("patched.tar");
    let packed =
        std::process::Command::new("tar").arg("cf").arg(&archive).arg("-C").arg(directory(&project)).arg(".").status();
    assert!(packed.unwrap().success());
    let input = |unpack: &str| {
        let url = archive.display();
        let more = format!("[inputs.archive]\ntype = \"file\"\nurl = \"file://{url}\"\n{unpack}\n");
        let overlay = "[outputs.patched-rocm]\ntype = \"overlay\"\nlayers = [{ input = \"archive\" }]\n";
        manifest(&project, &format!("{more}{overlay}"), "rocm");
        project.run(&["update"]).code(0);
    };
    input("");
    let ran = project.run(&["realize", "patched-rocm"]).code(3);
    assert!(
        ran.stderr.contains("input `archive` is one file") && ran.stderr.contains("unpack = true"),
        "{}",
        ran.all()
    );
    input("unpack = true\n");
    project.run(&["realize", "patched-rocm"]).code(0);
    assert_eq!(link(project.profile().join("current/patched-rocm").join(SONAME)), "libamdhip64.so.7.99");
}

#[test]
fn a_manifest_says_what_is_wrong_with_a_layer() {
    let project = Project::realized(&[FIRST]);
    for (overlay, said) in [
        ("layers = [{ output = \"rocm\" }]", "expected an output of type `llama`"),
        ("layers = [{ output = \"lama\" }]", "there is no output `lama`"),
        ("layers = [{ input = \"rocm\" }]", "`directory` or `release`, but `rocm` has type `rocm`"),
        ("layers = [{ output = \"llama\", input = \"llama-cpp\" }]", "a layer is an output or an input, not both"),
        ("layers = [{ at = \"lib\" }]", "the field `output` is missing"),
        ("layers = [{ output = \"llama\", at = \"../lib\" }]", "invalid place of a layer"),
        ("layers = [{ output = \"llama\", over = 1 }]", "unknown field `over`"),
        ("layers = []", "the field `layers` is missing"),
        ("", "the field `layers` is missing"),
        ("base = \"llama\"\nlayers = [{ output = \"llama\" }]", "expected an output of type `rocm` or `overlay`"),
        ("base = \"over\"\nlayers = [{ output = \"llama\" }]", "made from it"),
    ] {
        manifest(&project, &format!("[outputs.over]\ntype = \"overlay\"\n{overlay}\n"), "rocm");
        let ran = project.run(&["update"]);
        assert!(ran.code == 3 && ran.stderr.contains(said), "{overlay}: {}", ran.all());
    }
    for path in ["/etc", "~/x", "a//b", ""] {
        manifest(&project, &format!("[inputs.files]\ntype = \"directory\"\npath = \"{path}\"\n"), "rocm");
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains("invalid path of a directory"), "{path}: {}", ran.all());
    }
}
