//! Output `vulkan`: loader and drivers of a pinned root, proven and run with a small real driver by the real loader.

use std::path::{Path, PathBuf};
use std::process::Command;

use strixlock_demo::deb_maker::Deb;
use strixlock_demo::debs::{DebArchive, Package};
use strixlock_demo::forge::ForgeRelease;
use strixlock_demo::raw_tar::{RawEntry, raw_tar};

use crate::support::{Project, REQUIRES};

/// The directory of libraries of Debian and Ubuntu.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
/// The manifest of the driver, as Mesa's packages write it.
const MANIFEST: &str = r#"{ "ICD": { "api_version": "1.1.0",
    "library_path": "/usr/lib/x86_64-linux-gnu/libvulkan_small.so" }, "file_format_version": "1.0.0" }"#;
/// The output in its shortest form.
const OUTPUT: &str = "[outputs.drivers]\ntype = \"vulkan\"\ndrivers = [\"small\"]\nroots = [\"devices\"]\n";

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

/// Compiles with the machine's compiler and returns the file's bytes.
fn compile(output: &Path, arguments: &[&str]) -> Vec<u8> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vulkan");
    let done = Command::new("cc").current_dir(sources).arg("-o").arg(output).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    std::fs::read(output).unwrap()
}

/// Parts of the root that a test changes.
struct Parts {
    manifest: Option<&'static str>,
    name: bool,
    loader: bool,
}

const WHOLE: Parts = Parts { manifest: Some(MANIFEST), name: true, loader: true };

/// A project with a root of real files of this machine, a small driver, and a program that uses the loader.
fn project(parts: &Parts, outputs: &str) -> Project {
    let project = Project::new();
    let built = project.path("built");
    std::fs::create_dir_all(&built).unwrap();
    let at = |name: &str| built.join(name);
    let beside = format!("-L{}", built.display());
    std::fs::write(at("name.c"), "const char *device_name(void) { return \"small\"; }\n").unwrap();
    let name_c = at("name.c").display().to_string();
    let name = compile(&at("libname.so.1"), &["-shared", "-fPIC", "-Wl,-soname,libname.so.1", &name_c]);
    let extra = compile(&at("libextra.so.3"), &["-shared", "-fPIC", "-Wl,-soname,libextra.so.3", &name_c]);
    let driver = compile(&at("driver"), &["-shared", "-fPIC", "driver.c", &beside, "-l:libname.so.1"]);
    let uses: &[&str] = if parts.loader { &["devices.c", "-lvulkan"] } else { &["-xc", &name_c, "-shared"] };
    let program = compile(&at("devices"), uses);

    let of_machine = |path: &str| std::fs::read(Path::new("/").join(path)).unwrap();
    let library = |name: &str| of_machine(&format!("{LIBRARIES}/{name}"));
    let deb = || Deb::new("overwritten", "0");
    let mut base = deb().program("usr/bin/dash", &of_machine("usr/bin/dash"));
    base = base.program("lib64/ld-linux-x86-64.so.2", &of_machine("lib64/ld-linux-x86-64.so.2"));
    for name in ["libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0"] {
        base = base.file(&format!("{LIBRARIES}/{name}"), &library(name));
    }
    let loader = deb().file(&format!("{LIBRARIES}/libvulkan.so.1.3"), &library("libvulkan.so.1"));
    let loader = loader.link(&format!("{LIBRARIES}/libvulkan.so.1"), "libvulkan.so.1.3");
    let mut drivers = deb()
        .file(&format!("{LIBRARIES}/libvulkan_small.so"), &driver)
        .file(&format!("{LIBRARIES}/libextra.so.3"), &extra)
        .file("usr/share/drirc.d/00-small.conf", b"<driconf/>")
        .file("usr/share/vulkan/implicit_layer.d/layer.json", b"{}")
        .file("usr/share/doc/drivers/copyright", b"free");
    if let Some(manifest) = parts.manifest {
        drivers = drivers.file("usr/share/vulkan/icd.d/small_icd.x86_64.json", manifest.as_bytes());
    }
    if parts.name {
        drivers = drivers.file(&format!("{LIBRARIES}/libname.so.1"), &name);
    }
    let packages: Vec<Package> = [("base", base), ("loader", loader), ("drivers", drivers)]
        .into_iter()
        .map(|(name, deb)| Package::new(name, "1.0-1", &[]).holding(deb))
        .collect();
    let archive = DebArchive { packages, ..DebArchive::new(now() - 3600) };
    archive.serve(project.upstream().server(), "/debian").unwrap();
    std::fs::write(project.path("manifests/demo.gpg"), archive.key.keyring().unwrap()).unwrap();
    let entry = RawEntry::new(tar::EntryType::Regular, "w/bin/devices", "", &program, 0o755);
    let release = raw_tar(&[RawEntry::directory("w/"), RawEntry::directory("w/bin/"), entry]);
    project.upstream().forge().publish(ForgeRelease::new("b4", "devices.tar", release));
    let (archive, git) = (project.base(), project.upstream().git_url());
    project.write(
        "manifests/strix.toml",
        &format!(
            "{REQUIRES}[inputs.packages]\ntype = \"debs\"\narchive = \"{archive}debian\"\nsuite = \"demo\"\n\
             keyring = \"demo.gpg\"\npackages = [\"base\", \"loader\", \"drivers\"]\n\n\
             [inputs.llama-release]\ntype = \"release\"\nurl = \"{git}\"\nasset = \"devices.tar\"\ntag = \"b4\"\n\n\
             [outputs.sysroot]\ntype = \"sysroot\"\npackages = \"packages\"\n\n\
             [outputs.llama]\ntype = \"prebuilt\"\nsysroot = \"sysroot\"\n\n{outputs}"
        ),
    );
    project
}

