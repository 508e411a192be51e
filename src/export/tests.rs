use super::*;
use crate::host::{DeviceNode, Devices, NodeState};
use crate::llama_source::Options;

const IMAGE: &str =
    "registry.example/strix/server:1@sha256:f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a";

const HELP: &str = "--host HOST   address\n--port PORT   port\n-ngl, --gpu-layers N   layers\n-fa, --flash-attn MODE   attention\n\
                    -lm, --load-mode MODE   mode\n-m, --model FILE   model\n";

pub(super) fn wanted(engine: ContainerEngine) -> Wanted {
    Wanted {
        engine,
        name: "strix".to_owned(),
        image: IMAGE.parse().unwrap(),
        privileged: false,
        workspace: Some("/work".to_owned()),
        models: Some("/srv/models".to_owned()),
        model: engine.is_server().then(|| "gemma.gguf".to_owned()),
        cache: None,
        port: 8080,
        options: Options::in_help(HELP),
        programs: inside::Wanting::usual(),
    }
}

fn machine() -> Machine {
    let node = |path: &str, group| DeviceNode { path: path.to_owned(), state: NodeState::Usable, group };
    Machine {
        uid: 1001,
        gid: 100,
        home: "/home/me".to_owned(),
        host: "strix".to_owned(),
        devices: Devices {
            kfd: Some(node("/dev/kfd", 992)),
            render: vec![node("/dev/dri/renderD128", 992)],
            card_groups: vec![],
        },
        runtime: Runtime::Crun,
    }
}

pub(super) const ALL: [ContainerEngine; 8] = [
    ContainerEngine::Distrobox,
    ContainerEngine::Toolbox,
    ContainerEngine::Podman,
    ContainerEngine::Docker,
    ContainerEngine::Quadlet,
    ContainerEngine::Compose,
    ContainerEngine::Devcontainer,
    ContainerEngine::LlamaSwap,
];

pub(super) fn steps(wanted: &Wanted) -> crate::error::Result<Steps> {
    wanted.engine.steps(&wanted.container(&machine())?.0)
}

fn file(wanted: &Wanted) -> String {
    steps(wanted).unwrap().file.unwrap().text
}

#[test]
fn podman_and_docker_get_the_narrow_form() {
    let made = |wanted: &Wanted| crate::text::command_line(&steps(wanted).unwrap().create[0]);
    insta::assert_snapshot!(made(&wanted(ContainerEngine::Podman)), @"podman create --stop-timeout=1 --name=strix --device=/dev/kfd --device=/dev/dri --group-add=keep-groups --security-opt=label=disable --mount=type=bind,source=/work,target=/work --mount=type=bind,source=/srv/models,target=/models,readonly --env=GGML_CUDA_ENABLE_UNIFIED_MEMORY=1 --workdir=/work --entrypoint=sleep registry.example/strix/server@sha256:f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a infinity");
    insta::assert_snapshot!(made(&wanted(ContainerEngine::Docker)), @"docker create --stop-timeout=1 --name=strix --device=/dev/kfd --device=/dev/dri --group-add=992 --security-opt=label=disable --mount=type=bind,source=/work,target=/work --mount=type=bind,source=/srv/models,target=/models,readonly --env=GGML_CUDA_ENABLE_UNIFIED_MEMORY=1 --workdir=/work --entrypoint=sleep registry.example/strix/server@sha256:f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a infinity");
    let plan = Wanted { privileged: true, ..wanted(ContainerEngine::Podman) };
    assert!(made(&plan).contains(" --privileged --device=/dev/kfd --device=/dev/dri "), "{}", made(&plan));
}

