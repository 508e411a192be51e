//! Output `image` and `strixlock export oci`: images from the lock, without an engine.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use strixlock_demo::deb_maker::Deb;
use strixlock_demo::debs::{DebArchive, Package};
use strixlock_ground::digest::Sha256Digest;

use crate::support::{FIRST, Project, REQUIRES, SECOND, rocm_input};

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

/// A project with an archive of packages for a base, this nightly and these images.
pub fn with_images(images: &str) -> Project {
    let project = Project::new();
    let deb = || Deb::new("overwritten", "0");
    let packages = vec![
        Package::new("base-files", "12", &[]).holding(
            deb().file("etc/debian_version", b"12\n").directory("tmp").file("usr/share/base-files/profile", b"p"),
        ),
        Package::new("base-passwd", "3", &[])
            .holding(deb().file("usr/share/base-passwd/passwd.master", b"root:*:0:0:root:/root:/bin/sh\n")),
        Package::new("sudo", "1", &[]).holding(deb().program("usr/bin/sudo", b"s").file("etc/sudoers", b"rules")),
    ];
    let archive = DebArchive { packages, ..DebArchive::new(now() - 3600) };
    archive.serve(project.upstream().server(), "/debian").unwrap();
    std::fs::write(project.path("manifests/demo.gpg"), archive.key.keyring().unwrap()).unwrap();
    write_manifest(&project, FIRST, images);
    project.run(&["update"]).code(0);
    project
}

fn write_manifest(project: &Project, version: &str, images: &str) {
    let (base, index) = (project.base(), project.index());
    project.write(
        "manifests/strix.toml",
        &format!(
            "{REQUIRES}{}[inputs.sysroot]\ntype = \"debs\"\narchive = \"{base}debian\"\nsuite = \"demo\"\nkeyring = \"demo.gpg\"\n\
             packages = [\"base-files\", \"base-passwd\", \"sudo\"]\n\n[outputs.base]\ntype = \"sysroot\"\n\n{images}",
            rocm_input(&index, version)
        ),
    );
}

const TOOLBOX: &str = "[outputs.toolbox]\ntype = \"image\"\nbase = \"base\"\nrocm = \"rocm\"\n";
const LABELLED: &str = "labels = { \"com.github.containers.toolbox\" = \"true\" }\n";
const PLAIN: &str = "[outputs.plain]\ntype = \"image\"\nname = \"strixlock/plain\"\nbase = \"base\"\n";

/// The layout of an image and its manifest.
struct Image {
    layout: PathBuf,
    digest: String,
    manifest: Value,
}

