//! `strixlock provision` and `export containerfile`, with engines that record their arguments, and files.

mod containerfile;
mod of_lock;

use std::os::unix::fs::PermissionsExt;

use crate::support::{Project, Ran};

const IMAGE: &str = "registry.example/toolbox@sha256:f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a";

/// Puts stand-ins on PATH that write their arguments to `calls` and answer like a new engine: no container exists, and a
/// new one has a GPU and llama-cli.
pub fn stand_ins(project: &Project, names: &[&str]) {
    for name in names {
        let text = r#"#!/bin/sh
case "$*" in 'info --format json') echo "{\"host\": {\"ociRuntime\": {\"name\": \"${RUNTIME-crun}\"}}}"; exit 0 ;; esac
printf '%s' "${0##*/}" >> "$CALLS"
for word; do case $word in *printf*) word='(checks)' ;; esac; printf ' [%s]' "$word" >> "$CALLS"; done
echo >> "$CALLS"
case "$1 $2" in
  'container exists' | 'container inspect') exit "${THERE:-1}" ;;
  'image exists' | 'image inspect') exit "${HAS:-1}" ;;
  'exec '* | 'enter '* | 'run '*) printf '/dev/kfd\t%s\n/dev/dri/renderD128\tusable\nllama-cli\tfound\n' "${KFD:-usable}" ;;
esac
exit "${FAIL:-0}"
"#;
        project.write(&format!("bin/{name}"), text);
        std::fs::set_permissions(project.path(&format!("bin/{name}")), PermissionsExt::from_mode(0o755)).unwrap();
    }
}

/// Runs with only the stand-ins on PATH. Returns their arguments too.
pub fn run(project: &Project, arguments: &[&str], variables: &[(&str, &str)]) -> (Ran, String) {
    let mut command = project.command(arguments);
    std::fs::create_dir_all(project.path("bin")).unwrap();
    command.env("PATH", project.path("bin")).env("CALLS", project.path("calls"));
    command.envs(variables.iter().copied());
    let ran = project.finish(command.output().unwrap());
    let calls = std::fs::read_to_string(project.path("calls")).unwrap_or_default();
    let _ = std::fs::remove_file(project.path("calls"));
    (ran, calls.replace(project.directory.path().to_str().unwrap(), "[DIR]"))
}

