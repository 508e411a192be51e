//! `strixlock audit --rebuild-script`: a shell script that makes the outputs of a lock again, without strixlock.

use std::path::Path;
use std::process::{Command, Output};

use strixlock_demo::deb_maker::Deb;
use strixlock_demo::debs::{DebArchive, Package};
use strixlock_demo::gguf_maker::Shape;
use strixlock_demo::llama::add_submodule;

use crate::git::repository::Made;
use crate::support::{FIRST, Project, REQUIRES};

/// Runs the project's script as somebody else would: in a directory of their own, with another store's program nowhere on
/// PATH.
fn rebuild(project: &Project, place: &str) -> Output {
    stranger(project, place).output().unwrap()
}

/// Returns the command that runs it.
fn stranger(project: &Project, place: &str) -> Command {
    let place = project.directory.path().join(place);
    std::fs::create_dir_all(&place).unwrap();
    std::fs::copy(project.path("rebuild.sh"), place.join("rebuild.sh")).unwrap();
    let mut sh = Command::new("sh");
    sh.arg("rebuild.sh").current_dir(&place).env_clear().env("HOME", &place).env("JOBS", "2");
    sh.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    sh
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// Pins and realizes the manifest, and writes page and script. Returns what `realize` printed.
fn written(project: &Project) -> crate::support::Ran {
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize", "--json"]).code(0);
    project.run(&["audit", "--rebuild-script"]).code(0);
    ran
}

#[test]
fn the_demo_is_made_again_with_plain_tools() {
    let project = Project::new();
    project.full_manifest(FIRST);
    let ran = written(&project);
    let script = project.read("rebuild.sh");
    assert!(script.contains("\n# leaves out runtime: strixlock finds out which files of ROCm are needed"), "{script}");
    assert!(!script.contains("\nstrixlock "), "{script}");
    let said_first = said(&rebuild(&project, "stranger"), 0);
    for name in ["rocm", "llama"] {
        assert!(said_first.contains(&format!("equal {name} {}\n", ran.tree(name))), "{said_first}");
    }
    // A second run takes the downloads of the first, and makes everything anew.
    let requests = project.upstream().server().log().len();
    said(&rebuild(&project, "stranger"), 0);
    assert_eq!(project.upstream().server().log().len(), requests, "it downloaded again");
    // Another tree is told.
    project.write("rebuild.sh", &script.replace(&ran.tree("llama"), &ran.tree("rocm")));
    let ran = said(&rebuild(&project, "stranger"), 1);
    assert!(ran.contains("\nDIFFERENT llama sha256:"), "{ran}");
    // Files that it did not make are left alone.
    let mine = project.directory.path().join("stranger/rebuilt/.rebuild");
    std::fs::remove_file(mine).unwrap();
    assert!(said(&rebuild(&project, "stranger"), 1).contains("has files that this script did not make"));
}

#[test]
fn the_script_is_the_same_wherever_the_page_is() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let ran = project.run(&["audit", "--rebuild-script", "--json"]).code(0).json();
    assert_eq!(ran["rebuild_script"]["written"], true);
    let first = project.read("rebuild.sh");
    assert!(first.contains("\n# leaves out llama: the source decides its CMake variables"), "{first}");
    project.run(&["realize"]).code(0);
    // The page states more now, so both are written anew, and stay what they are for who has realized nothing.
    project.run(&["audit", "--rebuild-script"]).code(0);
    let second = project.read("rebuild.sh");
    assert!(second != first && second.contains("\n# leaves out runtime: "), "{second}");
    let elsewhere = |arguments: &[&str]| project.run_in_store("empty", arguments);
    elsewhere(&["audit", "--rebuild-script", "--check"]).code(0);
    elsewhere(&["audit", "--rebuild-script"]).code(0);
    assert_eq!(project.read("rebuild.sh"), second);
    project.write("rebuild.sh", &second.replace("GGML_HIP=ON", "GGML_HIP=OFF"));
    let ran = elsewhere(&["audit", "--rebuild-script", "--check"]).code(4);
    insta::assert_snapshot!(ran.stderr.lines().next().unwrap(), @"error: rebuild.sh is not up to date with the lock");
    // Somebody's own file is not replaced.
    project.write("mine.sh", "#!/bin/sh\nrm -rf /\n");
    let ran = project.run(&["audit", "--rebuild-script", "mine.sh"]).code(1);
    assert!(ran.stderr.contains("strixlock did not write this file"), "{}", ran.all());
    assert_eq!(project.read("mine.sh"), "#!/bin/sh\nrm -rf /\n");
    project.run(&["audit", "--rebuild-script", "other.sh"]).code(0);
    assert!(project.path("other.sh").is_file());
}