impl Image {
    /// Realizes an image in a store.
    fn export(project: &Project, store: &str, arguments: &[&str]) -> Self {
        let arguments = [&["export", "oci", "--json"], arguments].concat();
        let output = project.command(&arguments).env("STRIXLOCK_STORE", project.store(store)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let layout = project.path("").join(said["path"].as_str().unwrap());
        let digest = said["digest"].as_str().unwrap().to_owned();
        let manifest = if layout.is_dir() { json(&blob(&layout, &digest)) } else { Value::Null };
        Self { layout, digest, manifest }
    }

    fn config(&self) -> Value {
        json(&blob(&self.layout, self.manifest["config"]["digest"].as_str().unwrap()))
    }

    fn layers(&self) -> Vec<String> {
        let layers = self.manifest["layers"].as_array().unwrap();
        layers.iter().map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns the names of its blobs, and checks that each has the digest in its name.
    fn blobs(&self) -> BTreeSet<String> {
        let entries = std::fs::read_dir(self.layout.join("blobs/sha256")).unwrap();
        let names: BTreeSet<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        for name in &names {
            let bytes = std::fs::read(self.layout.join("blobs/sha256").join(name)).unwrap();
            assert_eq!(Sha256Digest::of(&bytes).hex(), *name);
        }
        names
    }
}

fn blob(layout: &Path, digest: &str) -> Vec<u8> {
    std::fs::read(layout.join("blobs/sha256").join(digest.strip_prefix("sha256:").unwrap())).unwrap()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn an_image_is_the_same_in_every_store_with_any_number_of_threads() {
    let project = with_images(TOOLBOX);
    let one = Image::export(&project, "main", &["--jobs", "1"]);
    let other = Image::export(&project, "elsewhere/of/another/depth", &["--jobs", "3"]);
    assert_eq!(one.digest, other.digest);
    assert_eq!(one.blobs(), other.blobs());
    // Manifest, configuration, base, ROCm, and what the recipe adds.
    assert_eq!((one.blobs().len(), one.layers().len()), (5, 3));
    assert_eq!(one.digest, format!("sha256:{}", Sha256Digest::of(&blob(&one.layout, &one.digest)).hex()));
    project.run(&["check", "toolbox"]).code(0);
    project.run(&["verify"]).code(0);
}

#[test]
fn its_layers_are_the_trees_at_their_places() {
    let project = with_images(TOOLBOX);
    let image = Image::export(&project, "main", &[]);
    let config = image.config();
    let root = project.path("root");
    std::fs::create_dir(&root).unwrap();
    for (index, digest) in image.layers().iter().enumerate() {
        let archive = zstd::decode_all(&*blob(&image.layout, digest)).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][index], Sha256Digest::of(&archive).to_string());
        let file = project.path("layer.tar");
        std::fs::write(&file, &archive).unwrap();
        run(Command::new("tar").arg("-xpf").arg(&file).arg("-C").arg(&root).arg("--no-same-owner"));
        let listed = String::from_utf8(run(Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(&file))).unwrap();
        for line in listed.lines() {
            assert!(line.contains(" 0/0 ") && line.contains("1980-01-01"), "{line}");
        }
    }
    project.run(&["realize", "--to", "copies", "rocm", "base"]).code(0);
    run(Command::new("diff")
        .args(["-r", "--no-dereference"])
        .arg(project.path("copies/rocm"))
        .arg(root.join("opt/rocm")));
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    assert_eq!(text("etc/debian_version"), "12\n");
    assert_eq!(text("etc/passwd"), "root:*:0:0:root:/root:/bin/sh\n");
    assert_eq!(text("etc/profile"), "p");
    assert!(text("etc/group").contains("video:*:44:"));
    assert!(text("etc/profile.d/strixlock.sh").contains("export ROCM_PATH='/opt/rocm'\n"));
    let listed = String::from_utf8(run(Command::new("find").arg(&root).args(["-printf", "%m %P\\n"]))).unwrap();
    for line in
        ["1777 tmp", "1777 var/tmp", "700 root", "4755 usr/bin/sudo", "440 etc/sudoers", "755 opt", "644 etc/passwd"]
    {
        assert!(listed.lines().any(|one| one == line), "{line} {listed}");
    }
}

#[test]
fn distrobox_finds_a_toolbox_set_up() {
    let project = with_images(&format!("{TOOLBOX}{LABELLED}"));
    let image = Image::export(&project, "main", &[]);
    let configuration = zstd::decode_all(&*blob(&image.layout, image.layers().last().unwrap())).unwrap();
    let mut archive = tar::Archive::new(&*configuration);
    let names = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned());
    assert!(names.into_iter().any(|name| name == Path::new(".containersetupdone")));
}

#[test]
fn certificates_of_the_manifest_are_trusted_in_the_image() {
    const OWN: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";
    let project = with_images(PLAIN);
    let plain = Image::export(&project, "main", &["plain"]);
    let file = project.path("ca.pem");
    let ask = |text: &str, base: &str| {
        std::fs::write(&file, text).unwrap();
        let input = format!("[inputs.ca]\ntype = \"file\"\nurl = \"file://{}\"\n\n", file.display());
        let image = format!("[outputs.plain]\ntype = \"image\"\n{base}certificates = [\"ca\"]\n");
        write_manifest(&project, FIRST, &format!("{input}{image}"));
        project.run(&["update", "ca"])
    };
    ask(OWN, "base = \"base\"\n").code(0);
    let image = Image::export(&project, "main", &["plain"]);
    assert_ne!(image.digest, plain.digest);
    let layers = image.layers();
    let configuration = zstd::decode_all(&*blob(&image.layout, layers.last().unwrap())).unwrap();
    for path in ["etc/ssl/certs/ca-certificates.crt", "usr/lib/ssl/cert.pem"] {
        let mut archive = tar::Archive::new(&*configuration);
        let mut entries = archive.entries().unwrap().map(|entry| entry.unwrap());
        let mut entry = entries.find(|entry| entry.path().unwrap() == Path::new(path)).unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("{OWN}\n"), "{path}");
    }
    project.run(&["audit"]).code(0);
    assert!(
        project.read("REPRODUCIBLE.md").contains("- trusts: `the certificates of input ca, besides those of the base`")
    );
    // Other bytes are refused when the image is made, and no root is refused at once.
    ask("\u{1}\u{2} a key in another form", "base = \"base\"\n").code(0);
    let ran = project.run(&["export", "oci", "plain"]).code(3);
    assert!(ran.stderr.contains("not a file of certificates in PEM form"), "{}", ran.all());
    let ran = ask(OWN, "").code(3);
    assert!(ran.stderr.contains("needs `base`"), "{}", ran.all());
}