fn names(project: &Project) -> Vec<String> {
    let tree = project.store("main").join("current/drivers").canonicalize().unwrap();
    let files = crate::support::files(&tree);
    files.iter().map(|path: &PathBuf| path.strip_prefix(&tree).unwrap().display().to_string()).collect()
}

#[test]
fn a_program_lists_the_pinned_driver_s_device_and_nothing_of_the_machine() {
    let project = project(&WHOLE, OUTPUT);
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize", "--json"]).code(0);
    assert_eq!(
        names(&project),
        [
            "lib/libextra.so.3",
            "lib/libname.so.1",
            "lib/libvulkan.so.1",
            "lib/libvulkan_small.so",
            "share/doc/drivers/copyright",
            "share/drirc.d/00-small.conf",
            "share/vulkan/icd.d/small_icd.json",
        ]
    );
    let manifest = project.store("main").join("current/drivers/share/vulkan/icd.d/small_icd.json");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    assert!(manifest.contains("\"../../../lib/libvulkan_small.so\""), "{manifest}");
    let beside = project.run_in_store("other", &["realize", "--json"]).code(0);
    assert_eq!(beside.tree("drivers"), ran.tree("drivers"));

    // The loader of the store and the driver of the store, whatever the caller has.
    let mut command = project.command(&["run", "devices"]);
    command.env("VK_DRIVER_FILES", "/nonexistent").env("VK_INSTANCE_LAYERS", "VK_LAYER_none");
    let ran = project.finish(command.output().unwrap()).code(0);
    assert_eq!(ran.stdout, "device small\n", "{}", ran.all());
    let mut command = project.command(&["run", "--output", "drivers", "--env", "LD_DEBUG=files", "devices"]);
    let ran = project.finish(command.output().unwrap()).code(0);
    for name in ["libvulkan.so.1", "libvulkan_small.so", "libname.so.1"] {
        let lines = ran.stderr.lines().filter(|line| line.contains("calling init: ") && line.ends_with(name));
        let found: Vec<&str> = lines.collect();
        assert!(!found.is_empty() && found.iter().all(|line| line.contains("/trees/")), "{name} {found:?}");
    }
    let ran = project.run(&["env", "--json"]).code(0);
    let set = ran.json()["set"].clone();
    let files = set["VK_DRIVER_FILES"].as_str().unwrap();
    assert!(files.ends_with("/share/vulkan/icd.d/small_icd.json"), "{set}");
    assert_eq!((set["VK_ICD_FILENAMES"].as_str(), &set["VK_LOADER_LAYERS_DISABLE"]), (Some(files), &"~all~".into()));

    let about = project.run(&["log", "drivers", "--about"]).code(0);
    assert!(about.stdout.contains("libvulkan_small.so") && about.stdout.contains("devices"), "{}", about.all());
}