/// A patch whose name would do something in a shell, and end a comment or code span.
const PATCH: &str = "patches/it's `touch pwned` | $(touch pwned).patch";

#[test]
fn submodules_and_patches_with_hostile_names_are_made_again() {
    let project = Project::new();
    project.full_manifest(FIRST);
    let inner = Made::new(&project, "/ggml-org/inner.git");
    let commit = inner.commit(inner.tree(&[("100644", "inner.txt", inner.blob(b"inner\r\n$Id$\n"))]));
    let llama = project.upstream().llama_repository();
    add_submodule(&llama, "vendor/inner", "../inner.git", &commit.to_string()).unwrap();
    project.upstream().add_llama_commit().unwrap();
    let manifest = project.read("manifests/strix.toml");
    let (before, after) = manifest.split_once("[outputs.llama]").unwrap();
    project.write("manifests/strix.toml", &format!("{before}patches = [{PATCH:?}]\n\n[outputs.llama]{after}"));
    let patch = "diff --git a/docs/notes.txt b/docs/notes.txt\n--- a/docs/notes.txt\n+++ b/docs/notes.txt\n\
                 @@ -1,2 +1,2 @@\n-lines that end\n+Zeilen, die enden\n in line feeds\n";
    project.write(&format!("manifests/{PATCH}"), patch);
    let ran = written(&project);
    let page = project.read("REPRODUCIBLE.md");
    assert!(page.contains("- patch: `patches/it's ?touch pwned? | $(touch pwned).patch sha256:"), "{page}");
    let output = said(&rebuild(&project, "stranger"), 0);
    assert!(output.contains(&format!("equal llama {}\n", ran.tree("llama"))), "{output}");
    let source = project.directory.path().join("stranger/rebuilt/inputs/llama-cpp");
    assert_eq!(std::fs::read_to_string(source.join("docs/notes.txt")).unwrap(), "Zeilen, die enden\nin line feeds\n");
    assert_eq!(std::fs::read(source.join("vendor/inner/inner.txt")).unwrap(), b"inner\r\n$Id$\n");
    assert!(!find(&project.directory.path().join("stranger"), "pwned"));
    // Neither beside the manifest nor in the store: the build is left out, and the reason said.
    std::fs::remove_file(project.path(&format!("manifests/{PATCH}"))).unwrap();
    project.run_in_store("empty", &["audit", "--rebuild-script", "other.sh"]).code(0);
    let script = project.read("other.sh");
    let reason = "\n# leaves out llama: the file patches/it's `touch pwned` | $(touch pwned).patch is neither beside";
    assert!(script.contains(reason), "{script}");
    assert!(!script.contains("in_sandbox cmake"), "{script}");
}

