//! `strixlock init`: a manifest that works on the machine it is written on.

use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use strixlock_demo::deb_maker::Deb;
use strixlock_demo::debs::{DebArchive, Key, Package};

use crate::support::{FIRST, Project, Ran};

/// Distributions by their /etc/os-release.
const DISTRIBUTIONS: [&str; 5] = [
    "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n",
    "ID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n",
    "ID=ubuntu\nVERSION_ID=\"24.04\"\nID_LIKE=debian\n",
    "ID=fedora\nVERSION_ID=43\n",
    "ID=arch\n",
];

/// A machine with these GPUs, by the driver's numbers.
fn machine(project: &Project, os_release: &str, gpus: &[u32]) {
    project.write("machine/etc/os-release", os_release);
    for (number, gpu) in gpus.iter().enumerate() {
        let node = format!("machine/sys/class/kfd/kfd/topology/nodes/{number}/properties");
        project.write(&node, &format!("gfx_target_version {gpu}\n"));
    }
}

/// Initializes on the made machine; what is said, without the line about sandboxes of the machine that runs the test.
fn init(project: &Project, arguments: &[&str]) -> Ran {
    let mut ran = project.run(&[&["init", "--root", "machine", "--force"], arguments].concat()).code(0);
    let kept = ran.stderr.split_inclusive('\n').filter(|line| !line.starts_with("builds do not work"));
    ran.stderr = kept.collect();
    ran
}