#[test]
fn why_runtime_and_audit_tell_what_was_taken_from_the_root() {
    let project = project(&WHOLE, OUTPUT);
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let chain = |path: &str| {
        let json = project.run(&["why", path, "--json"]).code(0).json();
        let steps = json["chain"].as_array().unwrap().clone();
        steps
            .iter()
            .map(|step| format!("{} {}", step["rule"].as_str().unwrap(), step["path"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let manifest = "manifest /opt/vulkan/share/vulkan/icd.d/small_icd.json";
    let driver = "driver /opt/vulkan/lib/libvulkan_small.so";
    assert_eq!(chain("lib/libname.so.1"), [manifest, driver, "needs /opt/vulkan/lib/libname.so.1"]);
    assert_eq!(chain("/opt/vulkan/lib/libextra.so.3"), [manifest, driver, "opens /opt/vulkan/lib/libextra.so.3"]);
    assert_eq!(chain("lib/libvulkan.so.1"), ["engine /opt/llama/bin/devices", "loader /opt/vulkan/lib/libvulkan.so.1"]);
    assert_eq!(chain("share/drirc.d/00-small.conf").last().unwrap(), "data /opt/vulkan/share/drirc.d/00-small.conf");
    let ran = project.run(&["why", "/usr/lib/x86_64-linux-gnu/libc.so.6"]).code(0);
    assert!(ran.stdout.contains("is not in the runtime"), "{}", ran.all());
    let ran = project.run(&["why", "lib/libnam.so.1"]).code(9);
    assert!(ran.stderr.contains("libname.so.1"), "{}", ran.all());
    project.run(&["why", "lib/libname.so.1", "--output", "llama"]).code(2);

    let json = project.run(&["runtime", "--explain", "--json"]).code(0).json();
    let host: Vec<&str> = json["host"].as_array().unwrap().iter().map(|one| one["library"].as_str().unwrap()).collect();
    assert!(host.contains(&"libc.so.6") && host.iter().all(|name| !name.contains("vulkan")), "{host:?}");
    assert_eq!(json["files"]["lib/libextra.so.3"]["rule"], "opens");
    let ran = project.run(&["runtime", "--explain"]).code(0);
    assert!(ran.stdout.contains("is the driver that the manifest names"), "{}", ran.all());

    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    assert!(page.contains("| drivers | `small` |") || page.contains("drivers") && page.contains("small"), "{page}");
    assert!(page.contains("The C library (glibc) is that of the system"), "{page}");
    project.run(&["audit", "--check"]).code(0);
    project.run(&["check", "drivers"]).code(0);
}

#[test]
fn an_image_has_the_drivers_and_the_variables_that_lead_to_them() {
    let image = "\n[outputs.image]\ntype = \"image\"\nname = \"v\"\nbase = \"sysroot\"\n\
                 runtime = \"drivers\"\nengine = \"llama\"\n";
    let project = project(&WHOLE, &format!("{OUTPUT}{image}"));
    project.run(&["update"]).code(0);
    project.run(&["realize", "image"]).code(0);
    let layout = project.store("main").join("current/image");
    let json = |path: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(layout.join(path)).unwrap()).unwrap()
    };
    let blob = |of: &serde_json::Value| json(&format!("blobs/{}", of["digest"].as_str().unwrap().replace(':', "/")));
    let config = blob(&blob(&json("index.json")["manifests"][0])["config"]);
    let env: Vec<&str> = config["config"]["Env"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    for variable in [
        "LD_LIBRARY_PATH=/opt/llama/lib:/opt/vulkan/lib",
        "VK_DRIVER_FILES=/opt/vulkan/share/vulkan/icd.d/small_icd.json",
        "VK_LOADER_LAYERS_DISABLE=~all~",
    ] {
        assert!(env.contains(&variable), "{variable} {env:?}");
    }
    assert_eq!(config["config"]["Labels"]["io.strixlock.vulkan.drivers"], "small");
    let history = config["history"].to_string();
    assert!(history.contains("Vulkan runtime"), "{history}");
}

#[test]
fn what_the_root_or_the_engine_lacks_is_named() {
    let failed = |parts: &Parts, code: i32, told: &[&str]| {
        let project = project(parts, OUTPUT);
        project.run(&["update"]).code(0);
        let ran = project.run(&["realize"]).code(code);
        for text in told {
            assert!(ran.stderr.contains(text), "{text}: {}", ran.all());
        }
        assert!(!project.store("main").join("current").exists(), "nothing became visible");
    };
    failed(&Parts { manifest: None, ..WHOLE }, 9, &["the root has no Vulkan driver `small`", "mesa-vulkan-drivers"]);
    failed(
        &Parts { name: false, ..WHOLE },
        1,
        &["libname.so.1", "/opt/vulkan/lib/libvulkan_small.so", "small_icd.json"],
    );
    failed(&Parts { manifest: Some("{ \"ICD\": 7"), ..WHOLE }, 3, &["malformed manifest", "small_icd.x86_64.json"]);
    let gone = r#"{ "ICD": { "api_version": "1.1.0", "library_path": "../../no/libvulkan_none.so" } }"#;
    failed(&Parts { manifest: Some(gone), ..WHOLE }, 1, &["lacks the library of the Vulkan driver `small`"]);
    failed(&Parts { loader: false, ..WHOLE }, 3, &["the engine does not use Vulkan", "libvulkan.so.1"]);
    let none = r#"{ "ICD": { "api_version": "1.1.0", "library_path": "/usr/lib/x86_64-linux-gnu/libc.so.6" } }"#;
    failed(&Parts { manifest: Some(none), ..WHOLE }, 3, &["C library"]);
}

#[test]
fn a_driver_is_named_once_by_a_plain_name() {
    for (drivers, told) in [
        ("[]", "missing driver"),
        ("[\"../x\"]", "invalid driver"),
        ("[\"a:b\"]", "invalid driver"),
        ("[\"lavapipe\", \"lvp\"]", "a driver is named twice"),
    ] {
        let project = Project::new();
        project.write(
            "manifests/strix.toml",
            &format!(
                "{REQUIRES}[inputs.llama-cpp]\ntype = \"git\"\nurl = \"https://host/x\"\n[outputs.llama]\ntype = \"llama\"\nbackend = \"vulkan\"\n\
                 [outputs.drivers]\ntype = \"vulkan\"\ndrivers = {drivers}\n"
            ),
        );
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains(told), "{told}: {}", ran.all());
    }
}
