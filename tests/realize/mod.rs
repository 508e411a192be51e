//! `strixlock realize`, `generations`, `switch`, `rollback`, `log`, `status`.

mod follow;
mod prefix;

use std::process::Command;

use strixlock_demo::Upstream;

use crate::store::listed;
use crate::support::{FIRST, Project, SECOND};

#[test]
fn the_same_lock_gives_the_same_trees_anywhere() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let first = project.run(&["realize", "--json"]).code(0);
    let mut other = Command::new("sh");
    let command = project.command(&[]);
    other.args(["-c", "umask 077; exec \"$0\" realize --json --jobs 1"]).arg(command.get_program());
    other
        .env_clear()
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(project.path(""));
    other.env("STRIXLOCK_STORE", project.store("at/another/depth")).env("TZ", "Asia/Tokyo").env("LC_ALL", "C.UTF-8");
    other.env("CFLAGS", "-O0 -DHOST").env("SOURCE_DATE_EPOCH", "1").env("HOSTNAME", "elsewhere");
    let second = project.finish(other.output().unwrap()).code(0);
    for output in ["rocm", "llama", "runtime"] {
        assert_eq!(first.tree(output), second.tree(output), "{output}");
    }
}

#[test]
fn a_lock_is_realized_with_every_index_and_git_host_unreachable() {
    let mut project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let first = project.run(&["realize", "--json"]).code(0);
    // Upstream goes away. What the store has is enough; a new store needs a mirror, which is not asked for any index.
    let base = project.base().to_owned();
    drop(project.upstream.take());
    let again = project.run(&["realize", "--json"]).code(0);
    assert_eq!(first.tree("runtime"), again.tree("runtime"));
    let ran = project.run_in_store("new", &["realize"]).code(8);
    assert!(ran.stderr.contains("cannot be reached") || ran.stderr.contains("cannot be used"), "{}", ran.all());

    let mirror = Upstream::start(&project.directory.path().join("upstream")).unwrap();
    project.write(
        "strixlock.toml",
        &format!("mirrors = [{{ of = \"{base}\", at = \"{}\" }}]\n", mirror.server().url("/")),
    );
    let mirrored = project.run_in_store("new", &["realize", "--json"]).code(0);
    for output in ["rocm", "llama", "runtime"] {
        assert_eq!(first.tree(output), mirrored.tree(output), "{output}");
    }
    let log = mirror.server().log();
    assert!(log.iter().all(|request| !request.path.ends_with('/')), "an index was asked: {log:?}");
}

#[test]
fn nothing_but_the_lock_is_read() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    project.run(&["update"]).code(0);
    std::fs::remove_dir_all(project.path("manifests")).unwrap();
    std::fs::create_dir(project.path("manifests")).unwrap();
    project.run(&["realize", "--lock", "lock/strix.lock"]).code(0);
}

#[test]
fn the_plan_is_shown_before_anything_is_done() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run_in_store("first", &["update"]).code(0);
    let ran = project.run(&["realize", "--dry-run"]).code(0);
    let plan: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let steps: Vec<(&str, &str, &str)> = plan
        .iter()
        .filter_map(|words| {
            let at = words.iter().position(|word| matches!(*word, "input" | "output"))?;
            Some((words[0], words[at], words[at + 1]))
        })
        .collect();
    assert_eq!(
        steps,
        [
            ("fetch", "input", "rocm"),
            ("build", "output", "rocm"),
            ("fetch", "input", "llama-cpp"),
            ("build", "output", "llama"),
            ("build", "output", "runtime")
        ]
    );
    assert!(project.published("main").is_empty());
    let json = project.run(&["realize", "runtime", "--dry-run", "--json"]).code(0).json();
    assert!(json["bytes"].as_u64().unwrap() > 0);
    let status = project.run(&["status", "--json"]).code(0).json();
    assert_eq!(status["fresh"], true);
}