/// Packages that meet in every way: a merged /usr, one that replaces files of another, a link where another has a directory
/// behind it, checksums, and links that maintainer scripts would make.
#[test]
fn a_root_of_packages_is_made_again() {
    let deb = || Deb::new("overwritten", "0");
    let package = |name: &str, fields: &[&str], deb: Deb| Package::new(name, "1.0-1", fields).holding(deb);
    let packages = vec![
        package("base", &[], deb().link("bin", "usr/bin").directory("usr/share/doc").link("usr/share/man", "doc")),
        package(
            "g++",
            &["Depends: libc6"],
            deb()
                .program("usr/bin/g++-12", b"g")
                .link("usr/bin/g++", "g++-12")
                .link("usr/bin/gcc", "/etc/alternatives/gcc"),
        ),
        package(
            "libc6",
            &["Multi-Arch: same"],
            deb()
                .file("lib/x86_64-linux-gnu/libc.so.6", b"c")
                .file("usr/lib32/libc.so.6", b"32")
                .info("md5sums", "0123  lib/x86_64-linux-gnu/libc.so.6\n")
                .info("postinst", "#!/bin/sh\ntouch /pwned\n"),
        ),
        package(
            "old",
            &[],
            deb().program("usr/bin/tool", b"old").file("usr/share/man/old.1", b"o").file("sbin/x", b"x"),
        ),
        package("mawk", &[], deb().program("usr/bin/mawk", b"m").program("usr/bin/original-awk", b"o")),
        package(
            "tool",
            &["Replaces: unknown, old (<< 2) | other"],
            deb().program("bin/tool", b"new").link("etc/alternatives/gcc", "/usr/bin/g++").file("usr/sbin/x", b"x"),
        ),
    ];
    let names: Vec<String> = packages.iter().map(|package| package.name.clone()).collect();
    let project = Project::empty();
    let archive = DebArchive { packages, ..DebArchive::new(crate::debs::now() - 3600) };
    archive.serve(project.upstream().server(), "/debian").unwrap();
    std::fs::write(project.path("manifests/demo.gpg"), archive.key.keyring().unwrap()).unwrap();
    let base = project.base();
    project.write(
        "manifests/strix.toml",
        &format!(
            "{REQUIRES}[inputs.packages]\ntype = \"debs\"\narchive = \"{base}debian\"\nsuite = \"demo\"\n\
             keyring = \"demo.gpg\"\npackages = {names:?}\n\n[outputs.sysroot]\ntype = \"sysroot\"\n\
             packages = \"packages\"\nlinks = {{ \"usr/bin/c89\" = \"gcc\", \"usr/bin/tool2\" = \"/bin/tool\" }}\n"
        ),
    );
    let ran = written(&project);
    let output = said(&rebuild(&project, "stranger"), 0);
    assert!(output.contains(&format!("equal sysroot {}\n", ran.tree("sysroot"))), "{output}");
    let root = project.directory.path().join("stranger/rebuilt/outputs/sysroot");
    assert_eq!(std::fs::read(root.join("usr/bin/tool")).unwrap(), b"new");
    for (path, target) in
        [("usr/bin/cc", "gcc"), ("usr/bin/c++", "g++"), ("usr/bin/awk", "mawk"), ("usr/bin/c89", "gcc")]
    {
        assert_eq!(std::fs::read_link(root.join(path)).unwrap(), Path::new(target), "{path}");
    }
    let list = std::fs::read_to_string(root.join("var/lib/dpkg/info/old.list")).unwrap();
    assert!(!list.contains("/usr/bin/tool\n") && list.contains("/sbin/x\n"), "{list}");
}

#[test]
fn a_model_is_made_again_and_an_image_is_left_out() {
    let project = Project::new();
    let server = project.upstream().server();
    server.put(
        "/a model.gguf",
        strixlock_demo::http::Resource::bytes(strixlock_demo::gguf_maker::model(Shape::default())),
    );
    let url = server.url("/a model.gguf");
    project.write(
        "manifests/strix.toml",
        &format!(
            "{REQUIRES}[inputs.model]\ntype = \"file\"\nurl = \"{url}\"\n\n[outputs.model]\ntype = \"model\"\n\n\
             [inputs.llama-cpp]\ntype = \"git\"\nurl = \"{}\"\n\n[outputs.llama]\ntype = \"llama\"\nbackend = \"cpu\"\n\n\
             [outputs.server]\ntype = \"image\"\nllama = \"llama\"\n",
            project.upstream().git_url()
        ),
    );
    let ran = written(&project);
    let output = said(&rebuild(&project, "stranger"), 0);
    assert!(output.contains(&format!("equal model {}\n", ran.tree("model"))), "{output}");
    assert!(output.contains(&format!("equal llama {}\n", ran.tree("llama"))), "{output}");
    assert!(project.read("rebuild.sh").contains("\n# leaves out server: layers are packed"));
    // Bytes that are not the pinned ones are refused, whatever the server says.
    server.put("/a model.gguf", strixlock_demo::http::Resource::bytes(b"another file altogether".to_vec()));
    assert!(said(&rebuild(&project, "other"), 1).contains("no URL has the pinned bytes of inputs/model/a model.gguf"));
}