/// An archive that has every package of a new manifest, and brings its own key.
fn archive(project: &Project) -> (String, String) {
    init(project, &[]);
    let manifest: toml::Table = project.read("manifests/strix.toml").parse().unwrap();
    let inputs = manifest["inputs"].as_table().unwrap().values();
    let names = inputs.filter_map(|input| input.get("packages")?.as_array()).flatten();
    let mut names: Vec<&str> = names.map(|name| name.as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    let key = Key::new(1);
    let keyring = Deb::new("ubuntu-keyring", "1").file("usr/share/keyrings/own.gpg", &key.keyring().unwrap());
    let mut packages: Vec<Package> = names.into_iter().map(|name| Package::new(name, "1.0", &[])).collect();
    packages.push(Package::new("ubuntu-keyring", "1", &[]).holding(keyring));
    let archive = DebArchive { packages, ..DebArchive::new(crate::debs::now() - 3600) };
    archive.serve(project.upstream().server(), "/packages").unwrap();
    (project.upstream().server().url("/packages"), key.fingerprint().unwrap())
}

#[test]
fn init_and_update_work_on_every_distribution_without_its_keyring() {
    let project = Project::new();
    let (url, key) = archive(&project);
    let (index, git) = (project.index(), project.upstream().git_url());
    let mut locks = Vec::new();
    for os_release in DISTRIBUTIONS {
        machine(&project, os_release, &[]);
        init(
            &project,
            &["--source", &index, "--llama-url", &git, "--packages", &url, "--suite", "demo", "--key", &key],
        );
        let ran = project.run(&["update"]).code(0);
        if locks.is_empty() {
            assert!(ran.stdout.contains(&format!("  keys     {key} from ubuntu-keyring 1 of demo")), "{}", ran.all());
        }
        locks.push(project.lock());
    }
    assert!(locks.iter().all(|lock| *lock == locks[0]), "one lock serves all");
}

#[test]
fn init_tells_what_it_chose_and_what_comes_next() {
    let project = Project::empty();
    machine(&project, DISTRIBUTIONS[3], &[110_501]);
    let ran = init(&project, &["--packages", "https://packages.example/x", "--suite", "s", "--key", &"A".repeat(40)]);
    insta::assert_snapshot!(ran.all(), @r"
    exit code 0
    --- stdout
    wrote manifests/strix.toml
      target     gfx1151, the GPU of this machine
      channel    nightly: the newest nightly; `--channel stable` takes releases
      llama.cpp  built from https://github.com/ggml-org/llama.cpp
      web UI     that of the pinned build
      packages   s of https://packages.example/x
      keys       AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA, to be taken from the archive: no keyring here has it
    --- stderr
    next: `strixlock update`, and commit manifests/strix.toml and lock/strix.lock
    ");
    let manifest = project.read("manifests/strix.toml");
    assert!(manifest.contains(&format!("components = [\"main\"]\nkeys = [\"{}\"]\n", "A".repeat(40))), "{manifest}");
    let ran = init(&project, &["--channel", "stable", "--packages", "none"]);
    insta::assert_snapshot!(ran.stdout, @r"
    wrote manifests/strix.toml
      target     gfx1151, the GPU of this machine
      channel    stable: the newest release; `--channel nightly` takes nightlies
      llama.cpp  built from https://github.com/ggml-org/llama.cpp
      web UI     that of the pinned build
      packages   none: builds use the tools of this machine
    ");
    let json = init(&project, &["--json"]).json();
    assert_eq!((&json["target"], &json["channel"]), (&"gfx1151".into(), &"nightly".into()));
    assert_eq!(json["manifest"], "manifests/strix.toml");
}

#[test]
fn the_target_is_that_of_the_command_line_the_toolbox_or_the_machine() {
    let project = Project::empty();
    for (gpus, env, arguments, target, why) in [
        (&[][..], "", &[][..], "gfx1151", "Strix Halo; no GPU was found here, --target names another"),
        (&[120_001], "", &[], "gfx1201", "the GPU of this machine"),
        (&[110_000, 110_501], "", &[], "gfx1151", "of this machine's GPUs gfx1100, gfx1151"),
        (&[120_001], "GPU_TARGET=gfx1150\n", &[], "gfx1150", "from the settings of the toolbox"),
        (&[120_001], "GPU_TARGET=gfx1150\n", &["--target", "gfx942"], "gfx942", "as asked"),
        // A GPU that is newer than this program.
        (&[130_000], "", &[], "gfx1300", "the GPU of this machine"),
        (&[], "", &["--target", "gfx2001"], "gfx2001", "as asked"),
    ] {
        let _ = std::fs::remove_dir_all(project.path("machine"));
        machine(&project, "", gpus);
        project.write(".toolbox.env", env);
        let ran = init(&project, arguments);
        assert!(ran.stdout.contains(&format!("  target     {target}, {why}\n")), "{}", ran.all());
        assert!(project.read("manifests/strix.toml").contains(&format!("target = \"{target}\"")), "{target}");
    }
}

#[test]
fn a_mistyped_target_is_refused_with_the_likely_one() {
    let project = Project::empty();
    for (wrong, likely) in [("gfx115", "gfx1151"), ("gfx1511", "gfx1151"), ("gfx1131", "gfx1151")] {
        let ran = project.run(&["init", "--target", wrong]).code(2);
        assert!(ran.stderr.contains(&format!("unknown GPU target `{wrong}`")), "{}", ran.all());
        assert!(ran.stderr.contains(&format!("hint: did you mean `{likely}`?")), "{}", ran.all());
    }
    project.write(".toolbox.env", "GPU_TARGET=gfx115\n");
    project.run(&["init"]).code(3);
    assert!(!project.path("manifests/strix.toml").exists());
}

/// Both channels stand for the same in manifest and look-up.
#[test]
fn a_manifest_of_each_channel_is_resolved() {
    let project = Project::new();
    for version in ["10.1.0", "10.2.0"] {
        let nightly = strixlock_demo::Nightly::new(version);
        project.upstream().publish(strixlock_demo::Generation::Streams, &nightly);
    }
    let (index, git) = (project.index(), project.upstream().git_url());
    for (channel, version) in [("stable", "10.2.0"), ("nightly", "10.2.0a20261120")] {
        init(&project, &["--channel", channel, "--source", &index, "--llama-url", &git, "--packages", "none"]);
        let ran = project.run(&["update"]).code(0);
        let line = ran.stdout.lines().find(|line| line.starts_with("rocm ")).unwrap_or_default();
        assert!(line.split(' ').any(|word| word == version), "{}", ran.all());
    }
    let ran = project.run(&["init", "--force", "--channel", "stabel"]).code(2);
    assert!(ran.stderr.contains("did you mean `stable`?"), "{}", ran.all());
}

#[test]
fn a_second_init_leaves_the_first_manifest_alone() {
    let project = Project::empty();
    project.run(&["init"]).code(0);
    project.write("manifests/strix.toml", "# mine\n");
    insta::assert_snapshot!(project.run(&["init"]).code(1).stderr, @r"
    error: the manifest already exists
      path  manifests/strix.toml
    hint: edit it, or replace it with --force
    ");
    assert_eq!(project.read("manifests/strix.toml"), "# mine\n");
}

/// A program started by a shell, with whatever this script does before.
fn by_shell(project: &Project, script: &str) -> Command {
    let plain = project.command(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(plain.get_program()).current_dir(project.path("")).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

#[test]
fn a_full_disk_leaves_no_half_of_a_manifest() {
    let allowed = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        return;
    }
    let project = Project::empty();
    std::fs::create_dir_all(project.path("manifests")).unwrap();
    let script = "unshare -rm sh -c 'mount -t tmpfs -o size=4k none manifests || exit 99; \
        echo old > manifests/strix.toml; \"$0\" init --force; code=$?; ls -A manifests; cat manifests/strix.toml; exit $code' \"$0\"";
    let ran = project.finish(by_shell(&project, script).output().unwrap()).code(1);
    assert!(ran.stderr.contains("error: cannot write manifests/strix.toml\n"), "{}", ran.all());
    assert!(ran.stderr.contains("No space left on device"), "{}", ran.all());
    assert!(
        ran.stderr.contains("hint: free some space for manifests, and run the same command again\n"),
        "{}",
        ran.all()
    );
    assert_eq!(ran.stdout, "strix.toml\nold\n");
}

#[test]
fn a_closed_or_full_stderr_changes_nothing() {
    for place in ["2>&-", "2>/dev/full", "2>&- <&-"] {
        let project = Project::new();
        project.rocm_manifest(FIRST);
        let script = format!("\"$0\" update {place} && \"$0\" realize {place} && \"$0\" nothing {place}");
        let ran = project.finish(by_shell(&project, &script).output().unwrap());
        assert_eq!(ran.code, 2, "{place}: {}", ran.all());
        assert!(ran.stdout.contains("wrote lock/strix.lock"), "{place}: {}", ran.all());
    }
}

#[test]
fn a_home_that_is_missing_or_cannot_be_written_is_named() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    project.write("file", "");
    let home = project.path("file/home");
    let mut command = project.command(&["update"]);
    let ran = project.finish(command.env_remove("STRIXLOCK_STORE").env("HOME", home).output().unwrap()).code(1);
    insta::assert_snapshot!(ran.stderr, @r"
    error: cannot create the store
      store  [DIR]/project/file/home/.local/share/strixlock/store
      because Not a directory (os error 20)
    hint: choose a directory that you can write to, with --store or STRIXLOCK_STORE
    ");
    // A store that is named needs no home.
    for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        let mut command = project.command(&["update"]);
        project.finish(command.env_remove("HOME").env(variable, "").output().unwrap()).code(0);
    }
    let mut command = project.command(&["update"]);
    project.finish(command.env_remove("HOME").output().unwrap()).code(0);
    // A relative home is none: a store below it would be another in each directory.
    let mut command = project.command(&["update"]);
    let ran = project.finish(command.env_remove("STRIXLOCK_STORE").env("HOME", "home").output().unwrap());
    assert!(!project.path("home").exists(), "{}", ran.all());
}

#[test]
fn a_locale_without_utf_8_and_odd_directories_are_no_hindrance() {
    let project = Project::new();
    let (index, git) = (project.index(), project.upstream().git_url());
    let place = project.path("").join(std::ffi::OsStr::from_bytes(b"caf\xe9 \xff"));
    std::fs::create_dir(&place).unwrap();
    for arguments in [
        &["init", "--source", &index, "--llama-url", &git, "--packages", "none"][..],
        &["update"],
        &["status"],
        &["audit"],
    ] {
        let mut command = project.command(arguments);
        let output = command.env("LC_ALL", "C").current_dir(&place).output().unwrap();
        let ran = project.finish(output).code(0);
        // Bytes of the directory's name that are not UTF-8 are shown as replacement characters.
        assert!(ran.all().replace('\u{fffd}', "?").is_ascii(), "{}", ran.all());
    }
    assert!(place.join("lock/strix.lock").is_file());
}