#[test]
fn copies_are_plain_and_whole() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    project.run(&["update"]).code(0);
    let tree = project.run(&["realize", "rocm", "--to", "out", "--json"]).code(0).tree("rocm");
    assert_eq!(project.run(&["hash", "out/rocm"]).code(0).stdout.trim(), tree);
    let info = std::fs::metadata(project.path("out/rocm/.info/version")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&info.permissions());
    assert_eq!(mode & 0o7777, 0o644);
    assert_eq!(std::os::unix::fs::MetadataExt::mtime(&info), 315_532_800);
    // There already: nothing to do. Something else there: refused, then replaced.
    project.run(&["realize", "rocm", "--to", "out"]).code(0);
    project.write("out/rocm/mine", "precious");
    let ran = project.run(&["realize", "rocm", "--to", "out"]).code(1);
    assert!(ran.stderr.contains("the target of the copy exists and is not this tree"), "{}", ran.all());
    assert_eq!(project.read("out/rocm/mine"), "precious");
    project.run(&["realize", "rocm", "--to", "out", "--force"]).code(0);
    assert!(!project.path("out/rocm/mine").exists());
    for mode in ["hardlink", "copy"] {
        project.run(&["realize", "rocm", "--to", mode, "--link-mode", mode]).code(0);
        assert_eq!(project.run(&["hash", &format!("{mode}/rocm")]).code(0).stdout.trim(), tree);
    }
}

#[test]
fn generations_are_switched_with_one_link() {
    let project = Project::realized(&[FIRST]);
    let ran = project.run(&["realize"]).code(0);
    assert!(ran.stdout.contains("generation 1 is current already"), "{}", ran.all());
    project.realize_rocm(SECOND);
    assert_eq!(listed(&project), ["  1 rocm 10.1.0a20260901", "* 2 rocm 10.1.0a20260902"]);
    let current = || std::fs::read_to_string(project.store("main").join("current/rocm/.info/version")).unwrap();
    let newer = std::fs::canonicalize(project.store("main").join("current/rocm")).unwrap();
    let ran = project.run(&["rollback"]).code(0);
    let (said, pinned) = ("switched from generation 2 to 1\n  rocm 10.1.0a20260902 -> 10.1.0a20260901\n", SECOND);
    assert_eq!(ran.stdout, said, "{}", ran.all());
    let reminder = format!("the lock still pins rocm {pinned}: `strixlock realize` goes back to that\n");
    assert_eq!(ran.stderr, reminder, "{}", ran.all());
    assert_ne!(newer, std::fs::canonicalize(project.store("main").join("current/rocm")).unwrap());
    assert!(current().starts_with("10.1.0"));
    let ran = project.run(&["rollback"]).code(9);
    assert!(ran.stderr.contains("no generation older than 1"), "{}", ran.all());
    let ran = project.run(&["switch", "2"]).code(0);
    assert_eq!(ran.stderr, "", "the lock pins this one: {}", ran.all());
    // Like `cd -`, back and forth.
    for there in ["from generation 2 to 1\n", "from generation 1 to 2\n"] {
        let ran = project.run(&["switch", "-"]).code(0);
        assert!(ran.stdout.contains(there), "{}", ran.all());
    }
    let ran = project.run(&["switch", "7"]).code(9);
    assert!(
        ran.stderr.contains("there is no generation 7\n") && ran.stderr.contains("there are  1, 2\n"),
        "{}",
        ran.all()
    );
    let ran = project.run(&["switch", "rocm"]).code(2);
    assert!(ran.stderr.contains("expected a number, as `strixlock generations` lists them, or `-`"), "{}", ran.all());
    // The lock of a generation brings it back.
    let ran = project
        .run(&["realize", "--lock", project.profile().join("generations/1/strix.lock").to_str().unwrap()])
        .code(0);
    assert!(ran.stdout.contains("switched from generation 2 to 1"), "{}", ran.all());
}

#[test]
fn a_sealed_output_that_comes_out_differently_is_told() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.run(&["realize", "--seal"]).code(0);
    let lock = project.lock();
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), lock, "update keeps the seal");
    project.run(&["realize"]).code(0);
    let mut value: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let sealed = value["outputs"]["llama"]["sealed"]["tree"].as_str().unwrap().to_owned();
    let wrong = format!("sha256:{}", "0".repeat(64));
    value["outputs"]["llama"]["sealed"]["tree"] = wrong.clone().into();
    crate::lock::seal(&mut value["outputs"]["llama"]);
    project.write("lock/strix.lock", &format!("{}\n", serde_json::to_string_pretty(&value).unwrap()));
    let ran = project.run_in_store("other", &["realize", "llama"]).code(6);
    assert!(ran.stderr.contains("error: llama: the output differs from the seal in strix.lock\n"), "{}", ran.all());
    assert!(ran.stderr.contains(&wrong) && ran.stderr.contains(&sealed), "{}", ran.all());
}