#[test]
fn it_says_what_it_is_made_from_and_how_it_is_run() {
    let project = with_images(TOOLBOX);
    let image = Image::export(&project, "main", &[]);
    let config = image.config();
    let labels = &config["config"]["Labels"];
    assert_eq!(labels, &image.manifest["annotations"]);
    assert_eq!(labels["io.strixlock.rocm.version"], FIRST);
    assert_eq!(labels["org.opencontainers.image.version"], format!("ROCm {FIRST} for gfx1151"));
    let derivation = project.run(&["lock", "digest", "toolbox"]).code(0).stdout;
    assert_eq!(labels["io.strixlock.lock-digest"], derivation.trim());
    assert_eq!(config["created"], "1980-01-01T00:00:00Z");
    assert_eq!((&config["os"], &config["architecture"]), (&"linux".into(), &"amd64".into()));
    let env: Vec<&str> = config["config"]["Env"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert!(env.contains(&"HIP_PATH=/opt/rocm") && env.contains(&"LD_LIBRARY_PATH=/opt/rocm/lib"), "{env:?}");
    let index: Value = json(&std::fs::read(image.layout.join("index.json")).unwrap());
    assert_eq!(index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"], "toolbox");
}

#[test]
fn images_of_neighbouring_nightlies_share_every_layer_whose_input_did_not_change() {
    let images = format!("{TOOLBOX}\n{PLAIN}");
    let project = with_images(&images);
    let (before, plain) = (Image::export(&project, "main", &["toolbox"]), Image::export(&project, "main", &["plain"]));
    write_manifest(&project, SECOND, &images);
    project.run(&["update", "rocm"]).code(0);
    let after = Image::export(&project, "main", &["toolbox"]);
    assert_ne!(before.digest, after.digest);
    let differ: Vec<usize> = (0..3).filter(|index| before.layers()[*index] != after.layers()[*index]).collect();
    assert_eq!(differ, [1], "only ROCm is another layer");
    // Base and configuration stay; ROCm, what names it, and what names that are new.
    assert_eq!(before.blobs().intersection(&after.blobs()).count(), 2);
    assert_eq!(plain.layers()[0], before.layers()[0], "images of one lock have one base");
    assert_eq!(Image::export(&project, "main", &["plain"]).digest, plain.digest, "ROCm is no part of it");
}

#[test]
fn an_export_is_whole_and_the_second_one_finds_it_there() {
    let project = with_images(TOOLBOX);
    let image = Image::export(&project, "main", &[]);
    for _ in 0..2 {
        let copy = Image::export(&project, "main", &["toolbox", "--output", "out/layout"]);
        assert_eq!((copy.digest, copy.layout), (image.digest.clone(), project.path("out/layout")));
    }
    run(Command::new("diff").arg("-r").arg(&image.layout).arg(project.path("out/layout")));
    let archive = Image::export(&project, "main", &["--format", "archive"]).layout;
    assert_eq!(archive, project.path("toolbox.oci.tar"));
    Image::export(&project, "other", &["--format", "archive", "--output", "b.tar"]);
    assert!(std::fs::read(&archive).unwrap() == std::fs::read(project.path("b.tar")).unwrap());
    holds_what_docker_wants(&archive, &image);
    let ran = project.run(&["export", "oci", "--format", "archive"]).code(1);
    assert!(ran.stderr.contains("--force"), "{}", ran.all());
    project.run(&["export", "oci", "--format", "archive", "--force"]).code(0);
    std::fs::write(project.path("out/layout/index.json"), "{}").unwrap();
    assert!(project.run(&["export", "oci", "--output", "out/layout"]).code(1).stderr.contains("--force"));
    project.run(&["export", "oci", "--output", "out/layout", "--force"]).code(0);
    run(Command::new("diff").arg("-r").arg(&image.layout).arg(project.path("out/layout")));
    // None of this needs the upstream or the network.
    project.run(&["--offline", "export", "oci"]).code(0);
}

#[test]
fn gzip_gives_the_same_files_in_other_blobs() {
    let project = with_images(&format!("{PLAIN}\n{}compression = \"gzip\"\n", PLAIN.replace("plain", "gzip")));
    let (zstd, gzip) = (Image::export(&project, "main", &["plain"]), Image::export(&project, "main", &["gzip"]));
    assert_eq!(zstd.config()["rootfs"], gzip.config()["rootfs"]);
    assert_ne!(zstd.layers(), gzip.layers());
    assert_eq!(gzip.manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    let again = Image::export(&project, "other", &["gzip"]);
    assert_eq!(gzip.digest, again.digest);
}

#[test]
fn images_and_their_own_roots_are_made_when_they_are_named() {
    let project = with_images(TOOLBOX);
    let realized = project.run(&["realize", "--json"]).code(0).json();
    assert_eq!(realized["outputs"].as_object().unwrap().keys().collect::<Vec<_>>(), ["rocm"]);
    let named = project.run(&["realize", "toolbox", "--json"]).code(0).json();
    assert!(named["outputs"]["toolbox"].is_object(), "{named}");
    assert!(project.store("main").join("current/toolbox/oci-layout").is_file());
    project.run(&["realize", "--seal", "toolbox"]).code(0);
    let sealed = project.lock();
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), sealed);
    project.run_in_store("other", &["realize", "toolbox"]).code(0);
    project.run(&["audit"]).code(0);
    assert!(project.read("REPRODUCIBLE.md").contains("An OCI image"));
    project.run(&["gc", "--keep", "1"]).code(0);
    project.run(&["--offline", "export", "oci"]).code(0);
}

#[test]
fn damage_in_the_store_does_not_get_into_an_image() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = with_images(TOOLBOX);
    project.run(&["realize"]).code(0);
    let file = std::fs::canonicalize(project.store("main").join("current/rocm/bin/rocminfo")).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let ran = project.run(&["export", "oci"]).code(7);
    assert!(ran.stderr.contains("bin/rocminfo") && ran.stderr.contains("verify --repair"), "{}", ran.all());
    let left = std::fs::read_dir(project.store("main").join("tmp")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["partial"], "what is not whole is gone");
}

