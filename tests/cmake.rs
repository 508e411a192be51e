//! Outputs of type `cmake`: any project that is built with CMake, from a commit or an archive, in all that engines do.

use serde_json::Value;
use strixlock_demo::raw_tar::{RawEntry, raw_tar};

use crate::git::repository::Made as Repository;
use crate::lock::seal;
use crate::support::{FIRST, Project, REQUIRES, rocm_input};
use crate::verify::spoil;

const LISTS: &str = r#"cmake_minimum_required(VERSION 3.16)
project(engine C)
option(ENGINE_EXTRA "on by itself" ON)
option(ENGINE_FAST "off by itself" OFF)
set(ENGINE_ETC "" CACHE STRING "directory of the settings")
set(ENGINE_INSTALL "all" CACHE STRING "what is installed")
add_library(engine SHARED engine.c)
target_compile_definitions(engine PRIVATE NAME="$ENV{ENGINE_NAME}")
add_executable(engine-cli cli.c)
target_link_libraries(engine-cli PRIVATE engine)
add_executable(engine-broken EXCLUDE_FROM_ALL broken.c)
if (ENGINE_INSTALL STREQUAL "all")
    install(TARGETS engine engine-cli COMPONENT programs)
    install(FILES engine.h DESTINATION include COMPONENT headers)
endif()
if (ENGINE_ETC)
    install(FILES engine.h DESTINATION "${ENGINE_ETC}" COMPONENT settings)
endif()
"#;
const CLI: &[u8] =
    b"#include \"engine.h\"\n#include <stdio.h>\nint main(void) { printf(\"engine %s\\n\", engine_name()); }\n";

/// The sources, below a directory of an archive.
fn sources(below: &str) -> Vec<RawEntry> {
    let file = |name: &str, text: &[u8]| RawEntry::file(format!("{below}{name}"), text);
    vec![
        file("CMakeLists.txt", LISTS.as_bytes()),
        file("engine.h", b"const char *engine_name(void);\n"),
        file("engine.c", b"#include \"engine.h\"\nconst char *engine_name(void) { return NAME \" of \" __FILE__; }\n"),
        file("cli.c", CLI),
        file("broken.c", b"int main(void) { return nothing; }\n"),
    ]
}

/// A project whose engine is in an archive, below `package-1.0/vendor/engine`, with these fields of the output.
pub fn of_archive(project: &Project, fields: &str) {
    let mut entries = sources("package-1.0/vendor/engine/");
    entries.push(RawEntry::file("package-1.0/setup.py", b"print()\n"));
    std::fs::write(project.directory.path().join("package-1.0.tar"), raw_tar(&entries)).unwrap();
    manifest(project, "unpack = true\n", &format!("source-directory = \"vendor/engine\"\n{fields}"));
}

fn manifest(project: &Project, input: &str, fields: &str) {
    let url = format!("file://{}/package-1.0.tar", project.directory.path().display());
    let input = format!("[inputs.package]\ntype = \"file\"\nurl = \"{url}\"\n{input}\n");
    let output = format!("[outputs.engine]\ntype = \"cmake\"\nsource = \"package\"\n{fields}");
    project.write("manifests/strix.toml", &format!("{REQUIRES}{input}{output}"));
}

fn about(project: &Project) -> Value {
    project.run(&["log", "engine", "--about", "--json"]).code(0).json()["about"].clone()
}