#[test]
fn a_project_in_an_archive_is_built_again() {
    let project = Project::empty();
    let fields = "environment = { ENGINE_NAME = \"Ada\", OTHER = \"it's `touch pwned`\" }\ntargets = [\"engine-cli\"]\n\
                  components = [\"headers\", \"programs\"]\n\n[outputs.engine.cmake]\nENGINE_FAST = true\n";
    crate::cmake::of_archive(&project, fields);
    project.run(&["update"]).code(0);
    project.run(&["audit", "--rebuild-script"]).code(0);
    let script = project.read("rebuild.sh");
    assert!(script.contains("\n# leaves out engine: the source decides its CMake variables"), "{script}");
    let ran = written(&project);
    let output = said(&rebuild(&project, "stranger"), 0);
    assert!(output.contains(&format!("equal engine {}\n", ran.tree("engine"))), "{output}");
    let page = project.read("REPRODUCIBLE.md");
    for part in [
        "| package | file | sha256:",
        "`SOURCE_DATE_EPOCH=315532800`",
        "- environment from the manifest: `ENGINE_NAME=Ada`, `OTHER=it's \\u{60}touch pwned\\u{60}`",
        "`env DESTDIR=/build/dest cmake --install /build/out --component headers`",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

#[test]
fn a_web_ui_is_laid_into_a_copy_of_the_sources() {
    let project = Project::empty();
    crate::ui::asks(&project);
    let ran = written(&project);
    let output = said(&rebuild(&project, "stranger"), 0);
    assert!(output.contains(&format!("equal llama {}\n", ran.tree("llama"))), "{output}");
    let place = project.directory.path().join("stranger/rebuilt");
    assert!(place.join("build/llama/source/tools/ui/dist").is_dir());
    assert!(!place.join("inputs/llama-cpp/tools/ui/dist/index.html").exists(), "the sources stay as they are");
}

/// An archive whose programs are moved up, with links that follow: one to a file that moved, one from there.
#[test]
fn programs_that_others_built_are_laid_out_again() {
    use strixlock_demo::raw_tar::{RawEntry, raw_tar};
    let project = Project::new();
    crate::prebuilt::archive_manifest(&project, "tag = \"b4\"");
    let program = |path: &str| RawEntry::new(tar::EntryType::Regular, path, "", b"#!/bin/sh\necho hi\n", 0o755);
    let entries = [
        RawEntry::directory("w/"),
        RawEntry::directory("w/build/"),
        RawEntry::directory("w/build/bin/"),
        RawEntry::directory("w/build/lib/"),
        RawEntry::link("w/first", "build/NOTES"),
        RawEntry::file("w/build/NOTES", b"n"),
        program("w/build/bin/llama-cli"),
        program("w/build/bin/it's `touch pwned`"),
        RawEntry::link("w/build/bin/up", "../NOTES"),
        RawEntry::file("w/build/lib/libx.so", b"x"),
    ];
    crate::prebuilt::publish(&project, raw_tar(&entries));
    let ran = written(&project);
    let output = said(&rebuild(&project, "stranger"), 0);
    assert!(output.contains(&format!("equal llama {}\n", ran.tree("llama"))), "{output}");
    let made = project.directory.path().join("stranger/rebuilt/outputs/llama");
    assert_eq!(std::fs::read_link(made.join("first")).unwrap(), Path::new("NOTES"));
    assert!(made.join("bin/llama-cli").is_file() && made.join("lib/libx.so").is_file());
    assert!(!find(&project.directory.path().join("stranger"), "pwned"));
    let page = project.read("REPRODUCIBLE.md");
    for row in ["| moved from | `build` |", "| moved to | `.` |", "| links that follow | `first -> NOTES` |"] {
        assert!(page.contains(row), "{row}\n{page}");
    }
}

#[test]
fn a_tree_with_others_over_it_is_made_again_from_the_project_s_own_files() {
    let project = crate::overlay::project();
    let ran = written(&project);
    let output = said(&rebuild(&project, "stranger"), 1);
    assert!(output.contains("has no directory manifests/overlays/hip: PROJECT says where the project is"), "{output}");
    let output = stranger(&project, "stranger").env("PROJECT", project.path("")).output().unwrap();
    let output = said(&output, 0);
    for name in ["rocm", "patched-rocm", "llama"] {
        assert!(output.contains(&format!("equal {name} {}\n", ran.tree(name))), "{output}");
    }
    std::fs::write(project.path("manifests/overlays/hip/more"), b"x").unwrap();
    let output = stranger(&project, "stranger").env("PROJECT", project.path("")).output().unwrap();
    assert!(said(&output, 1).contains("does not have the pinned files, whose tree is sha256:"));
}

/// Returns whether there is a file of this name anywhere below.
fn find(place: &Path, name: &str) -> bool {
    crate::support::files(place).iter().any(|path| path.file_name().is_some_and(|found| found == name))
}