#[test]
fn a_failing_build_shows_the_end_of_its_log() {
    let project = Project::new();
    project.full_manifest(FIRST);
    let broken = format!(
        "{}\n[outputs.llama.cmake]\nCMAKE_CXX_FLAGS = \"--no-such-flag\"\n",
        project.read("manifests/strix.toml")
    );
    project.write("manifests/strix.toml", &broken);
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize", "llama"]).code(1);
    assert!(ran.stderr.contains("error: llama: `cmake -S /build/source` failed in the build"), "{}", ran.all());
    assert!(ran.stderr.contains("--no-such-flag"), "{}", ran.all());
    let status = project.run(&["status"]).code(0);
    assert!(
        status.stdout.lines().any(|line| line.contains("llama") && line.ends_with("not realized")),
        "{}",
        status.all()
    );
    // The log of the failure stays until a build succeeds.
    let ran = project.run(&["log", "llama"]).code(0);
    assert!(ran.stdout.contains("--no-such-flag"), "{}", ran.all());
    assert_eq!(ran.stderr, "the last build of llama failed; this is its log\n");
    assert_eq!(std::fs::read_dir(project.store("main").join("tmp")).unwrap().count(), 1, "only tmp/partial is left");
}

fn sandbox_in_tmp() -> strixlock::parts::Sandbox {
    strixlock::parts::Sandbox { directory: "/tmp".into(), scratch: std::env::temp_dir(), ..Default::default() }
}

/// The limits of the configuration hold for builds, and what was said until then is kept.
#[test]
fn a_build_that_goes_too_far_is_stopped() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.write("strixlock.toml", "log-bytes = 1000\n");
    let ran = project.run(&["realize", "llama"]).code(1);
    assert!(
        ran.stderr.contains("error: llama: the build printed more than 1.00 kB and was stopped\n"),
        "{}",
        ran.all()
    );
    assert!(ran.stderr.contains("`log-bytes` in the configuration") && ran.stderr.contains("  log "), "{}", ran.all());
    assert!(project.run(&["log", "llama"]).code(0).stdout.ends_with("and was stopped\n"));
    project.write("strixlock.toml", "silence-seconds = 600\n");
    project.run(&["realize", "llama"]).code(0);
}

#[test]
fn the_build_has_no_network_and_keeps_its_log() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.run(&["realize", "llama"]).code(0);
    let log = project.run(&["log", "llama", "--all"]).code(0).stdout;
    assert!(
        log.starts_with("sandbox: ") && log.contains("\n$ cmake -S /build/source -B /build/out -G Ninja -D"),
        "{log}"
    );
    let commands = project.run(&["log", "llama"]).code(0).stdout;
    assert!(commands.starts_with("$ cmake -S /build/source -B /build/out -G Ninja -D"), "{commands}");
    assert!(log.ends_with(&commands));
    // Without a running build there is the log of the last one.
    let ran = project.run(&["log", "llama", "--follow"]).code(0);
    assert_eq!(ran.stdout, commands);
    assert_eq!(ran.stderr, "no build of llama is running: this is the log of the last one\n");
    let about = project.run(&["log", "llama", "--about", "--json"]).code(0).json()["about"].clone();
    assert!(about["tools"]["cmake"].as_str().unwrap().starts_with("cmake version "), "{about}");
    assert_eq!(about["variables"]["GGML_NATIVE"], "OFF");
    let needed = about["needed"]["bin/llama-cli"].as_array().unwrap();
    assert!(needed.iter().any(|name| name.as_str().unwrap().starts_with("libllama.so")), "{about}");
    let mut sandbox = sandbox_in_tmp();
    sandbox.environment.insert("PATH".into(), "/usr/bin:/bin".into());
    let mut said = Vec::new();
    let script = "cat /proc/net/dev; env; ls /; id -u; hostname || cat /proc/sys/kernel/hostname; touch /usr/x || echo read-only";
    sandbox.run(&["sh".into(), "-c".into(), script.into()], &mut said, &mut |_| {}).unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(
        said.contains("lo:") && said.lines().filter(|line| line.contains(": ") && line.contains("  0")).count() <= 1,
        "{said}"
    );
    assert!(said.contains("strixlock\n") && said.contains("read-only\n") && said.contains("\n1000\n"), "{said}");
    assert!(!said.contains("HOME=") && !said.contains("\nhome\n") && !said.contains("\nroot\n"), "{said}");
}