#[test]
fn a_project_in_an_archive_is_built_run_checked_and_described() {
    let project = Project::empty();
    of_archive(&project, "environment = { ENGINE_NAME = \"Ada\" }\n\n[outputs.engine.cmake]\nENGINE_FAST = true\n");
    project.run(&["update"]).code(0);
    let lock: Value = serde_json::from_str(&project.lock()).unwrap();
    let pin = &lock["inputs"]["package"]["locked"];
    assert_eq!((&pin["wrapped"], &pin["content"]["entries"]), (&true.into(), &8.into()), "{pin}");
    let before = project.lock();
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), before);

    let first = project.run(&["realize", "--json"]).code(0).tree("engine");
    assert_eq!(project.run_in_store("other", &["realize", "--json"]).code(0).tree("engine"), first);
    let ran = project.run(&["run", "engine-cli"]).code(0);
    // Paths of the build are not in it.
    assert_eq!(ran.stdout, "engine Ada of source/vendor/engine/engine.c\n");
    let about = about(&project);
    assert_eq!(about["left_to_the_project"], serde_json::json!(["ENGINE_EXTRA"]), "{about}");
    assert_eq!(about["variables"]["ENGINE_FAST"], "ON", "{about}");
    project.run(&["check", "engine"]).code(0);
    assert!(project.run(&["env"]).code(0).stdout.contains("PATH="));
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    for line in [
        " --strip-components=1 --no-same-owner",
        "- project: `the directory vendor/engine`",
        "- environment from the manifest: `ENGINE_NAME=Ada`",
        "| left to the project | `ENGINE_EXTRA` |",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    project.run(&["audit", "--check"]).code(0);

    let ran = project.run(&["validate"]).code(9);
    assert!(ran.stderr.contains("the lock has no build of llama.cpp to validate"), "{}", ran.all());
    assert!(ran.stderr.contains("engine of type cmake") && ran.stderr.contains("`strixlock check`"), "{}", ran.all());

    // The archive is enough: the store that has nothing is filled from it, without a look-up.
    let ran = project.run_in_store("third", &["--offline", "realize"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    std::fs::remove_file(project.directory.path().join("package-1.0.tar")).unwrap();
    project.run(&["realize"]).code(0);
    project.run(&["verify"]).code(0);
}

#[test]
fn a_damaged_source_is_repaired_from_its_archive() {
    let project = Project::empty();
    of_archive(&project, "environment = { ENGINE_NAME = \"Ada\" }\n");
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let lock: Value = serde_json::from_str(&project.lock()).unwrap();
    let tree = lock["inputs"]["package"]["locked"]["content"]["digest"].as_str().unwrap();
    let tree = project.store("main").join("trees").join(tree.strip_prefix("sha256:").unwrap());
    spoil(&tree.join("tree/vendor/engine/engine.c"));
    let ran = project.run(&["check", "engine"]).code(7);
    assert!(ran.stderr.contains("the tree of `package` in the store is damaged"), "{}", ran.all());
    project.run(&["verify", "--repair"]).code(0);
    project.run(&["check", "engine"]).code(0);
    // The lock is held to what the archive has.
    let mut lock = lock;
    let block = &mut lock["inputs"]["package"];
    block["locked"]["content"]["digest"] = format!("sha256:{}", "7".repeat(64)).into();
    seal(block);
    project.write("lock/strix.lock", &format!("{}\n", serde_json::to_string_pretty(&lock).unwrap()));
    let ran = project.run_in_store("other", &["realize"]).code(5);
    assert!(ran.stderr.contains("the tree in them is not the locked tree"), "{}", ran.all());
}

#[test]
fn a_commit_is_a_source_too_and_its_id_changes_with_all_that_shows() {
    let project = Project::empty();
    let made = Repository::new(&project, "/engine/source.git");
    let names = ["CMakeLists.txt", "broken.c", "cli.c", "engine.c", "engine.h"];
    let texts = [
        LISTS.as_bytes(),
        b"x\n",
        CLI,
        b"const char *engine_name(void) { return NAME; }\n",
        b"const char *engine_name(void);\n",
    ];
    let blobs: Vec<_> = names.iter().zip(texts).map(|(name, text)| ("100644", *name, made.blob(text))).collect();
    made.commit(made.tree(&blobs));
    let mut ids = std::collections::BTreeSet::new();
    let mut of = |fields: &str| {
        let input = format!("[inputs.source]\ntype = \"git\"\nurl = \"{}\"\n\n", made.url);
        let output = format!("[outputs.engine]\ntype = \"cmake\"\nsource = \"source\"\n{fields}");
        project.write("manifests/strix.toml", &format!("{REQUIRES}{input}{output}"));
        project.run(&["update"]).code(0);
        assert!(ids.insert(project.derivation("engine")), "{fields}");
        project.run(&["realize"]).code(0);
    };
    of("");
    of("prefix = \"/opt/other\"\n");
    of("environment = { ENGINE_NAME = \"Ada\" }\n");
    of("targets = [\"engine-cli\"]\n");
    let current = project.store("main").join("current/engine");
    of("components = [\"programs\"]\n");
    assert!(current.join("bin/engine-cli").exists() && !current.join("include").exists());
    of("components = [\"headers\", \"programs\"]\n");
    assert!(current.join("bin/engine-cli").exists() && current.join("include/engine.h").exists());
}

#[test]
fn what_cannot_become_an_output_is_refused_by_name() {
    let project = Project::empty();
    let refused = |fields: &str, said: &[&str]| {
        of_archive(&project, fields);
        project.run(&["update"]).code(0);
        let ran = project.run(&["realize"]);
        assert!(ran.code == 3 || ran.code == 1, "{}", ran.all());
        for words in said {
            assert!(ran.stderr.contains(words), "{words}: {}", ran.all());
        }
        assert!(!project.store("main").join("current").exists(), "{}", ran.all());
    };
    let outside =
        ["the project installs outside of its prefix", "/opt/engine", "/etc/engine/engine.h", "table `cmake`"];
    refused("\n[outputs.engine.cmake]\nENGINE_ETC = \"/etc/engine\"\n", &outside);
    let nothing = ["the project installs no files", "install rules"];
    refused("\n[outputs.engine.cmake]\nENGINE_INSTALL = \"nothing\"\n", &nothing);
    refused("components = [\"no-such\"]\n", &nothing);
    let unknown = ["unknown CMake variable `ENGINE_FASTER`", "did you mean `ENGINE_FAST`?"];
    refused("\n[outputs.engine.cmake]\nENGINE_FASTER = true\n", &unknown);
    refused("targets = [\"engine-broken\"]\n", &["`cmake --build /build/out` failed in the build", "nothing"]);
    refused("targets = [\"no-such\"]\n", &["unknown target 'no-such'"]);
}

#[test]
fn a_source_without_a_project_is_refused_by_update() {
    let project = Project::empty();
    of_archive(&project, "");
    let text = project.read("manifests/strix.toml");
    for (with, said) in [
        ("", "the source has no CMakeLists.txt at its top"),
        ("source-directory = \"vendor\"\n", "the source has no CMakeLists.txt in `vendor`"),
    ] {
        project.write("manifests/strix.toml", &text.replace("source-directory = \"vendor/engine\"\n", with));
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains(said) && ran.stderr.contains("it has one in  vendor/engine"), "{}", ran.all());
        assert!(!project.path("lock/strix.lock").exists());
    }
    manifest(&project, "", "");
    let ran = project.run(&["update"]).code(3);
    assert!(
        ran.stderr.contains("the input `package` is a file") && ran.stderr.contains("`unpack = true`"),
        "{}",
        ran.all()
    );
    std::fs::write(project.directory.path().join("package-1.0.tar"), b"PK\x03\x04 zip").unwrap();
    manifest(&project, "unpack = true\n", "");
    let ran = project.run(&["update"]).code(5);
    assert!(ran.stderr.contains("expected a tar archive, found a zip archive"), "{}", ran.all());
}

#[test]
fn mistakes_in_the_manifest_are_told_at_their_places() {
    let project = Project::empty();
    for (fields, said) in [
        ("source-directory = \"../up\"\n", "invalid directory of a project"),
        ("source-directory = \"/abs\"\n", "invalid directory of a project"),
        ("targets = [\"--help\"]\n", "invalid name in `targets`"),
        ("components = [\"a b\"]\n", "invalid name in `components`"),
        ("environment = { \"A-B\" = \"x\" }\n", "invalid entry in `environment`"),
        ("prefix = \"/usr/local\"\n", "invalid prefix"),
        (
            "[inputs.base]\ntype = \"oci\"\nimage = \"demo.invalid/a:1\"\n[outputs.other]\ntype = \"cmake\"\nsource = \"base\"\n",
            "expected an input of type `git` or `file`",
        ),
        ("rocm = \"engine\"\n", "expected an output of type `rocm`"),
        ("backend = \"cpu\"\n", "unknown field `backend`"),
        ("[outputs.other]\ntype = \"cmake\"\n", "the field `source` is missing"),
        (
            "[outputs.llama]\ntype = \"llama\"\nbackend = \"cpu\"\nsource = \"package\"\n",
            "expected an input of type `git`",
        ),
        ("[outputs.image]\ntype = \"image\"\nengine = \"engine\"\nllama = \"engine\"\n", "two names of one field"),
        ("[outputs.image]\ntype = \"image\"\nprogram = \"engine-cli\"\n", "needs `engine`"),
    ] {
        manifest(&project, "unpack = true\n", fields);
        let ran = project.run(&["status"]).code(3);
        assert!(ran.stderr.contains(said), "{said}: {}", ran.all());
    }
    let roots = format!(
        "{}[outputs.runtime]\ntype = \"runtime\"\nengine = \"engine\"\n",
        rocm_input("https://demo.invalid/", FIRST)
    );
    manifest(&project, "unpack = true\n", &roots);
    let ran = project.run(&["status"]).code(3);
    assert!(ran.stderr.contains("needs `roots`: the programs of `engine`"), "{}", ran.all());
}

#[test]
fn a_runtime_and_an_image_are_made_for_any_engine() {
    let project = Project::new();
    let (index, git) = (project.index(), project.upstream().git_url());
    let rest = format!(
        "[inputs.source]\ntype = \"git\"\nurl = \"{git}\"\n\n\
         [outputs.engine]\ntype = \"cmake\"\nsource = \"source\"\nrocm = \"rocm\"\n\n\
         [outputs.engine.cmake]\nGGML_HIP = true\nGGML_NATIVE = false\n\n\
         [outputs.runtime]\ntype = \"runtime\"\nengine = \"engine\"\nroots = [\"llama-bench\", \"llama-cli\"]\n\n\
         [outputs.image]\ntype = \"image\"\nruntime = \"runtime\"\nengine = \"engine\"\nprogram = \"llama-cli\"\n"
    );
    project.write("manifests/strix.toml", &format!("{REQUIRES}{}{rest}", rocm_input(&index, FIRST)));
    project.run(&["update"]).code(0);
    let lock: Value = serde_json::from_str(&project.lock()).unwrap();
    assert_eq!(lock["outputs"]["runtime"]["recipe"]["llama"], "engine", "the field of locks is the one that it was");
    project.run(&["realize", "engine", "runtime", "image"]).code(0);
    assert_eq!(about(&project)["variables"]["GPU_TARGETS"], "gfx1151");
    let ran = project.run(&["run", "llama-cli", "--list-devices"]).code(0);
    assert!(ran.stdout.contains("ROCm0"), "{}", ran.all());
    let ran = project.run(&["why", "lib/libamdhip64.so.7"]).code(0);
    assert!(ran.stdout.contains("llama-bench") || ran.stdout.contains("libggml-hip"), "{}", ran.all());
    let index: Value =
        serde_json::from_slice(&std::fs::read(project.store("main").join("current/image/index.json")).unwrap())
            .unwrap();
    let blob = |descriptor: &Value| -> Value {
        let path = format!("current/image/blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"));
        serde_json::from_slice(&std::fs::read(project.store("main").join(path)).unwrap()).unwrap()
    };
    let config = blob(&blob(&index["manifests"][0])["config"])["config"].clone();
    assert_eq!(config["Entrypoint"], serde_json::json!(["/opt/engine/bin/llama-cli"]), "{config}");
    assert_eq!(config["Labels"]["io.strixlock.engine.name"], "engine", "{config}");
    // Its programs are its own: there is no server to start.
    let ran = project.run(&["provision", "quadlet", "--image", "image", "--models", "/srv", "--dry-run"]).code(2);
    assert!(ran.stderr.contains("starts llama-server, and the image has none"), "{}", ran.all());
    // The older name of the field means the same.
    let text = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &text.replace("engine = \"engine\"", "llama = \"engine\""));
    assert!(project.run(&["status", "--json"]).code(0).json()["lock"]["fresh"].as_bool().unwrap_or(true));
    let before = project.lock();
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), before);
}