/// `docker load` finds configuration and layers by `manifest.json` in the archive, containerd by an annotation in the
/// index.
fn holds_what_docker_wants(archive: &Path, image: &Image) {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(std::fs::File::open(archive).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(name, bytes);
    }
    let told = json(&files["manifest.json"]);
    assert_eq!(told[0]["RepoTags"], serde_json::json!(["localhost/toolbox:latest"]));
    let path = |digest: &str| format!("blobs/sha256/{}", digest.trim_start_matches("sha256:"));
    assert_eq!(told[0]["Config"], path(image.manifest["config"]["digest"].as_str().unwrap()));
    let layers: Vec<String> = image.layers().iter().map(|digest| path(digest)).collect();
    assert_eq!(told[0]["Layers"], serde_json::json!(layers));
    assert!(layers.iter().all(|layer| files.contains_key(layer)));
    let index = json(&files["index.json"]);
    assert_eq!(index["manifests"][0]["annotations"]["io.containerd.image.name"], "localhost/toolbox:latest");
}

/// Uses a small file system of 64 kB, if the machine allows to mount one.
#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let allowed = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        return;
    }
    let project = with_images(TOOLBOX);
    project.run(&["realize", "toolbox"]).code(0);
    std::fs::create_dir(project.path("small")).unwrap();
    for format in ["layout", "archive"] {
        let script = format!(
            "mount -t tmpfs -o size=64k none small || exit 99; \"$0\" export oci --format {format} --output small/out; code=$?; \
             find small -mindepth 1 >&2; exit $code"
        );
        let usual = project.command(&[]);
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", &script, env!("CARGO_BIN_EXE_strixlock")]).env_clear();
        command.current_dir(project.path("")).envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran = project.finish(command.output().unwrap()).code(1);
        assert!(ran.stderr.contains("No space left") && !ran.stderr.contains("\nsmall/"), "{}", ran.all());
    }
}

#[test]
fn mistakes_in_the_manifest_are_shown() {
    let project = with_images("");
    for (lines, why) in [
        ("base = \"base\"\nfrom = \"rocm\"\n", "an image cannot have two bases"),
        ("base = \"rocm\"\n", "expected an output of type `sysroot`, but `rocm` has type `rocm`"),
        ("base = \"base\"\nrocm = \"rok\"\n", "there is no output `rok`"),
        ("base = \"base\"\nname = \"Big\"\n", "invalid image name"),
        ("base = \"base\"\nname = \"a//b\"\n", "invalid image name"),
        ("base = \"base\"\nprogram = \"llama-server\"\n", "`program` must be one of the engine's"),
        ("base = \"base\"\nuser = \"me; id\"\n", "invalid user"),
        ("base = \"base\"\ncompression = \"xz\"\n", "xz"),
        ("base = \"base\"\nenvironment = { \"A B\" = \"x\" }\n", "invalid entry in `environment`"),
        ("base = \"base\"\nlabels = { a = 1 }\n", "`a` must be a string"),
    ] {
        write_manifest(&project, FIRST, &format!("[outputs.bad]\ntype = \"image\"\n{lines}"));
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains(why), "{why} {}", ran.all());
    }
    write_manifest(&project, FIRST, "");
    project.run(&["update"]).code(0);
    assert!(project.run(&["export", "oci"]).code(9).stderr.contains("the lock has no image"));
    assert!(project.run(&["export", "oci", "rocm"]).code(2).stderr.contains("`rocm` is not an image but a rocm"));
}