#[test]
fn each_file_says_the_same_in_its_own_words() {
    insta::assert_snapshot!(file(&wanted(ContainerEngine::Distrobox)), @r#"
    [strix]
    image=registry.example/strix/server@sha256:f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a
    additional_flags="--device /dev/kfd"
    additional_flags="--device /dev/dri"
    additional_flags="--env GGML_CUDA_ENABLE_UNIFIED_MEMORY=1"
    volume="/work:/work"
    volume="/srv/models:/srv/models:ro"
    "#);
    insta::assert_snapshot!(file(&wanted(ContainerEngine::Quadlet)), @r"
    [Unit]
    Description=llama-server of strix
    After=network-online.target

    [Container]
    ContainerName=strix
    Image=registry.example/strix/server@sha256:f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a
    SecurityLabelDisable=true
    AddDevice=/dev/kfd
    AddDevice=/dev/dri
    PodmanArgs=--group-add=keep-groups --user=0:0 --entrypoint=llama-server
    Volume=/srv/models:/models:ro
    Environment=GGML_CUDA_ENABLE_UNIFIED_MEMORY=1
    PublishPort=127.0.0.1:8080:8080
    Exec=--host 0.0.0.0 --port 8080 -ngl 999 -fa 1 --load-mode none --model /models/gemma.gguf

    [Service]
    Restart=on-failure
    TimeoutStartSec=900

    [Install]
    WantedBy=default.target
    ");
    insta::assert_snapshot!(file(&wanted(ContainerEngine::Compose)), @r#"
    services:
      "strix":
        image: "registry.example/strix/server@sha256:f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a"
        container_name: "strix"
        restart: "unless-stopped"
        user: "1001:100"
        devices:
          - "/dev/kfd:/dev/kfd"
          - "/dev/dri:/dev/dri"
        group_add:
          - "992"
        security_opt:
          - "label=disable"
        environment:
          "GGML_CUDA_ENABLE_UNIFIED_MEMORY": "1"
        volumes:
          - type: "bind"
            source: "/srv/models"
            target: "/models"
            read_only: true
        ports:
          - "127.0.0.1:8080:8080"
        entrypoint:
          - "llama-server"
        command:
          - "--host"
          - "0.0.0.0"
          - "--port"
          - "8080"
          - "-ngl"
          - "999"
          - "-fa"
          - "1"
          - "--load-mode"
          - "none"
          - "--model"
          - "/models/gemma.gguf"
    "#);
}

#[test]
fn files_of_editors_and_proxies_say_the_same() {
    insta::assert_snapshot!(file(&wanted(ContainerEngine::Devcontainer)), @r#"
    {
      "containerEnv": {
        "GGML_CUDA_ENABLE_UNIFIED_MEMORY": "1"
      },
      "image": "registry.example/strix/server@sha256:f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a",
      "name": "strix",
      "postCreateCommand": [
        "sh",
        "-c",
        "for word; do case $word in /*) PATH=$PATH:$word ;; esac; done\nfor node in /dev/kfd /dev/dri/renderD*; do\n  if [ ! -c \"$node\" ]; then state=missing; elif [ -r \"$node\" ] && [ -w \"$node\" ]; then state=usable\n  else state='not usable'; fi\n  printf '%s\\t%s\\n' \"$node\" \"$state\"\ndone\nfor word; do\n  case $word in /*) continue ;; esac\n  tool=${word%%/*} state=missing rest=$word/\n  while [ \"$rest\" ]; do\n    name=${rest%%/*} rest=${rest#*/}\n    if command -v \"$name\" > /dev/null; then tool=$name state=found rest=; fi\n  done\n  printf '%s\\t%s\\n' \"$tool\" \"$state\"\ndone\n",
        "sh",
        "rocminfo",
        "hipcc",
        "llama-cli",
        "llama-server",
        "llama-bench"
      ],
      "runArgs": [
        "--device=/dev/kfd",
        "--device=/dev/dri",
        "--group-add=992",
        "--security-opt=label=disable",
        "--mount=type=bind,source=/srv/models,target=/models,readonly"
      ],
      "workspaceFolder": "/work",
      "workspaceMount": "type=bind,source=${localWorkspaceFolder},target=/work"
    }
    "#);
    insta::assert_snapshot!(file(&wanted(ContainerEngine::LlamaSwap)), @r#"
    models:
      "strix":
        cmd: "podman run --rm --init --name=strix --device=/dev/kfd --device=/dev/dri --group-add=keep-groups --user=0:0 --security-opt=label=disable --mount=type=bind,source=/srv/models,target=/models,readonly --env=GGML_CUDA_ENABLE_UNIFIED_MEMORY=1 --entrypoint=llama-server --publish=127.0.0.1:${PORT}:8080 registry.example/strix/server@sha256:f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a --host 0.0.0.0 --port 8080 -ngl 999 -fa 1 --load-mode none --model /models/gemma.gguf"
        cmdStop: "podman stop --time=10 strix"
        proxy: "http://127.0.0.1:${PORT}"
        checkEndpoint: "/health"
    "#);
}

#[test]
fn no_engine_is_given_a_tag_alone_or_an_image_without_a_digest() {
    for engine in ALL {
        let mut wanted = wanted(engine);
        if engine == ContainerEngine::Toolbox {
            wanted.models = None;
        }
        let all = format!("{:?}", steps(&wanted).unwrap());
        assert!(all.contains("registry.example/strix/server@sha256:f5ed5a7c"), "{all}");
        assert!(!all.contains("server:1"), "{all}");
    }
}

#[test]
fn names_that_an_engine_refuses_are_refused_first_with_the_rule() {
    for engine in ALL {
        for name in ["", "a", "-a", ".a", "a b", "a/b", "a\nb", "$(id)", "a;b", "é", "a'b", "[a]", &"a".repeat(201)] {
            let error = steps(&Wanted { name: name.to_owned(), ..wanted(engine) }).unwrap_err().to_string();
            assert!(error.contains("invalid container name") && error.contains("rule"), "{engine:?} {name:?}: {error}");
        }
    }
    assert!(steps(&Wanted { name: "Strix".to_owned(), ..wanted(ContainerEngine::Compose) }).is_err());
    assert!(steps(&Wanted { name: "strix.1".to_owned(), ..wanted(ContainerEngine::Quadlet) }).is_ok());
}

#[test]
fn hostile_paths_are_quoted_or_refused() {
    let with = |engine, models: &str| {
        let wanted = Wanted { models: Some(models.to_owned()), ..wanted(engine) };
        steps(&wanted).map(|steps| {
            let commands: Vec<String> = steps.create.iter().map(|words| words.join(" ")).collect();
            format!("{}{}", steps.file.map(|file| file.text).unwrap_or_default(), commands.join("\n"))
        })
    };
    // Characters that are a record's, a variable's or a specifier's.
    assert!(with(ContainerEngine::Podman, "/m,\"x").unwrap().contains(r#","source=/m,""x","#));
    assert!(with(ContainerEngine::Quadlet, "/m%n").unwrap().contains("Volume=/m%%n:/models:ro\n"));
    assert!(with(ContainerEngine::Compose, "/m$HOME\"").unwrap().contains(r#"source: "/m$$HOME\"""#));
    assert!(with(ContainerEngine::LlamaSwap, "/it's").unwrap().contains(r"it'\\''s"));
    for (engine, path) in [
        (ContainerEngine::Distrobox, "/m$(id)"),
        (ContainerEngine::Distrobox, "/m n"),
        (ContainerEngine::Distrobox, "/m#n"),
        (ContainerEngine::Quadlet, "/m:n"),
        (ContainerEngine::Quadlet, "/m\\"),
        (ContainerEngine::Quadlet, "/m$HOME"),
        (ContainerEngine::LlamaSwap, "/${PORT}"),
        (ContainerEngine::Devcontainer, "/${localEnv:HOME}"),
        (ContainerEngine::Podman, "/m\nn"),
        (ContainerEngine::Compose, "/m\u{85}n"),
        (ContainerEngine::Toolbox, "/srv/models"),
    ] {
        let error = with(engine, path).unwrap_err();
        assert_eq!(error.message(), "the engine cannot use this path", "{engine:?} {path}");
    }
}

#[test]
fn a_server_needs_a_model_below_the_models() {
    for engine in [ContainerEngine::Quadlet, ContainerEngine::Compose, ContainerEngine::LlamaSwap] {
        assert!(steps(&Wanted { model: None, ..wanted(engine) }).is_err());
        for model in ["/etc/passwd", "../x", "a//b", "", "a\nb"] {
            assert!(steps(&Wanted { model: Some(model.to_owned()), ..wanted(engine) }).is_err(), "{model}");
        }
    }
}

#[test]
fn a_server_runs_as_whoever_sets_it_up_and_roots_as_the_image_says() {
    let user = |engine, uid| wanted(engine).container(&Machine { uid, ..machine() }).unwrap().0.user;
    assert_eq!(user(ContainerEngine::Quadlet, 1001).as_deref(), Some("0:0"), "root inside is the caller");
    assert_eq!(user(ContainerEngine::Compose, 1001).as_deref(), Some("1001:100"));
    assert_eq!(
        [user(ContainerEngine::Quadlet, 0), user(ContainerEngine::Compose, 0), user(ContainerEngine::Podman, 1001)],
        [None, None, None]
    );
}

#[test]
fn the_groups_of_the_compute_node_render_nodes_and_cards_are_added_by_number() {
    let mut machine = machine();
    machine.devices.render[0].group = 991;
    machine.devices.card_groups = vec![0, 44];
    for engine in [ContainerEngine::Docker, ContainerEngine::Compose] {
        assert_eq!(wanted(engine).container(&machine).unwrap().0.groups, ["44", "991", "992"], "{engine:?}");
    }
}

#[test]
fn groups_are_kept_where_podmans_runtime_can_and_the_text_says_what_it_needs_where_that_is_not_known() {
    for engine in [ContainerEngine::Podman, ContainerEngine::Quadlet, ContainerEngine::LlamaSwap] {
        let with = |runtime: Runtime| {
            let (container, warnings) = wanted(engine).container(&Machine { runtime, ..machine() }).unwrap();
            let steps = engine.steps(&container).unwrap();
            let commands: Vec<String> = steps.create.iter().map(|words| words.join(" ")).collect();
            let text = format!("{}{}", steps.file.map(|file| file.text).unwrap_or_default(), commands.join("\n"));
            (text, warnings.join("\n"))
        };
        let (text, warnings) = with(Runtime::Crun);
        assert!(text.contains("--group-add=keep-groups") && !text.contains("crun") && warnings.is_empty(), "{text}");
        let (text, warnings) = with(Runtime::Other("runc".to_owned()));
        assert!(!text.contains("--group-add"), "{text}");
        assert!(warnings.starts_with("podman's runtime is runc, and only crun lets a container keep"), "{warnings}");
        let (text, warnings) = with(Runtime::Unknown);
        assert!(text.contains("--group-add=keep-groups"), "{text}");
        assert!(warnings.contains("needs crun as podman's runtime"), "{warnings}");
        // A command line has no comments.
        assert_eq!(
            text.starts_with("# `--group-add=keep-groups` needs crun"),
            engine != ContainerEngine::Podman,
            "{text}"
        );
    }
    for (engine, uid) in
        [(ContainerEngine::Podman, 0), (ContainerEngine::Docker, 1001), (ContainerEngine::Compose, 1001)]
    {
        let machine = Machine { uid, runtime: Runtime::Other("runc".to_owned()), ..machine() };
        let (container, warnings) = wanted(engine).container(&machine).unwrap();
        assert_eq!((container.groups, warnings), (vec!["992".to_owned()], Vec::new()), "{engine:?}");
    }
}

#[test]
fn devices_that_are_not_there_are_left_out_where_a_container_is_made_now() {
    let none = Machine { devices: Devices::default(), ..machine() };
    let (container, warnings) = wanted(ContainerEngine::Docker).container(&none).unwrap();
    assert!(container.devices.is_empty() && container.groups.is_empty());
    assert_eq!(warnings, ["missing on this machine: /dev/kfd, /dev/dri; `strixlock doctor` shows why"]);
    let (container, warnings) = wanted(ContainerEngine::Compose).container(&none).unwrap();
    // Names of groups may be unknown to the image.
    assert_eq!((container.devices.len(), container.groups.len()), (2, 0));
    assert!(warnings[0].starts_with("no GPU on this machine"), "{warnings:?}");
}

#[test]
fn a_name_that_distrobox_could_not_enter_is_refused() {
    let long = |engine| Wanted { name: "n".repeat(60), workspace: None, models: None, ..wanted(engine) };
    assert!(steps(&long(ContainerEngine::Distrobox)).unwrap_err().to_string().contains("maximum 64"));
    assert!(steps(&long(ContainerEngine::Toolbox)).is_ok() && steps(&wanted(ContainerEngine::Distrobox)).is_ok());
}

#[test]
fn what_shares_the_home_directory_is_told_only_what_lies_outside() {
    let at_home = Wanted { models: Some("/home/me/models".to_owned()), ..wanted(ContainerEngine::Distrobox) };
    let (container, _) = at_home.container(&machine()).unwrap();
    assert_eq!(container.mounts.iter().map(|mount| mount.to.as_str()).collect::<Vec<_>>(), ["/work"]);
}

#[test]
fn checks_are_read_from_among_an_engines_greetings() {
    let printed = "Starting container...\n/dev/kfd\tusable\r\n/dev/dri/renderD128\tusable\nrocminfo\tmissing\n\x1b[1m\tfound\nx\todd\n";
    let checks = inside::read(printed);
    assert_eq!(checks.len(), 3);
    assert!(inside::has_gpu(&checks) && !inside::has_gpu(&checks[..1]));
}