#[test]
fn an_engine_is_told_to_make_the_container_and_it_is_checked_inside() {
    let project = Project::empty();
    stand_ins(&project, &["podman"]);
    let (ran, calls) = run(&project, &["-q", "provision", "podman", "--image", IMAGE], &[]);
    insta::assert_snapshot!(ran.code(0).all(), @r"
    exit code 0
    --- stdout
    /dev/kfd                  usable
    /dev/dri/renderD128       usable
    llama-cli                 found
    next: podman exec -it strix bash
    ");
    let calls: Vec<&str> = calls.lines().map(|line| line.split("] [--").next().unwrap()).collect();
    insta::assert_snapshot!(calls.join("\n"), @r"
    podman [container] [exists] [strix]
    podman [image] [exists] [registry.example/toolbox@sha256:f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a]
    podman [pull] [registry.example/toolbox@sha256:f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a]
    podman [create
    podman [start] [strix]
    podman [exec] [strix] [sh] [-c] [(checks)] [sh] [/opt/rocm/bin] [/opt/llama/bin] [rocminfo] [hipcc] [llama-cli] [llama-server] [llama-bench]
    ");
}

#[test]
fn each_engine_is_checked_in_its_own_way() {
    for (engine, inside) in [
        ("distrobox", "distrobox [enter] [--no-tty] [strix] [--] "),
        ("toolbox", "toolbox [run] [--container] [strix] "),
        ("docker", "docker [exec] [strix] "),
    ] {
        let project = Project::empty();
        stand_ins(&project, &[engine, "distrobox-assemble", "podman"]);
        let (ran, calls) = run(&project, &["provision", engine, "--image", IMAGE], &[]);
        let ran = ran.code(0);
        let looked = "[sh] [-c] [(checks)] [sh] [/opt/rocm/bin] [/opt/llama/bin] [rocminfo] [hipcc] [llama-cli] \
                      [llama-server] [llama-bench]";
        assert_eq!(calls.lines().last().unwrap(), format!("{inside}{looked}"), "{}", ran.all());
        assert!(ran.stdout.contains("next: "), "{}", ran.all());
    }
}

#[test]
fn a_container_that_is_there_is_refused_unless_forced() {
    let project = Project::empty();
    stand_ins(&project, &["podman"]);
    let (ran, calls) = run(&project, &["provision", "podman", "--image", IMAGE], &[("THERE", "0")]);
    assert!(ran.stderr.contains("a container of that name already exists"), "{}", ran.all());
    assert_eq!((ran.code, calls.as_str()), (1, "podman [container] [exists] [strix]\n"));
    let (ran, calls) = run(&project, &["provision", "podman", "--image", IMAGE, "-f"], &[("THERE", "0"), ("HAS", "0")]);
    ran.code(0);
    assert_eq!(calls.lines().nth(2), Some("podman [rm] [--force] [strix]"));
}

#[test]
fn the_old_container_stays_where_the_image_cannot_be_had() {
    let project = Project::empty();
    stand_ins(&project, &["podman"]);
    let arguments = ["provision", "podman", "--image", IMAGE, "--force"];
    let (ran, calls) = run(&project, &arguments, &[("THERE", "0"), ("FAIL", "125")]);
    assert!(ran.code(1).stderr.contains("podman pull registry.example/toolbox@"));
    assert!(!calls.contains("[rm]"), "{calls}");
}

#[test]
fn a_container_without_a_gpu_has_an_exit_code() {
    let project = Project::empty();
    stand_ins(&project, &["docker"]);
    let (ran, _) = run(&project, &["provision", "docker", "--image", IMAGE, "--json"], &[("KFD", "missing")]);
    let json = ran.code(10).json();
    assert_eq!(json["checks"][0], serde_json::json!({ "name": "/dev/kfd", "state": "missing" }));
}

#[test]
fn an_engine_that_fails_or_is_not_there_is_told() {
    let project = Project::empty();
    let (ran, _) = run(&project, &["provision", "podman", "--image", IMAGE], &[]);
    assert!(ran.code(1).stderr.contains("podman is not installed"));
    let (ran, _) = run(&project, &["provision", "--image", IMAGE], &[]);
    assert!(ran.code(9).stderr.contains("none of distrobox, toolbox, podman and docker is installed"));
    stand_ins(&project, &["podman"]);
    let (ran, _) = run(&project, &["provision", "--image", IMAGE], &[("FAIL", "125"), ("HAS", "0")]);
    assert!(ran.code(1).stderr.contains("the engine failed; see its output above\n  command  podman create"));
}

#[test]
fn an_image_without_a_digest_is_refused_before_any_work() {
    let project = Project::empty();
    stand_ins(&project, &["podman"]);
    let (ran, calls) = run(&project, &["provision", "podman", "--image", "docker.io/library/ubuntu:24.04"], &[]);
    insta::assert_snapshot!(ran.code(2).all(), @r"
    exit code 2
    --- stderr
    error: missing digest in image name
      image  docker.io/library/ubuntu:24.04
    hint: a tag can be moved: `skopeo inspect --format '{{.Name}}@{{.Digest}}' docker://docker.io/library/ubuntu:24.04` prints the name with its digest; so does `podman image inspect --format '{{index .RepoDigests 0}}' docker.io/library/ubuntu:24.04` after a pull
    ");
    assert!(calls.is_empty());
    let (ran, _) = run(&project, &["provision", "podman"], &[]);
    assert!(ran.code(2).stderr.contains("missing image: none is named, and there is no lock"));
}

#[test]
fn a_file_is_written_and_not_replaced_unless_forced() {
    let project = Project::empty();
    project.write("models/m.gguf", "");
    for (engine, file) in [
        ("quadlet", "strix-server.container"),
        ("compose", "compose.yaml"),
        ("devcontainer", ".devcontainer/devcontainer.json"),
        ("llama-swap", "llama-swap.yaml"),
    ] {
        let arguments =
            ["provision", engine, "--image", IMAGE, "--models", "models", "--model", "m.gguf", "--to", "out"];
        let (ran, _) = run(&project, &[&arguments[..], &["--dry-run"]].concat(), &[]);
        assert!(ran.code(0).stdout.contains(&format!("--- [DIR]/project/out/{file}\n")));
        assert!(!project.path("out").join(file).exists());
        let (ran, _) = run(&project, &arguments, &[]);
        assert!(ran.code(0).stdout.starts_with(&format!("wrote [DIR]/project/out/{file}\nnext: ")));
        let first = project.read(&format!("out/{file}"));
        assert!(first.contains("registry.example/toolbox@sha256:f5ed"), "{first}");
        let (ran, _) = run(&project, &arguments, &[]);
        assert!(ran.code(1).stderr.contains("the file already exists"));
        let (ran, _) = run(&project, &[&arguments[..], &["--force"]].concat(), &[]);
        ran.code(0);
        assert_eq!(project.read(&format!("out/{file}")), first);
    }
}

#[test]
fn what_llama_cpp_an_image_has_is_not_guessed() {
    let project = Project::empty();
    project.write("models/m.gguf", "");
    let arguments =
        ["provision", "compose", "--image", IMAGE, "--models", "models", "--model", "m.gguf", "--to", "out"];
    let (ran, _) = run(&project, &arguments, &[]);
    let ran = ran.code(0);
    assert!(ran.stderr.contains("add the option against memory-mapping the model yourself"), "{}", ran.all());
    let file = project.read("out/compose.yaml");
    assert!(!file.contains("mmap") && !file.contains("load-mode"), "{file}");
}

#[test]
fn models_that_are_missing_are_not_written_down() {
    let project = Project::empty();
    project.write("models/m.gguf", "");
    for (models, model, told) in [
        ("nowhere", "m.gguf", "missing directory of models"),
        ("~/models", "m.gguf", "path  [DIR]/home/models"),
        ("models", "other.gguf", "missing model"),
    ] {
        let arguments = ["provision", "compose", "--image", IMAGE, "--models", models, "--model", model, "--to", "out"];
        let (ran, _) = run(&project, &arguments, &[]);
        let ran = ran.code(9);
        assert!(ran.stderr.contains(told), "{}", ran.all());
        assert!(!project.path("out").exists());
        // A dry run may be for another machine.
        let (ran, _) = run(&project, &[&arguments[..], &["--dry-run"]].concat(), &[]);
        assert!(ran.code(0).stderr.contains("warning: missing "));
    }
}

#[test]
fn a_container_that_cannot_be_started_is_removed_again() {
    let project = Project::empty();
    stand_ins(&project, &["podman"]);
    let podman = project.read("bin/podman").replace(
        "case \"$1 $2\" in\n",
        "case \"$1\" in create) : > \"$CALLS.made\" ;; start) exit 125 ;; rm) rm -f \"$CALLS.made\" ;; esac\n\
         case \"$1 $2\" in\n  'container exists') [ -e \"$CALLS.made\" ]; exit ;;\n",
    );
    project.write("bin/podman", &podman);
    std::os::unix::fs::symlink("/bin/rm", project.path("bin/rm")).unwrap();
    let (ran, calls) = run(&project, &["provision", "podman", "--image", IMAGE], &[]);
    let ran = ran.code(1);
    assert!(ran.stderr.contains("container  removed again"), "{}", ran.all());
    assert!(calls.contains("podman [rm]"), "{calls}");
    // The next run finds no container in its way.
    let (ran, _) = run(&project, &["provision", "podman", "--image", IMAGE], &[]);
    assert!(!ran.code(1).stderr.contains("a container of that name already exists"));
}

#[test]
fn the_image_that_one_works_in_serves_nothing() {
    let project = Project::empty();
    project.write("models/m.gguf", "");
    project.write(".toolbox.env", &format!("TOOLBOX_NAME=mine\nBASE_IMAGE={IMAGE}\n"));
    let arguments = ["provision", "quadlet", "--models", "models", "--model", "m.gguf", "--to", "out"];
    let (ran, _) = run(&project, &arguments, &[]);
    assert!(ran.code(2).stderr.contains("missing image: none is named"));
    let (ran, _) = run(&project, &[&arguments[..], &["--image", IMAGE]].concat(), &[]);
    ran.code(0);
    assert!(project.read("out/strix-server.container").contains("ContainerName=strix-server\n"));
}

#[test]
fn a_service_does_not_take_the_name_of_a_container() {
    let project = Project::empty();
    stand_ins(&project, &["podman"]);
    project.write("models/m.gguf", "");
    for engine in ["quadlet", "llama-swap"] {
        let arguments = [
            "provision",
            engine,
            "--image",
            IMAGE,
            "--models",
            "models",
            "--model",
            "m.gguf",
            "--to",
            "o",
            "--name",
            "mine",
        ];
        let (ran, _) = run(&project, &arguments, &[("THERE", "0")]);
        assert!(ran.code(1).stderr.contains("a container of that name already exists"));
    }
}

#[test]
fn settings_are_taken_from_toolbox_env_which_is_never_run() {
    let project = Project::empty();
    stand_ins(&project, &["distrobox", "distrobox-assemble", "podman"]);
    let workspace = project.path("work");
    std::fs::create_dir_all(&workspace).unwrap();
    let text = format!("TOOLBOX_NAME=mine\nBASE_IMAGE={IMAGE}\nWORKSPACE_DIR={}\nODD=1\n", workspace.display());
    project.write(".toolbox.env", &text);
    let (ran, calls) = run(&project, &["provision"], &[]);
    let ran = ran.code(0);
    assert!(ran.stderr.contains("unknown setting `ODD`"), "{}", ran.all());
    assert!(ran.stdout.starts_with("wrote [DIR]/project/work/distrobox.ini\n"), "{}", ran.all());
    assert!(calls.contains("distrobox [assemble] [create] [--file] [distrobox.ini]\n"), "{calls}");
    assert!(project.read("work/distrobox.ini").starts_with("[mine]\nimage=registry.example/toolbox@sha256:"));
    project.write(".toolbox.env", &format!("{text}TOOLBOX_NAME=$(touch ran)\n"));
    let (ran, calls) = run(&project, &["provision", "--force"], &[]);
    insta::assert_snapshot!(ran.code(3).all(), @r"
    exit code 3
    --- stderr
    error: .toolbox.env:5: a shell would expand or run this value
      value  $(touch
    hint: write the literal value, or put it in single quotes
    ");
    assert!(calls.is_empty() && !project.path("ran").exists());
}

#[test]
fn a_distrobox_that_reads_no_files_is_refused_before_one_is_written() {
    let project = Project::empty();
    stand_ins(&project, &["distrobox", "podman"]);
    let (ran, calls) = run(&project, &["provision", "distrobox", "--image", IMAGE], &[]);
    assert!(ran.code(1).stderr.contains("use distrobox 1.5 or newer"));
    assert!(calls.is_empty() && !project.path("distrobox.ini").exists(), "{calls}");
}

#[test]
fn a_containerfile_installs_what_is_locked() {
    let project = Project::new();
    project.rocm_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    let ran = project.run(&["export", "containerfile", "--image", IMAGE]).code(0);
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    let digest = lock["inputs"]["rocm"]["locked"]["sha256"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    insta::assert_snapshot!(ran.stdout.replace(digest, "[SHA256]"), @r#"
    # Written by `strixlock export containerfile` from the lock: ROCm 10.1.0a20260901 and nothing that the lock does not name.
    FROM registry.example/toolbox@sha256:f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a AS rocm
    # Another place that has the same bytes will do: what counts is the digest.
    ARG ROCM_URL="[UPSTREAM]/rocm/core/tarball/therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz"
    RUN set -eu; \
        for tool in basename cat curl cut dirname gzip mkdir mkfifo mv sha256sum tar tee tr; do \
          command -v "$tool" > /dev/null || { echo "the base image lacks $tool" >&2; exit 1; }; \
        done; \
        mkdir -p "/opt/rocm" /parts; \
        mkfifo /tmp/copy; \
        sha256sum < /tmp/copy > /tmp/sum & \
        { curl --fail --silent --show-error --location --retry 5 "$ROCM_URL" || echo "$?" > /tmp/failed; } | tee /tmp/copy \
          | { tar -xzf - -C "/opt/rocm" --no-same-owner || echo "$?" > /tmp/broken; cat > /dev/null; }; \
        wait; \
        if [ -e /tmp/failed ]; then \
          echo "the download failed: curl ended with $(cat /tmp/failed) for $ROCM_URL" >&2; exit 1; \
        fi; \
        received=$(cut -c 1-64 /tmp/sum); \
        if [ "$received" != [SHA256] ]; then \
          echo "the download is not the locked one: locked [SHA256], received $received" >&2; exit 1; \
        fi; \
        if [ -e /tmp/broken ]; then echo "the tarball is the locked one, and tar cannot unpack it here" >&2; exit 1; fi; \
        for part in lib/llvm lib/rocblas lib/hipblaslt .kpack; do \
          into=/parts/$(basename "$part" | tr -d .)/opt/rocm; \
          mkdir -p "$into/$(dirname "$part")"; \
          if [ -d "/opt/rocm/$part" ] && [ ! -L "/opt/rocm/$part" ]; then mv "/opt/rocm/$part" "$into/$part"; fi; \
        done

    FROM registry.example/toolbox@sha256:f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a
    COPY --from=rocm /parts/llvm/ /
    COPY --from=rocm /parts/rocblas/ /
    COPY --from=rocm /parts/hipblaslt/ /
    COPY --from=rocm /parts/kpack/ /
    COPY --from=rocm /opt/rocm/ /opt/rocm/
    ENV PATH="/opt/rocm/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
        ROCM_PATH="/opt/rocm" HIP_PATH="/opt/rocm" HIP_PLATFORM="amd" \
        HIP_DEVICE_LIB_PATH="/opt/rocm/lib/llvm/amdgcn/bitcode"
    LABEL org.opencontainers.image.version="10.1.0a20260901" org.opencontainers.image.source="[UPSTREAM]/rocm/core/tarball/therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz"
    "#);
    project.run(&["export", "containerfile", "--image", "ubuntu"]).code(2);
    project.run(&["export", "containerfile", "--image", IMAGE, "--llama"]).code(9);
    project.run(&["export", "containerfile", "--image", IMAGE, "-o", "Containerfile"]).code(0);
    assert!(project.read("Containerfile").contains(digest));
}