#[test]
fn a_build_by_root_cannot_change_the_kernels_settings() {
    let mut sandbox = sandbox_in_tmp();
    sandbox.environment.insert("PATH".into(), "/usr/bin:/bin".into());
    // Opened for writing and nothing written: what is there stays.
    let script = "for f in /proc/sys/kernel/core_pattern /proc/sys/vm/swappiness; do (: >> $f) 2> /dev/null && echo open; done; exit 0";
    let mut said = Vec::new();
    sandbox.run(&["sh".into(), "-c".into(), script.into()], &mut said, &mut |_| {}).unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(!said.lines().any(|line| line == "open"), "{said}");
}

#[test]
fn a_build_that_asks_for_a_host_fails_by_its_name() {
    let mut sandbox = sandbox_in_tmp();
    sandbox.environment.insert("PATH".into(), "/usr/bin:/bin".into());
    let run = |script: &str| {
        let mut log = Vec::new();
        sandbox.run(&["sh".into(), "-c".into(), script.into()], &mut log, &mut |_| {}).map(|status| status.success())
    };
    // A script that goes on without its download does not get away with it.
    let error = run("getent ahosts github.com || true; getent hosts huggingface.co || true").unwrap_err();
    assert_eq!(error.kind(), strixlock_ground::error::Kind::Failure);
    assert!(error.message().contains("it looked up github.com, huggingface.co"), "{error}");
    assert!(run("getent ahosts localhost > /dev/null; exit 0").unwrap());
}

#[test]
fn what_can_show_in_a_build_is_in_its_derivation_id() {
    let project = Project::new();
    project.full_manifest(FIRST);
    let plain = project.read("manifests/strix.toml");
    let id = |manifest: &str, store: &str| {
        project.write("manifests/strix.toml", manifest);
        project.run_in_store(store, &["update"]).code(0);
        project.run_in_store(store, &["lock", "digest", "llama"]).code(0).stdout
    };
    let first = id(&plain, "main");
    assert_eq!(id(&format!("# a remark\n{plain}"), "main"), first);
    assert_eq!(id(&plain, "at/another/depth"), first);
    let flag = id(&format!("{plain}\n[outputs.llama.cmake]\nGGML_LLAMAFILE = false\n"), "main");
    let tree = id(&plain.replace(FIRST, SECOND), "main");
    project.upstream().add_llama_commit().unwrap();
    let commit = id(&plain, "main");
    let all = std::collections::BTreeSet::from([&first, &flag, &tree, &commit]);
    assert_eq!(all.len(), 4, "{all:?}");
}

#[test]
fn a_shell_opens_in_the_sandbox_of_a_build() {
    use std::io::Write as _;
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let mut command = project.command(&["shell", "llama", "--jobs", "3"]);
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"pwd; umask; cat commands.sh; ls /opt/rocm/lib; exit 7\n").unwrap();
    let ran = project.finish(child.wait_with_output().unwrap()).code(7);
    for part in ["/build/out\n", "0022\n", "'--parallel' '3'", "libamdhip64"] {
        assert!(ran.stdout.contains(part), "{}", ran.all());
    }
    project.run(&["shell", "rocm"]).code(2);
}

/// Ctrl-C comes to all that has the terminal, us included: what runs inside gets it, once, and the shell goes on.
#[test]
fn an_interrupt_is_for_what_runs_in_the_shell() {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let mut command = project.command(&["shell", "llama"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn().unwrap();
    let script = b"trap 'echo told' INT; echo ready; sleep 1000; echo after; exit 7\n";
    child.stdin.take().unwrap().write_all(script).unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    // Again and again, since nobody says when `sleep` has begun.
    let group = format!("-{}", child.id());
    let status = loop {
        Command::new("kill").args(["-s", "INT", "--", &group]).status().unwrap();
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("told\n") && rest.ends_with("after\n"), "{rest}");
    assert_eq!(status.code(), Some(7));
}

/// CMake takes any variable; a build with one that the source does not know is another build than was asked for.
#[test]
fn cmake_variables_that_the_source_does_not_know_are_an_error() {
    let project = Project::new();
    project.full_manifest(FIRST);
    let manifest = project.read("manifests/strix.toml");
    let with = |table: &str| {
        project.write("manifests/strix.toml", &format!("{manifest}\n[outputs.llama.cmake]\n{table}\n"));
        project.run(&["update"]).code(0);
        project.run(&["realize", "llama"])
    };
    for (table, told, hint) in [
        ("LLAMA_TYPO_OPTION = true", "unknown CMake variable `LLAMA_TYPO_OPTION`", "remove it from the manifest"),
        (
            "GGML_CPU_ALL_VARIANT = false",
            "unknown CMake variable `GGML_CPU_ALL_VARIANT`",
            "did you mean `GGML_CPU_ALL_VARIANTS`?",
        ),
        (
            "CMAKE_BULID_TYPE = \"Debug\"",
            "unknown CMake variable `CMAKE_BULID_TYPE`",
            "did you mean `CMAKE_BUILD_TYPE`?",
        ),
    ] {
        let ran = with(table).code(3);
        assert!(ran.stderr.contains(told) && ran.stderr.contains(hint), "{}", ran.all());
        // Known before anything is compiled.
        assert!(!ran.stderr.contains("cmake --build"), "{}", ran.all());
    }
    with("GGML_RPC = false\nCMAKE_POSITION_INDEPENDENT_CODE = true\nLLAMA_BUILD_NUMBER = \"7\"").code(0);
}

#[test]
fn unknown_outputs_are_named_with_those_there_are() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize", "rock"]).code(9);
    assert_eq!(ran.stderr, "error: the lock has no output `rock`\nhint: did you mean `rocm`?\n");
}

#[test]
fn a_prefix_holds_links_into_the_current_generation() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    project.run(&["update"]).code(0);
    let opt = project.path("opt");
    let opt = opt.to_str().unwrap();
    let ran = project.run(&["realize", "--prefix", opt]).code(1);
    assert!(ran.stderr.contains("the prefix is not a directory"), "{}", ran.all());
    project.write("opt/rocm/mine", "precious");
    let ran = project.run(&["realize", "--prefix", opt]).code(0);
    assert!(
        ran.stderr.contains(
            "[DIR]/project/opt/rocm was not made by strixlock: renamed to [DIR]/project/opt/rocm.before-strixlock-1"
        ),
        "{}",
        ran.all()
    );
    assert_eq!(project.read("opt/rocm.before-strixlock-1/mine"), "precious");
    assert!(project.read("opt/rocm/.info/version").starts_with("10.1.0"));
    let before = std::fs::canonicalize(project.path("opt/rocm")).unwrap();
    project.realize_rocm(SECOND);
    assert_ne!(std::fs::canonicalize(project.path("opt/rocm")).unwrap(), before, "the link follows the generation");
}

#[test]
fn no_link_takes_the_place_of_a_home_directory_or_of_another_output_however_it_is_named() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let home = project.directory.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join("mine"), "precious").unwrap();
    std::os::unix::fs::symlink(project.directory.path(), project.path("link")).unwrap();
    let realize = ["realize", "rocm", "--prefix-from", ".toolbox.env", "--force"];
    project.write(".toolbox.env", &format!("ROCM_HOME={}\n", home.display()));
    let ran = project.run(&realize).code(3);
    assert!(ran.stderr.contains(".toolbox.env:1: invalid directory for ROCM_HOME: it is the home"), "{}", ran.all());
    project.write(".toolbox.env", &format!("ROCM_HOME={}/home\n", project.path("link").display()));
    let ran = project.run(&realize).code(1);
    assert!(ran.stderr.contains("rocm: cannot create a link at this path: it is the home directory"), "{}", ran.all());
    assert!(home.join("mine").is_file() && !project.store("main").join("current").exists());
    // The place of ROCm is the manifest's.
    project.write(".toolbox.env", "LLAMA_HOME=/opt/rocm/llama\n");
    let ran = project.run(&["realize", "--prefix-from", ".toolbox.env", "--dry-run"]).code(1);
    assert!(ran.stderr.contains("the paths of two outputs overlap"), "{}", ran.all());
    // A slash at the end changes nothing.
    project.write(".toolbox.env", &format!("ROCM_HOME={}/\n", project.path("rocm").display()));
    for _ in 0..2 {
        project.run(&["realize", "rocm", "--prefix-from", ".toolbox.env"]).code(0);
        assert_eq!(std::fs::read_link(project.path("rocm")).unwrap(), project.profile().join("current/rocm"));
    }
}

#[test]
fn realizing_one_output_leaves_the_others_current() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    project.full_manifest(SECOND);
    project.run(&["update"]).code(0);
    project.run(&["realize", "rocm"]).code(0);
    for output in ["rocm", "llama", "runtime"] {
        assert!(project.store("main").join("current").join(output).exists(), "{output} is gone");
    }
}

/// A build installs a link where its directory should be: what it leads to is the host's.
#[test]
fn a_build_cannot_reach_out_through_what_it_installs() {
    let project = Project::empty();
    let victim = project.directory.path().join("victim");
    std::fs::create_dir(&victim).unwrap();
    std::fs::write(victim.join("secret"), "x").unwrap();
    let repository = project.directory.path().join("evil");
    std::fs::create_dir(&repository).unwrap();
    let lists = "cmake_minimum_required(VERSION 3.16)\nproject(evil NONE)\n\
        install(CODE \"file(MAKE_DIRECTORY \\$ENV{DESTDIR}/opt)\\nfile(CREATE_LINK VICTIM \\$ENV{DESTDIR}/opt/llama SYMBOLIC)\")\n";
    std::fs::write(repository.join("CMakeLists.txt"), lists.replace("VICTIM", victim.to_str().unwrap())).unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=master"]);
        assert!(command.args(arguments).current_dir(&repository).status().unwrap().success());
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "evil"]);
    let url = format!("file://{}", repository.display());
    let manifest = format!(
        "[inputs.llama-cpp]\ntype = \"git\"\nurl = \"{url}\"\n[outputs.llama]\ntype = \"llama\"\nbackend = \"cpu\"\n"
    );
    project.write("manifests/strix.toml", &manifest);
    project.run(&["update"]).code(0);
    let before = std::fs::metadata(victim.join("secret")).unwrap().permissions();
    let ran = project.run(&["realize"]).code(1);
    assert!(ran.stderr.contains("did not install a directory at its prefix"), "{}", ran.all());
    assert_eq!(std::fs::metadata(victim.join("secret")).unwrap().permissions(), before);
}

#[test]
fn outputs_are_shown_in_one_order_everywhere_before_and_after_they_are_made() {
    let project = Project::new();
    project.full_manifest(FIRST);
    let manifest = project.read("manifests/strix.toml");
    // Names that sort the other way than what is made from what.
    project.write("manifests/strix.toml", &manifest.replace("[outputs.runtime]", "[outputs.a-runtime]"));
    project.run(&["update"]).code(0);
    let first_words = |text: &str, column: usize| -> Vec<String> {
        let names = ["rocm", "llama", "a-runtime"];
        let words = text.lines().filter_map(|line| line.split_whitespace().nth(column)).map(str::to_owned);
        words.filter(|word| names.contains(&word.as_str())).collect()
    };
    let order = ["rocm", "llama", "a-runtime"];
    let outputs = |text: &str, column: usize| {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("output")).collect();
        first_words(&lines.join("\n"), column)
    };
    let status = || outputs(&project.run(&["status"]).code(0).stdout, 1);
    assert_eq!(status(), order);
    assert_eq!(outputs(&project.run(&["realize", "--dry-run"]).code(0).stdout, 2), order);
    assert_eq!(outputs(&project.run(&["realize", "a-runtime", "--dry-run"]).code(0).stdout, 2), order);
    assert_eq!(first_words(&project.run(&["realize"]).code(0).stdout, 0), order);
    assert_eq!(status(), order);
    assert_eq!(outputs(&project.run(&["realize", "--dry-run"]).code(0).stdout, 2), order);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    let table = page.split("| output | kind | tree | how sure |").nth(1).unwrap().split("\n\n").next().unwrap();
    assert_eq!(first_words(table, 1), order);
}
